"""The lock, and how the books and the ParamSweeper are brought to agree, whoever died where.

All that is done is done in a *turn*, under one lock of ours (execo's own do not keep two ParamSweepers of one process
apart). A turn first writes to the journal what it is about to do, then does it to the ParamSweeper, then notes that both
agree. Who finds that note missing sees to it that they do: what the journal calls done is finished, what it calls held or
dead is kept from others, and what was taken in a turn that did not end was never handed out, so it is given back.

Others may use the ParamSweeper too, without our lock. What they take is not ours to give; what they finish is done.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

from minionize.engines.execo import directory
from minionize.engines.execo.books import DONE, LEASED, Books
from minionize.engines.execo.directory import Translated
from minionize.engines.execo.journal import Journal
from minionize.engines.execo.sweeper import Sweeper
from minionize.engines.execo.values import describe, key_of, order, unwrap
from minionize.engines.guard import Guard
from minionize.params.ids import identify

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from minionize.engines.execo.books import Record
    from minionize.engines.execo.journal import Change
    from minionize.engines.execo.sweeper import Sweep

T = TypeVar("T")

#: Seconds between two looks at what may have happened outside of our books.
LOOK = 1.0
LOCK, JOURNAL = "minionize.lock", "minionize.journal"


class Plan:
    """What is to be done to the ParamSweeper at the end of a turn."""

    __slots__ = ("finish", "free", "keep", "sweep")

    def __init__(self) -> None:
        self.sweep: Collection[Any] | None = None  # what its list is to become
        self.finish: list[Any] = []
        self.keep: list[Any] = []  # to be taken, so that others do not
        self.free: list[Any] = []


class Turns:
    """The directory, open."""

    def __init__(self, path: str, *, create: bool, clock: Callable[[], float] | None) -> None:
        """Open the sweep in ``path``; raises NoQueue where there is none and ``create`` is not given."""
        self.path = self.where = path
        there = directory.check(path)
        if not there and not create:
            raise directory.no_queue(path)
        self._sweeper = Sweeper(path)
        if not there:
            directory.make(path)
        lock = os.path.join(path, LOCK)
        self._clock = clock or (lambda: _server_time(lock))
        self._items: dict[int, Any] = {}  # what stands for a task in the sweep, by the task's number
        self._numbers: dict[Any, int] = {}  # and the other way round
        self._aligned = -LOOK
        self._journal = Journal(os.path.join(path, JOURNAL))
        self._changes: list[Change] = []  # made to the books, and not written down yet
        self._behind = False  # others used the ParamSweeper, and we have not looked what they did
        self._unseen = False  # we have, and are to note it
        self._compared = False  # we know how many items remain
        self._plan = Plan()
        self._start_anew()
        with Translated(path):
            self._guard = Guard(lock)
        try:
            if not there:
                self._make()
            self._turn(self._begin, exact=True)
        except BaseException:
            self._guard.close()
            self._journal.close()
            raise
        self.notes = directory.notes(path)

    @property
    def queue(self) -> str:
        """The queue's own identity."""
        return self._books.queue

    def _make(self) -> None:
        """Begin with an empty list of sweeps, unless another process was faster."""
        with Translated(self.path):
            self._guard.acquire()
            try:
                if not os.path.exists(os.path.join(self.path, "sweeps")):
                    self._sweeper.replace(())
            finally:
                self._guard.release()

    # ------------------------------------------------------------------ a turn

    def _turn(self, body: Callable[[], T], *, exact: bool = False) -> T:
        """Run ``body`` under the lock; ``exact``: having seen what other users of the ParamSweeper did."""
        with Translated(self.path):
            self._guard.acquire()
            try:
                self._catch_up(exact=exact)
                result = body()
                self._finish()
            except BaseException as error:
                self._start_anew()  # the journal knows how far we came
                _let_go(error)
                raise
            finally:
                self._guard.release()
        return result

    def _do(self, *changes: Change) -> None:
        """Make changes to the books, which :meth:`_commit` writes down."""
        self._books.apply(changes)
        self._changes.extend(changes)

    def _commit(self) -> None:
        """Write down what is about to be done; from here on it will be, whoever does it."""
        if self._changes:
            self._journal.append(self._changes, sync=True)
            self._changes = []

    def _free(self, records: Sequence[Record]) -> None:
        """Let others take these from the ParamSweeper."""
        if records:
            self._do(["free", [record.n for record in records]])
            self._plan.free += [self._items[record.n] for record in records]

    def _finish(self) -> None:
        """Do to the ParamSweeper what the books say, and note that they agree."""
        self._commit()
        plan = self._plan
        if plan.sweep is not None:
            self._sweeper.replace(plan.sweep)
            self._learn(self._sweeper.load())
        if plan.finish:
            self._sweeper.finish(plan.finish)
        if plan.keep:
            self._sweeper.take(len(plan.keep), lambda remaining: [item for item in plan.keep if item in remaining])
        if plan.free:
            self._sweeper.free(plan.free)
        self._plan = Plan()
        self._commit()  # what somebody put in between
        books = self._books
        books.stale = False
        if books.open is None and not self._unseen:
            return
        seen = self._sweeper.look()
        if self._sweeper.used and not self._compared:
            self._compare_count(self._sweeper.left())
        if self._behind:
            seen[1:] = None, None  # others used it, and we have not looked what they did
        books.apply([["ok", seen]])
        if not (self._journal.has_grown and self._journal.shrink([*books.all(), ["ok", seen]])):
            self._journal.append([["ok", seen]], sync=False)

    def _compare_count(self, remaining: int) -> None:
        """See by the number of items that remain for execo whether others took or finished some during this turn."""
        books = self._books
        self._compared = True
        if remaining != len(books.records) - books.counts[DONE] - len(books.kept) - len(books.foreign):
            self._behind = True

    def _start_anew(self) -> None:
        self._books = Books()
        self._journal.forget()
        self._plan = Plan()
        self._changes = []
        self._behind = self._unseen = False

    def _catch_up(self, *, exact: bool) -> None:
        """Read what others wrote, and see whether the ParamSweeper is as they left it."""
        if not os.path.isdir(self.path):
            raise FileNotFoundError(2, os.strerror(2), self.path)
        anew, lines = self._journal.read()
        books = self._books
        if anew:
            books = self._books = Books()
            self._items, self._numbers = {}, {}
        for line in lines:
            books.apply(line)
        books.stale |= anew
        look = self._sweeper.look()
        self._unseen = self._compared = self._sweeper.used = False
        self._behind = books.seen != look
        list_changed = books.seen is None or books.seen[0] != look[0]
        look_now = exact or list_changed or time.monotonic() - self._aligned > LOOK
        if books.open is not None or books.stale or (self._behind and look_now):
            self._align(after_a_crash=True)

    def _begin(self) -> None:
        if not self._books.queue:
            self._do(["queue", os.urandom(16).hex()])

    # ------------------------------------------------------------------ bringing both to agree

    def _align(self, *, after_a_crash: bool = False) -> None:
        """Read all of the ParamSweeper, enter what is new, and have put right what a turn that did not end left."""
        sweep = self._sweeper.load()
        self._behind, self._unseen, self._aligned = False, True, time.monotonic()
        left = self._books.open
        taken = list(left.taken) if left else []
        missing = self._learn(sweep)
        self._leave_out(missing)
        if after_a_crash:
            self._undo(sweep, taken)
        self._compare(sweep)

    def _learn(self, sweep: Sweep) -> list[Record]:
        """Find the tasks that stand in the sweep, entering those that are new; returns those that do not."""
        books = self._books
        items: dict[int, Any] = {}
        new: list[Any] = []
        for item in sweep.items:
            record = books.records.get(self._numbers.get(item, 0)) or books.by_key.get(key_of(item))
            if record is not None:
                items[record.n] = item
            elif books.open is None or key_of(item) not in books.open.dropped:
                new.append(item)
            else:
                self._plan.sweep = sweep.items  # it was being removed: it is left out
        for item in sorted(new, key=order):
            items[self._adopt(item)] = item
        self._items = items
        self._numbers = {item: n for n, item in items.items()}
        return [record for record in books.records.values() if record.n not in items]

    def _adopt(self, item: Any) -> int:
        """Enter what somebody else put into the sweep; returns its number."""
        books, wrapped = self._books, unwrap(item)
        if wrapped is None:
            param, error = describe(item)
            id = identify(param)
        else:
            (id, param), error = wrapped, ""
        key, occurrence = key_of(item), 1
        while id in books.by_id:
            occurrence += 1
            id = identify(param, occurrence)
        n = books.next
        self._do(["task", id, param, None if key == param else key, 1, 0, 0.0, error])
        return n

    def _leave_out(self, missing: Sequence[Record]) -> None:
        """Take off the books what does not stand in the sweep: it was taken out, or its put did not come to its end."""
        if missing:
            self._do(["drop", [record.n for record in missing]])
        if self._plan.sweep is not None:
            self._plan.sweep = list(self._items.values())

    def _undo(self, sweep: Sweep, taken: Iterable[int]) -> None:
        """Give back what was taken in a turn that did not end: nobody was told."""
        now, records = self._clock(), self._books.records
        held = [n for n in taken if n in records and records[n].state == LEASED]
        if held:
            self._do(*(["back", n, now] for n in held))
            self._free([records[n] for n in held if self._items.get(n) not in sweep.running])

    def _compare(self, sweep: Sweep) -> None:
        """Find where the books and the ParamSweeper differ, and who is right."""
        ended: list[int] = []
        taken: list[int] = []
        left: list[int] = []
        freed = self._books.open.freed if self._books.open else set()
        plan = self._plan
        plan.finish, plan.keep, plan.free = [], [], []
        for n, item in self._items.items():
            record = self._books.records[n]
            if item in sweep.done:
                if record.state != DONE:
                    ended.append(n)
            elif record.state == DONE:
                self._plan.finish.append(item)
            elif record.kept:
                if item in sweep.remaining and item == item:  # noqa: PLR0124 - execo cannot keep NaN, which is not equal
                    self._plan.keep.append(item)
            elif item in sweep.running:
                if n in freed:
                    self._plan.free.append(item)
                elif not record.foreign:
                    taken.append(n)
            elif record.foreign:
                left.append(n)
        if ended:
            self._do(["done", None, time.time(), ended])
        if taken or left:
            self._do(["foreign", taken, left])


def _let_go(error: BaseException) -> None:
    """Close what execo left open: where writing failed, its files are open, and locked, as long as the error lives."""
    if isinstance(error, OSError):
        import traceback
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            traceback.clear_frames(error.__traceback__)


def _server_time(path: str) -> float:
    """Read the clock of whoever keeps the files: it is the same for all hosts."""
    os.utime(path)
    return os.stat(path).st_mtime
