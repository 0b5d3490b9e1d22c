"""What an engine is: the contract between a minion and a queue.

``minionize.testing.contract`` is the specification: every clause of it runs against every engine. An engine is used by
one thread at a time; only :meth:`Engine.wake` may be called from another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    from minionize.model import (
        Control,
        Counts,
        Delivery,
        Entry,
        Gone,
        Identity,
        NewTask,
        Put,
        Settlement,
        State,
        Task,
        Traits,
    )
    from minionize.settings import Settings


class Engine(Protocol):
    """A queue as one minion sees it."""

    traits: Traits
    #: The queue's own identity: events of two queues in one report directory are told apart by it.
    queue: str
    #: What people are shown, secrets masked: ``minion-queue.db``, ``redis://host:6379/0 minions``.
    where: str
    #: What a user should know of this queue, a sentence each; a minion says them once, at its start.
    notes: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue that the settings name, making it where ``create``; raises NoQueue, EngineUnavailable."""
        ...

    def put(self, new: Iterable[NewTask]) -> Put:
        """Add tasks, all or none; an id that is known adds nothing where ``traits.dedup``."""
        ...

    def exchange(self, settled: Sequence[Settlement] = (), *, limit: int = 0, wait: float = 0.0) -> Delivery:
        """Settle, then claim up to ``limit`` tasks, in one transaction or round trip.

        Waits up to ``wait`` seconds for a first task where there is none (not when ``limit`` is 0, and not when the
        queue is ended or drained). Repeating it with the same settlements after an error is harmless.
        """
        ...

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        """Prolong the leases of all that is held; what the queue thinks we hold and is not named is given back."""
        ...

    def counts(self) -> Counts:
        """Read the books."""
        ...

    def wake(self) -> None:
        """Cut short the wait of an exchange, now or the next one. Any thread may call it."""
        ...

    def close(self) -> None:
        """Give back what is held, not charged, and let go of the queue. May be called twice."""
        ...


class Admin(Protocol):
    """What an engine can do besides; ``traits.admin`` names the verbs it has."""

    def list(self, state: State | None = None, limit: int | None = None) -> Iterator[Entry]:
        """List tasks, oldest first, of one state or of all."""
        ...

    def get(self, id: str) -> Entry | None:
        """Find a task by its id or by the beginning of it, where only one has it; raises UsageError otherwise."""
        ...

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Put dead tasks (None: all of them) back as if new; says how many."""
        ...

    def release(self, ids: Sequence[str] | None = None) -> int:
        """Give back held tasks: those named, or (None) all that are held by minions which are lost."""
        ...

    def remove(self, ids: Sequence[str] | None = None) -> int:
        """Take tasks (None: all) off the books; a minion that runs one learns so at its next renewal."""
        ...

    def clear(self) -> int | None:
        """Drop everything, where single tasks cannot be removed; says how many tasks, None where that cannot be known."""
        ...

    def control(self, drain: Control | None) -> None:
        """Ask all minions of this queue to leave, or (None) take that back."""
        ...

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave; None where nobody did, or where that was more than a day ago."""
        ...
