"""Claim, settle, renew: every exchange is one turn."""

from __future__ import annotations

import os
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from minionize.engines.execo.admin import ExecoAdmin
from minionize.engines.execo.books import FRESH, LEASED, WAITING
from minionize.engines.execo.turns import LOOK
from minionize.engines.polling import Polling
from minionize.errors import EngineError
from minionize.model import Ack, Bury, Delivery, Gone, Task, Traits
from minionize.policy import ALONE
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from minionize.engines.execo.books import Minion, Record
    from minionize.model import Identity, Nack, Settlement
    from minionize.settings import Settings

#: The longest time between two looks at the journal while waiting, in seconds.
_TICK = 0.25


class ExecoEngine(Polling, ExecoAdmin):
    """A minion's view of a queue that is the directory of a ParamSweeper."""

    traits = Traits(
        durable=True,
        lease="timed",
        delay=True,
        fencing=True,
        counts="exact",
        deliveries="durable",
        dedup=True,
        finite=True,
        order=True,
        admin=frozenset({"list", "get", "retry", "release", "remove", "control"}),
    )

    def __init__(
        self,
        path: str,
        me: Identity,
        *,
        lease: float = 60.0,
        max_crashes: int = 5,
        create: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Open the sweep in ``path``; raises NoQueue where there is none and ``create`` is not given.

        ``clock`` (seconds) rules leases and delays; by default it is that of the machine that keeps the files.
        """
        Polling.__init__(self)
        ExecoAdmin.__init__(self, path, me, lease=lease, max_crashes=max_crashes, create=create, clock=clock)
        self._closed = False

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the sweep in EXECO_PERSISTENCE_DIR."""
        path = settings[table.EXECO_DIRECTORY]
        return cls(path, me, lease=settings[table.LEASE], max_crashes=settings[table.MAX_CRASHES], create=create)

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        """Prolong our lease; see :meth:`minionize.engines.base.Engine.renew`."""
        self._check_open()
        return self._turn(lambda: self._renew(held))

    def close(self) -> None:
        """Give back what is held and let go of the files."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._me.uid in self._books.minion_of:
                self._turn(self._leave)
        except EngineError:
            pass  # then the end of our lease, or of this process, gives it back
        self._guard.close()
        self._journal.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("this engine was closed: open another one")

    # ------------------------------------------------------------------ settle

    def _ask(self, settled: Sequence[Settlement], limit: int) -> Delivery:
        """Settle and claim in one turn."""
        self._check_open()
        lost = self._lost_minions() if limit else []
        return self._turn(lambda: self._trip(settled, limit, lost))

    def _trip(self, settled: Sequence[Settlement], limit: int, lost: Sequence[int]) -> Delivery:
        now = self._clock()
        gone = self._settle(settled, now) if settled else ()
        self._reclaim(now, lost, patient=self._was_away())
        books = self._books
        drained = books.drained() is not None
        tasks: tuple[Task, ...] = ()
        if limit > 0 and not drained and books.counts[FRESH] + books.counts[WAITING]:
            tasks = self._claim(limit, now)
        due = books.next_due()
        return Delivery(
            tasks,
            gone,
            next_due=None if due is None or tasks else max(0.0, due - now),
            state="drain" if drained else "open" if books.left() else "ended",
        )

    def _settle(self, settled: Sequence[Settlement], now: float) -> tuple[Gone, ...]:
        """Settle what is still ours; returns what is not."""
        gone: list[Gone] = []
        done: list[Record] = []
        at = time.time()
        for settlement in settled:
            task = settlement.task
            record = self._record(task)
            if record is None or not self._is_ours(record, task):
                if record is None or not self._is_settled(record, task):
                    gone.append(self._gone(task))
            elif isinstance(settlement, Ack):
                if record not in done:
                    done.append(record)
                if settlement.result is not None:
                    self._do(["result", record.n, settlement.result])
            else:
                self._settle_failed(settlement, record, now, at)
        if done:
            self._do(["done", self._number(), at, [record.n for record in done]])
            self._plan.finish += [self._items[record.n] for record in done]
        return tuple(gone)

    def _settle_failed(self, settlement: Nack | Bury, record: Record, now: float, at: float) -> None:
        """Give back or bury. For execo it stays in progress either way: others know nothing of delays and attempts."""
        failure = None if settlement.failure is None else list(settlement.failure)
        if isinstance(settlement, Bury):
            self._do(["dead", record.n, self._number(), at, failure])
        else:
            due = now + settlement.delay
            self._do(["nack", record.n, self._number(), at, due, int(settlement.charge), failure])

    def _record(self, task: Task) -> Record | None:
        record = self._books.records.get(task.handle)
        return record if record is not None and record.id == task.id else None

    def _is_ours(self, record: Record, task: Task) -> bool:
        return record.state == LEASED and record.minion == self._number() and record.delivery == task.delivery

    def _is_settled(self, record: Record, task: Task) -> bool:
        """Whether we settled this very delivery: then settling it once more changes nothing."""
        return record.settler == self._number() and record.settled == task.delivery

    def _gone(self, task: Task) -> Gone:
        return Gone(task, "cancelled" if self._record(task) is None else "lost")

    def _number(self) -> int:
        """Tell our number on the books; -1 where we are not on them."""
        return self._books.minion_of.get(self._me.uid, -1)

    # ------------------------------------------------------------------ claim

    def _claim(self, limit: int, now: float) -> tuple[Task, ...]:
        """Claim given-back tasks that are due, then fresh ones."""
        minion = self._register(now)
        if any(record.crashes >= ALONE for record in islice(minion.held.values(), 1)):
            return ()
        taken = self._take(minion, limit, now)
        if len(taken) < limit and self._has_unseen():
            self._align()
            taken += self._take(minion, limit - len(taken), now)
        return tuple(
            Task(record.id, record.param, record.attempt, record.delivery, record.crashes, record.n, record.error)
            for record in taken
        )

    def _take(self, minion: Minion, limit: int, now: float) -> list[Record]:
        """Take up to ``limit`` tasks, asking the ParamSweeper only where one of them may be had from it."""
        taken: list[Record] = []
        asks = self._wants_remaining(limit, now)

        def choose(remaining: set[Any]) -> list[Any]:
            """Pick, and write down what we are about to take, before execo does."""
            if asks:
                self._compare_count(len(remaining))
            taken.extend(self._pick(minion, limit, now, remaining))
            loose = [self._items[record.n] for record in taken if not record.kept]
            if taken:
                self._do(["take", self._number(), time.time(), [record.n for record in taken]])
            self._commit()
            return loose

        if asks:
            self._sweeper.take(limit, choose)
        else:
            choose(set())
        return taken

    def _wants_remaining(self, limit: int, now: float) -> bool:
        """Whether to ask the ParamSweeper: not where what it keeps for us is enough, nor where it has nothing to give."""
        kept = 0
        for record in self._books.due(now):
            if not record.kept and not record.foreign:
                return True
            kept += record.kept
            if kept >= limit:
                return False
        return any(not record.foreign for record in self._books.fresh())

    def _has_unseen(self) -> bool:
        """Whether others may have given back, or finished, what we take to be in progress."""
        books = self._books
        if not books.foreign and not self._behind and not any(True for _ in books.fresh()):
            return False
        return time.monotonic() - self._aligned > LOOK

    def _pick(self, minion: Minion, limit: int, now: float, remaining: set[Any]) -> list[Record]:
        """Pick those that are due, the longest due first, then fresh ones; one that crashed before goes alone."""

        def can_be_had(record: Record) -> bool:
            return record.kept or self._items.get(record.n) in remaining

        first = next(filter(can_be_had, self._books.due(now)), None)
        if first is not None and first.crashes >= ALONE:
            if not minion.held:
                return [first]
            if now - first.due > self._lease:  # it waited for long enough: take nothing else, until we hold nothing
                return []
        due = list(islice((r for r in self._books.due(now) if r.crashes < ALONE and can_be_had(r)), limit))
        return due + list(islice(filter(can_be_had, self._books.fresh()), limit - len(due)))

    # ------------------------------------------------------------------ our lease

    def _register(self, now: float) -> Minion:
        """Make sure that the books know us, and that our lease has most of its length before it."""
        books, me = self._books, self._me
        if me.uid not in books.minion_of:
            self._do(["minion", *me])
        number = self._number()
        deadline = books.minions[number].deadline
        if deadline is None or deadline - now < self._lease * 2 / 3:
            self._do(["lease", number, now + self._lease])
        return books.minions[number]

    def _renew(self, held: Sequence[Task]) -> list[Gone]:
        number = self._number()
        if number < 0:
            return [self._gone(task) for task in held]
        now = self._clock()
        self._was_away()  # a renewal is a turn
        ours = {
            (task.handle, task.delivery)
            for task in held
            if (record := self._record(task)) is not None and self._is_ours(record, task)
        }
        named = {n for n, _ in ours}
        unnamed = [n for n in self._books.minions[number].held if n not in named]
        self._do(*(["back", n, now] for n in unnamed), ["lease", number, now + self._lease])
        return [self._gone(task) for task in held if (task.handle, task.delivery) not in ours]

    def _leave(self) -> None:
        """Give back what we hold, to the other users of the ParamSweeper too; the last one gives back all that waits."""
        books, number = self._books, self._number()
        if number < 0:
            return
        now = self._clock()
        held = list(books.minions[number].held.values())
        self._do(*(["back", record.n, now] for record in held), ["lease", number, None])
        waiting = [] if books.live else [books.records[n] for n in books.kept if books.records[n].state == WAITING]
        self._free(waiting or held)

    def _doze(self, left: float, next_due: float | None, tick: float) -> tuple[bool, float]:
        """Wait until something may have changed: another process wrote, a task or a look is due, or the bell rang."""
        end = time.monotonic() + min(left, LOOK, next_due or LOOK)
        before = _look(self._journal.path)
        while (now := time.monotonic()) < end:
            if self._bell.acquire(timeout=min(tick, end - now)):
                return True, tick
            tick = min(tick * 2, _TICK)
            if _look(self._journal.path) != before:
                return False, self.first_tick
        return False, tick


def _look(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size
