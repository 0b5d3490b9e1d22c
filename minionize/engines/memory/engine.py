"""Claim, settle, renew: what a minion does with a queue in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minionize.engines.memory.admin import MemoryAdmin
from minionize.engines.memory.queue import MemoryQueue, Session
from minionize.errors import EngineError
from minionize.model import Ack, Bury, Counts, Delivery, Gone, Put, Traits
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal, Self

    from minionize.engines.memory.queue import Record
    from minionize.model import Identity, Nack, NewTask, Settlement, Task
    from minionize.settings import Settings


class MemoryEngine(MemoryAdmin):
    """A minion's view of a :class:`MemoryQueue`."""

    notes: tuple[str, ...] = ()

    def __init__(self, queue: MemoryQueue, me: Identity, lease: float = 60.0, max_crashes: int = 5) -> None:
        """Join the queue; ``lease`` is in seconds."""
        self.queue, self.where = queue.id, queue.where
        self.traits = Traits(
            durable=False,
            lease="timed",
            delay=True,
            fencing=True,
            counts="exact",
            deliveries="durable",
            dedup=queue.keep,
            finite=True,
            order=True,
            admin=frozenset({"list", "get", "retry", "release", "remove", "control"}),
        )
        self._books, self._lease, self._max_crashes = queue, lease, max_crashes
        self._session = Session(me)
        self._closed = False
        with queue.lock:
            queue.sessions[self._session] = None

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Make a queue of our own, which is new and empty in any case."""
        return cls(MemoryQueue(), me, settings[table.LEASE], settings[table.MAX_CRASHES])

    # ------------------------------------------------------------------ what a minion does

    def put(self, new: Iterable[NewTask]) -> Put:
        """Add tasks, all or none; see :meth:`minionize.engines.base.Engine.put`."""
        tasks = list(new)  # a source that raises does so here, before anything is added
        return self._add(tasks)

    def exchange(self, settled: Sequence[Settlement] = (), *, limit: int = 0, wait: float = 0.0) -> Delivery:
        """Settle, then claim; see :meth:`minionize.engines.base.Engine.exchange`."""
        until = time.monotonic() + wait
        with self._books.lock:
            self._check_open()
            gone = self._settle(settled) if settled else ()
            while True:
                delivery = self._claim(limit, gone)
                if delivery.tasks or limit <= 0 or delivery.state != "open":
                    return delivery
                left = until - time.monotonic()
                if left <= 0 or self._session.woken:
                    self._session.woken = False
                    return delivery
                self._wait(limit, left, delivery.next_due)

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        """Prolong the lease; see :meth:`minionize.engines.base.Engine.renew`."""
        books, session = self._books, self._session
        with books.lock:
            self._check_open()
            books.reclaim(session, self._max_crashes)
            ours = [self._holds(task) for task in held]  # a lost delivery of a task that we hold again is not
            named = {task.handle for task, is_ours in zip(held, ours, strict=True) if is_ours}
            for serial in session.held.keys() - named:
                books.give_back(session.held[serial])
            gone = [Gone(task, self._why(task)) for task, is_ours in zip(held, ours, strict=True) if not is_ours]
            session.cancelled.intersection_update([task.handle for task in held])
            session.deadline = books.clock() + self._lease
        return gone

    def counts(self) -> Counts:
        """Read the books; what is pending is unknown while the source may bring more."""
        with self._books.lock:
            self._books.next_due()
            counts = Counts(**self._books.counts)
            return counts if self._books.exhausted else counts._replace(pending=None)

    def wake(self) -> None:
        """Cut short the wait of an exchange, now or the next one; any thread may call it."""
        with self._books.lock:
            self._session.woken = True
            self._books.signal()

    def close(self) -> None:
        """Give back what is held, not charged, and leave; may be called twice."""
        with self._books.lock:
            self._closed = True
            for record in list(self._session.held.values()):
                self._books.give_back(record)
            self._books.sessions.pop(self._session, None)

    # ------------------------------------------------------------------ settling

    def _settle(self, settled: Sequence[Settlement]) -> tuple[Gone, ...]:
        gone, accepted = [], set()
        for settlement in settled:
            task = settlement.task
            key = (task.handle, task.delivery)
            if self._holds(task):
                self._settle_one(settlement, self._session.held[task.handle])
            elif key not in accepted and key not in self._session.settled:
                gone.append(Gone(task, self._why(task)))
                continue
            accepted.add(key)
        self._session.settled = frozenset(accepted)
        if self._books.state() != "open":
            self._books.signal()
        return tuple(gone)

    def _settle_one(self, settlement: Settlement, record: Record) -> None:
        if isinstance(settlement, Ack):
            record.result, record.failure = settlement.result, None
            self._books.end(record, "done")
        elif isinstance(settlement, Bury):
            record.failure = settlement.failure
            self._books.end(record, "dead")
        else:
            self._settle_nack(settlement, record)

    def _settle_nack(self, nack: Nack, record: Record) -> None:
        record.attempt += nack.charge
        record.failure = nack.failure or record.failure
        self._books.give_back(record, nack.delay)

    def _holds(self, task: Task) -> bool:
        record = self._session.held.get(task.handle)
        return record is not None and record.delivery == task.delivery

    def _why(self, task: Task) -> Literal["lost", "cancelled"]:
        """Say why a task is not ours."""
        return "cancelled" if task.handle in self._session.cancelled else "lost"

    # ------------------------------------------------------------------ claiming

    def _claim(self, limit: int, gone: tuple[Gone, ...]) -> Delivery:
        books, session = self._books, self._session
        books.reclaim(session, self._max_crashes)
        due = books.next_due()
        tasks: tuple[Task, ...] = ()
        if limit > 0 and books.state() == "open":
            tasks = books.claim(session, limit)
            if len(tasks) < limit and not books.is_alone(session):
                self._read(limit - len(tasks), 0.0)
                tasks += books.claim(session, limit - len(tasks))
            session.deadline = books.clock() + self._lease
        return Delivery(tasks, gone, due, books.state())

    def _wait(self, limit: int, left: float, due: float | None) -> None:
        """Wait until something may have changed: a task, a wake, a due time, the end of another minion's lease."""
        lapse = self._books.next_lapse(self._session)
        left = min(seconds for seconds in (left, due, lapse) if seconds is not None)
        if self._books.exhausted or self._books.reading or self._books.is_alone(self._session):
            self._books.changed.wait(left)
        else:
            self._read(limit, left)

    def _read(self, limit: int, wait: float) -> None:
        """Read from the source, if nobody else does, with the books open to others meanwhile."""
        books = self._books
        if books.source is None or books.source.ended or books.reading:
            return
        books.reading = True
        books.lock.release()
        try:
            new = books.source.read(limit, wait)
        finally:
            books.lock.acquire()
            books.reading = False
            books.signal()
        self._add(new)

    def _add(self, tasks: list[NewTask]) -> Put:
        known: dict[str, int] = {}
        with self._books.lock:
            for task in tasks:
                state = self._books.add(task)
                if state is not None:
                    known[state] = known.get(state, 0) + 1
        return Put(len(tasks) - sum(known.values()), known if self._books.keep else None)

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("this engine was closed: open another one")
