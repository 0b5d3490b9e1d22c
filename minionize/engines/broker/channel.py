"""What an engine needs of a message broker: a few verbs, which each adapter says in its client's words.

All of them raise errors of ours: EngineUnavailable where asking again may help, EngineError where it will not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minionize.model import Counts

#: Where a message goes: to be run, to be run once more, or to the dead letters.
Address = Literal["tasks", "retry", "dead"]


class Received(NamedTuple):
    """A message that we hold.

    ``key`` names the message at the broker, and is the same each time it is handed out; ``handle`` belongs to the
    channel, and is of this time only.
    """

    key: str
    data: bytes
    attributes: Mapping[str, str]
    handle: Any


class Outgoing(NamedTuple):
    """A message to publish, to be handed out after ``delay`` seconds."""

    data: bytes
    attributes: Mapping[str, str]
    to: Address = "tasks"
    delay: float = 0.0


class Channel(Protocol):
    """One subscription, from which messages are taken. Only :meth:`wake` may be called by another thread."""

    #: The longest delay, in seconds, with which a message can be given back; 0: none can.
    longest_delay: float

    def take(self, limit: int, wait: float) -> list[Received]:
        """Take up to ``limit`` messages; waits up to ``wait`` seconds for a first one.

        What was asked for and comes after the end of the wait is handed out by the next take, or, if there is none soon,
        given back: it must not be kept from others while we run something long. A message that comes again although
        it was neither acked nor given back (the broker took it for lost) is handed out again, with a new handle.
        """
        ...

    def ack(self, messages: Sequence[Received]) -> list[Received]:
        """Take messages off the subscription, for good; returns those that it refuses, because they are not ours any more."""
        ...

    def give_back(self, messages: Sequence[Received], delay: float = 0.0) -> None:
        """Let others have messages, after ``delay`` seconds; it does not matter if they are not ours any more."""
        ...

    def renew(self, messages: Sequence[Received]) -> list[Received]:
        """Prolong our hold, for another lease; returns those that the broker says are not ours any more."""
        ...

    def wake(self) -> None:
        """Cut short the wait of a take, now or the next one."""
        ...

    def close(self) -> None:
        """Stop taking. What was taken and not acked comes back by itself."""
        ...


class Broker(Protocol):
    """A topic of tasks with our subscription to it, and a topic of dead letters with one of its own."""

    tasks: Channel

    def dead(self) -> Channel:
        """Open the dead letters; whoever calls it closes the channel."""
        ...

    def publish(self, messages: Sequence[Outgoing], confirmed: Callable[[int], object] = int) -> None:
        """Publish messages, and wait until the broker has them all.

        ``confirmed`` is told, as it goes on, how many more it has. An error in the middle leaves what was published:
        nothing can call that back.
        """
        ...

    def is_empty(self) -> bool | None:
        """Tell whether no task is left in any state, our own acks included; None: that cannot be known."""
        ...

    def counts(self) -> Counts:
        """Read the books."""
        ...

    def clear(self) -> int | None:
        """Drop all messages, tasks and dead letters; says how many there were, None where that cannot be known."""
        ...

    def close(self) -> None:
        """Let go of the broker; may be called twice."""
        ...
