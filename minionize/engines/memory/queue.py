"""The books of a queue in memory, and the lines its tasks stand in.

Claiming and settling cost the same whatever the length of the queue (a delayed task: the logarithm of how many are
delayed): a task that is taken off the books stays in its line, which passes over it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

from minionize.model import STATES, Failure, Task
from minionize.policy import ALONE, DRAIN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from minionize.model import Control, Identity, NewTask, State


class Source(Protocol):
    """Where further tasks come from, when they are asked for: lines of standard input."""

    #: Nothing more will come.
    ended: bool

    def read(self, limit: int, wait: float) -> list[NewTask]:
        """Read up to ``limit`` tasks, waiting up to ``wait`` seconds for a first one; one thread at a time calls this."""
        ...

    def wake(self) -> None:
        """Cut short the wait of a read, now or the next one. Any thread may call it."""
        ...


class Record:
    """A task on the books. ``state`` is None once it was taken off them: the lines it stood in pass over it then."""

    __slots__ = (
        *(
            "attempt",
            "crashes",
            "delivery",
            "due",
            "ended",
            "error",
            "failure",
            "holder",
            "host",
            "id",
            "minion",
            "param",
        ),
        *("result", "serial", "since", "state"),
    )

    def __init__(self, new: NewTask, serial: int) -> None:
        self.id, self.param, self.error, self.serial = new.id, new.param, new.error, serial
        self.attempt, self.delivery, self.crashes = new.attempt, 0, new.crashes
        self.state: State | None = None
        self.due = 0.0
        self.holder: Session | None = None
        self.minion: str | None = None
        self.host: str | None = None
        self.since: float | None = None
        self.ended: float | None = None
        self.failure: Failure | None = None
        self.result: str | None = None

    def task(self) -> Task:
        """Make what its holder is handed."""
        return Task(self.id, self.param, self.attempt, self.delivery, self.crashes, self.serial, self.error)


class Session:
    """What the queue knows of a minion."""

    __slots__ = ("cancelled", "deadline", "held", "me", "settled", "woken")

    def __init__(self, me: Identity) -> None:
        self.me = me
        self.deadline = 0.0
        self.held: dict[int, Record] = {}  # by serial
        self.cancelled: set[int] = set()  # serials of what was removed while held, until the next renewal
        self.settled: frozenset[tuple[int, int]] = frozenset()  # the last batch: it may be repeated after an error
        self.woken = False


class MemoryQueue:
    """The books, which all minions of this process share; every method but :meth:`signal` wants ``lock`` to be held.

    ``clock`` (monotonic) rules leases and delays, ``wall`` is what people see. With ``keep`` False, done tasks are only
    counted, so that an endless ``source`` fits into memory; then an id that was done before is not known any more.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        wall: Callable[[], float] = time.time,
        keep: bool = True,
        source: Source | None = None,
        where: str = "memory",
    ) -> None:
        """Make an empty queue."""
        self.id, self.where = os.urandom(16).hex(), where
        self.clock, self.wall, self.keep, self.source = clock, wall, keep, source
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.reading = False
        self.sessions: dict[Session, None] = {}
        self.records: dict[str, Record] = {}
        self.counts: dict[str, int] = dict.fromkeys(STATES, 0)
        self.drain: Control | None = None
        self._serial = 0
        self._fresh: deque[Record] = deque()
        self._returned: deque[Record] = deque()  # given back: before the fresh ones
        self._suspects: deque[Record] = deque()  # crashed too often to be handed out beside others
        self._delayed: list[tuple[float, int, Record]] = []

    # ------------------------------------------------------------------ lines

    def add(self, new: NewTask) -> State | None:
        """Put a task on the books; returns the state of the one that has its id already."""
        known = self.records.get(new.id)
        if known is not None:
            return known.state
        self._serial += 1
        record = self.records[new.id] = Record(new, self._serial)
        delay = new.due - self.wall() if new.due else 0.0
        self._line_up(record, delay, self._fresh)
        return None

    def give_back(self, record: Record, delay: float = 0.0) -> None:
        """Offer a held task again, before the fresh ones."""
        self._let_go(record)
        self._line_up(record, delay, self._returned)

    def revive(self, record: Record) -> None:
        """Offer a dead letter again, as if it were new."""
        record.attempt, record.crashes, record.failure, record.ended = 1, 0, None, None
        self._line_up(record, 0.0, self._fresh)

    def end(self, record: Record, state: Literal["done", "dead"]) -> None:
        """Settle a held task for good."""
        self._let_go(record)
        self._move(record, state)
        record.ended = self.wall()
        if state == "done" and not self.keep:
            del self.records[record.id]

    def drop(self, record: Record) -> None:
        """Take a task off the books; its holder is to learn that."""
        if record.holder is not None:
            record.holder.cancelled.add(record.serial)
            self._let_go(record)
        self._move(record, None)
        del self.records[record.id]

    def clear(self) -> int:
        """Take all tasks off the books; says how many."""
        count = sum(self.counts.values())
        for record in list(self.records.values()):
            self.drop(record)
        self.counts = dict.fromkeys(STATES, 0)
        for line in (self._fresh, self._returned, self._suspects, self._delayed):
            line.clear()
        return count

    def claim(self, session: Session, limit: int) -> tuple[Task, ...]:
        """Hand out up to ``limit`` tasks; one that crashed before goes alone, to a minion that holds nothing."""
        if self.is_alone(session):
            return ()
        taken: list[Record] = []
        if not session.held and limit > 0:
            self._pop(self._suspects, 1, taken)
        if not taken:
            self._pop(self._returned, limit, taken)
            self._pop(self._fresh, limit, taken)
        now = self.wall()
        for record in taken:
            self._move(record, "leased")
            record.delivery += 1
            record.holder, record.minion, record.host, record.since = session, session.me.uid, session.me.host, now
            session.held[record.serial] = record
        return tuple(record.task() for record in taken)

    def is_alone(self, session: Session) -> bool:
        """Tell whether what a minion holds has to stay alone."""
        first = next(iter(session.held.values()), None)
        return first is not None and first.crashes >= ALONE

    def _pop(self, line: deque[Record], limit: int, taken: list[Record]) -> None:
        while line and len(taken) < limit:
            record = line.popleft()
            if record.state == "pending":
                taken.append(record)

    def _line_up(self, record: Record, delay: float, line: deque[Record]) -> None:
        if delay > 0:
            self._move(record, "delayed")
            record.due = self.clock() + delay
            self._serial += 1
            heappush(self._delayed, (record.due, self._serial, record))
        else:
            self._move(record, "pending")
            (self._suspects if record.crashes >= ALONE else line).append(record)
        self.signal()

    def _move(self, record: Record, state: State | None) -> None:
        if record.state is not None:
            self.counts[record.state] -= 1
        record.state = state
        if state is not None:
            self.counts[state] += 1

    def _let_go(self, record: Record) -> None:
        if record.holder is not None:
            del record.holder.held[record.serial]
            record.holder = None

    # ------------------------------------------------------------------ time

    def next_due(self) -> float | None:
        """Offer delayed tasks whose time has come; tell the seconds until the next one."""
        now = self.clock()
        while self._delayed:
            due, _, record = self._delayed[0]
            if record.state == "delayed" and due > now:
                return due - now
            heappop(self._delayed)
            if record.state == "delayed":
                self._line_up(record, 0.0, self._returned)
        return None

    def next_lapse(self, me: Session) -> float | None:
        """Tell the seconds until the lease of another minion ends."""
        ends = [session.deadline for session in self.sessions if session.held and session is not me]
        return min(ends) - self.clock() if ends else None

    def reclaim(self, me: Session, max_crashes: int) -> int:
        """Take back what other minions hold whose lease ended; says how many tasks that were."""
        now, count = self.clock(), 0
        for session in self.sessions:
            if session.held and session is not me and session.deadline <= now:
                for record in list(session.held.values()):
                    self._crash(record, session.me, max_crashes)
                    count += 1
        return count

    def _crash(self, record: Record, minion: Identity, max_crashes: int) -> None:
        if not minion.preemptible:
            record.crashes += 1
            reason = f"its minion {minion.uid} on {minion.host} vanished (crash {record.crashes} of {max_crashes})"
            record.failure = Failure("crash", reason, minion=minion.uid, host=minion.host, at=self.wall())
        if record.crashes >= max_crashes:
            self.end(record, "dead")
        else:
            self.give_back(record)

    # ------------------------------------------------------------------ state

    @property
    def exhausted(self) -> bool:
        """Whether no source can bring more tasks."""
        return self.source is None or self.source.ended

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave, unless that is forgotten."""
        old = self.drain is not None and self.wall() - self.drain.at > DRAIN_MEMORY
        return None if old else self.drain

    def state(self) -> Literal["open", "drain", "ended"]:
        """Tell whether there is something to come, and whether minions may have it."""
        if self.drained() is not None:
            return "drain"
        left = self.counts["pending"] + self.counts["delayed"] + self.counts["leased"]
        return "open" if left or not self.exhausted else "ended"

    def signal(self) -> None:
        """Let those that wait look again."""
        with self.lock:
            self.changed.notify_all()
            if self.reading and self.source is not None:
                self.source.wake()
