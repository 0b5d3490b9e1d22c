"""The dead letters, for people who look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.engines.google.calls import Calls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.engines.broker.channel import Received
    from minionize.engines.google.connect import Wire

#: Seconds that a dead letter is held by whoever looks at it.
HOLD = 60


class DeadChannel:
    """The subscription to the dead letters, pulled by whoever takes: no thread is needed for a look."""

    longest_delay = 0.0

    def __init__(self, wire: Wire) -> None:
        """Name the subscription; nothing is asked yet."""
        self._calls = Calls(wire, wire.address.dead_subscription)

    def take(self, limit: int, wait: float) -> list[Received]:
        """Pull once, and hold what comes long enough for people to read it."""
        messages = self._calls.pull(limit, wait)
        if messages:
            self._calls.prolong(messages, HOLD)
        return messages

    def ack(self, messages: Sequence[Received]) -> list[Received]:
        """Take letters off for good."""
        return self._calls.ack(messages)

    def give_back(self, messages: Sequence[Received], delay: float = 0.0) -> None:
        """Let others look."""
        self._calls.prolong(messages, delay)

    def renew(self, messages: Sequence[Received]) -> list[Received]:
        """Hold letters longer."""
        return self._calls.prolong(messages, HOLD)

    def wake(self) -> None:
        """Do nothing: a look is not long."""

    def close(self) -> None:
        """Do nothing: the connection is the broker's."""
