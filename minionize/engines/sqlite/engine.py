"""Claim, settle, renew: every exchange is one transaction under the guard."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from minionize import place
from minionize.engines.polling import Polling
from minionize.engines.sqlite.admin import SqliteAdmin
from minionize.engines.sqlite.schema import DEAD, DONE, FRESH, LEASED, WAITING, Translated, id_of
from minionize.engines.sqlite.store import LOOK, T, pack
from minionize.errors import EngineError, NoQueue
from minionize.model import Ack, Bury, Delivery, Gone, Identity, Task, Traits
from minionize.policy import ALONE, DRAIN_MEMORY
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from minionize.model import Nack, Settlement
    from minionize.settings import Settings

#: The longest time between two looks at the file while waiting, in seconds.
_TICK = 0.25

#: Settling what is done, if it is still ours. The plus keeps SQLite from going by the indexes of what it changes.
_SET_DONE = f"UPDATE life SET state = {DONE}, ended = ?, result = ? WHERE"
_OURS = f"AND delivery = ? AND +state = {LEASED} AND +minion = ?"

#: What the class does itself to be made, without the words of each field: half of the time.
_new_task = partial(tuple.__new__, Task)

#: A claimable task: n, id, param, attempt, delivery, crashes.
Row = tuple[int, int | str, str, int, int, int]


class SqliteEngine(Polling, SqliteAdmin):
    """A minion's view of a queue that is one SQLite file."""

    notes: tuple[str, ...] = ()
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
        param_limit=500_000_000,
    )

    def __init__(
        self,
        path: str,
        me: Identity,
        *,
        lease: float = 60.0,
        max_crashes: int = 5,
        create: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the queue at ``path``; raises NoQueue where there is none and ``create`` is not given."""
        Polling.__init__(self)
        SqliteAdmin.__init__(self, path, me, lease=lease, max_crashes=max_crashes, create=create, clock=clock)
        self._deadline = 0.0
        self._suspect: int | None = None  # the task that we hold alone
        self._file = os.path.abspath(path)
        self._inode = _inode(self._file)
        self._closed = False

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue at SQLITE_PATH; refuses a file system that SQLite cannot trust."""
        return cls.at(settings[table.SQLITE_PATH], settings, me, create=create)

    @classmethod
    def at(cls, path: str, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue at ``path``, with the leases that the settings ask for."""
        refuse_remote(path)
        return cls(path, me, lease=settings[table.LEASE], max_crashes=settings[table.MAX_CRASHES], create=create)

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        """Prolong our lease; see :meth:`minionize.engines.base.Engine.renew`."""
        self._check_file()
        return self._write_as_us(lambda: self._renew(held))

    def close(self) -> None:
        """Give back what is held and let go of the file."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._n is not None:
                self._write(self._leave)
        except EngineError:
            pass  # then the end of our lease, or of this process, gives it back
        self._db.close()
        self._guard.close()

    # ------------------------------------------------------------------ settle

    def _ask(self, settled: Sequence[Settlement], limit: int) -> Delivery:
        """Settle and claim in one transaction."""
        lost = self._lost_minions() if limit else ()
        self._check_file()
        return self._write_as_us(lambda: self._trip(settled, limit, lost))

    def _write_as_us(self, body: Callable[[], T]) -> T:
        """Write; where that fails, we are as unknown to the books as we were before."""
        before = self._n, self._deadline
        try:
            return self._write(body)
        except BaseException:
            self._n, self._deadline = before
            raise

    def _check_file(self) -> None:
        """Raise NoQueue where what we would write nobody would ever see."""
        if _inode(self._file) != self._inode:
            raise NoQueue(f"the queue {self.path} was deleted or replaced under this minion.")

    def _trip(self, settled: Sequence[Settlement], limit: int, lost: Sequence[int]) -> Delivery:
        now = self._clock()
        gone = self._settle(settled) if settled else ()
        self._reclaim(now, lost)
        *stock, drain_at = self._db.execute("SELECT waiting, leased, fresh, head, drain_at FROM book").fetchone()
        moved = self._moves
        waiting, leased, fresh = stock[0] + moved[WAITING], stock[1] + moved[LEASED], stock[2] + moved[FRESH]
        drained = drain_at is not None and time.time() - drain_at <= DRAIN_MEMORY
        if limit and not drained and (waiting or fresh):
            tasks = self._claim(limit, now, waiting > 0, stock[3] if fresh else None)
            if tasks:
                return Delivery(tasks, gone)
        due = self._db.execute(f"SELECT min(due) FROM life WHERE state = {WAITING}").fetchone()[0] if waiting else None
        return Delivery(
            gone=gone,
            next_due=None if due is None else max(0.0, due - now),
            state="drain" if drained else "open" if waiting + leased + fresh else "ended",
        )

    def _settle(self, settled: Sequence[Settlement]) -> tuple[Gone, ...]:
        """Settle what is still ours; returns what is not."""
        acks = [settlement for settlement in settled if isinstance(settlement, Ack)]
        done = self._settle_done(acks) if acks else 0
        gone = []
        for settlement in settled:
            if isinstance(settlement, Ack):
                ours = done == len(acks) or self._is_settled(settlement.task)
            else:
                ours = self._settle_failed(settlement) or self._is_settled(settlement.task)
            if not ours:
                gone.append(self._gone(settlement.task))
        return tuple(gone)

    def _settle_done(self, acks: Sequence[Ack]) -> int:
        """Settle what is done; says how many were still ours. Those of one delivery and one result go together."""
        now, me, done = time.time(), self._n or 0, 0
        alike: dict[tuple[int, str | None], list[int]] = {}
        for task, result in acks:
            alike.setdefault((task.delivery, result), []).append(task.handle)
        singly = [(now, result, tasks[0], delivery, me) for (delivery, result), tasks in alike.items() if not tasks[1:]]
        if singly:
            done += self._db.executemany(f"{_SET_DONE} n = ? {_OURS}", singly).rowcount
        for (delivery, result), tasks in alike.items():
            if tasks[1:]:
                tasks.sort()
                in_a_row = tasks == [*range(tasks[0], tasks[-1] + 1)]  # as they mostly are
                which = "n BETWEEN ? AND ?" if in_a_row else "n IN (SELECT value FROM json_each(?))"
                named = (tasks[0], tasks[-1]) if in_a_row else (str(tasks),)
                done += self._db.execute(f"{_SET_DONE} {which} {_OURS}", (now, result, *named, delivery, me)).rowcount
        self._move(LEASED, DONE, done)
        return done

    def _settle_failed(self, settlement: Nack | Bury) -> bool:
        """Give back or bury; says whether the task was still ours."""
        task = settlement.task
        state, due, charge = DEAD, 0.0, False
        if not isinstance(settlement, Bury):
            state, due, charge = WAITING, self._clock() + settlement.delay, settlement.charge
        count = self._db.execute(
            "UPDATE life SET state = ?, due = ?, attempt = attempt + ?, ended = ?, failure = coalesce(?, failure)"
            f" WHERE n = ? AND delivery = ? AND state = {LEASED} AND minion = ?",
            (state, due, charge, time.time(), pack(settlement.failure), task.handle, task.delivery, self._n or 0),
        ).rowcount
        self._move(LEASED, state, count)
        return count > 0

    def _is_settled(self, task: Task) -> bool:
        """Whether we settled this very delivery: then settling it once more changes nothing."""
        row = self._db.execute("SELECT state, delivery, minion FROM life WHERE n = ?", (task.handle,)).fetchone()
        return row is not None and row[0] != LEASED and row[1:] == (task.delivery, self._n)

    def _gone(self, task: Task) -> Gone:
        known = self._db.execute("SELECT 1 FROM task WHERE n = ?", (task.handle,)).fetchone()
        return Gone(task, "lost" if known else "cancelled")

    # ------------------------------------------------------------------ claim

    def _claim(self, limit: int, now: float, waiting: bool, head: int | None) -> tuple[Task, ...]:
        """Claim given-back tasks that are due, then fresh ones behind ``head`` (None: there are none)."""
        if self._suspect is not None and self._holds(self._suspect):
            return ()
        self._suspect = None
        self._register(now)
        rows = self._claim_due(limit, now) if waiting else []
        if rows and rows[0][5] >= ALONE:
            self._suspect = rows[0][0]
        elif head is not None and len(rows) < limit and not (waiting and self._makes_room(now)):
            rows += self._claim_fresh(limit - len(rows), head)
        return tuple(
            [
                _new_task((id_of(key), param, attempt, delivery + 1, crashes, n, ""))
                for n, key, param, attempt, delivery, crashes in rows
            ]
        )

    def _holds(self, task: int | None = None) -> bool:
        """Whether we hold this task, or any."""
        which = "" if task is None else f" AND n = {task}"
        held = f"SELECT 1 FROM life WHERE state = {LEASED} AND minion = ?{which} LIMIT 1"
        return self._db.execute(held, (self._n,)).fetchone() is not None

    def _makes_room(self, now: float) -> bool:
        """Whether a task that must run alone has waited for a lease: then we take nothing else until we hold nothing."""
        row = self._db.execute(
            f"SELECT crashes, due FROM life WHERE state = {WAITING} AND due <= ? ORDER BY due, n LIMIT 1", (now,)
        ).fetchone()
        return row is not None and row[0] >= ALONE and now - row[1] > self._lease and self._holds()

    def _claim_due(self, limit: int, now: float) -> list[Row]:
        rows, since = self._due(limit, now), time.time()
        self._db.executemany(
            f"UPDATE life SET state = {LEASED}, delivery = delivery + 1, minion = ?, since = ? WHERE n = ?",
            [(self._n, since, row[0]) for row in rows],
        )
        self._move(WAITING, LEASED, len(rows))
        return rows

    def _due(self, limit: int, now: float) -> list[Row]:
        """Find one that must run alone, where it is next and we hold nothing; else those that need not."""
        select = (
            "SELECT n, id, param, attempt, delivery, crashes FROM life JOIN task USING (n)"
            f" WHERE state = {WAITING} AND due <= ?"
        )
        if not self._holds():
            first: list[Row] = self._db.execute(f"{select} ORDER BY due, n LIMIT 1", (now,)).fetchall()
            if not first or first[0][5] >= ALONE:
                return first
        elif self._makes_room(now):
            return []
        return self._db.execute(f"{select} AND crashes < {ALONE} ORDER BY due, n LIMIT ?", (now, limit)).fetchall()

    def _claim_fresh(self, limit: int, head: int) -> list[Row]:
        """Take tasks that were never handed out, from the head of the line; their lives begin."""
        rows: list[Row] = self._db.execute(
            "SELECT n, id, param, 1, 0, 0 FROM task WHERE n > ? ORDER BY n LIMIT ?", (head, limit)
        ).fetchall()
        if rows:
            last = rows[-1][0]
            self._db.execute(
                f"INSERT INTO life SELECT n, {LEASED}, 0, 1, 0, 1, ?, ?, NULL, NULL, NULL FROM task WHERE n > ? AND n <= ?",
                (self._n, time.time(), head, last),
            )
            self._db.execute("UPDATE book SET head = ?", (last,))
            self._move(FRESH, LEASED, len(rows))
        return rows

    # ------------------------------------------------------------------ our lease

    def _register(self, now: float) -> None:
        """Make sure that the books know us, and that our lease has most of its length before it."""
        if self._n is None:
            me = self._me
            self._db.execute(
                "INSERT OR IGNORE INTO minion(uid, host, pid, start, boot, namespace, preemptible)"
                " VALUES(?, ?, ?, ?, ?, ?, ?)",
                (me.uid, me.host, me.pid, me.start, me.boot, me.namespace, me.preemptible),
            )
            self._n = int(self._db.execute("SELECT n FROM minion WHERE uid = ?", (me.uid,)).fetchone()[0])
        if self._deadline - now < self._lease * 2 / 3:
            self._prolong(now)

    def _prolong(self, now: float) -> None:
        self._deadline = now + self._lease
        self._db.execute("UPDATE minion SET deadline = ? WHERE n = ?", (self._deadline, self._n))

    def _renew(self, held: Sequence[Task]) -> list[Gone]:
        if self._n is None:
            return [self._gone(task) for task in held]
        ours = set(
            self._db.execute(
                f"SELECT n, delivery FROM life WHERE state = {LEASED} AND minion = ?", (self._n,)
            ).fetchall()
        )
        named = {(task.handle, task.delivery): task for task in held}
        self._give_back([n for n, delivery in ours if (n, delivery) not in named])
        self._prolong(self._clock())
        return [self._gone(task) for key, task in named.items() if key not in ours]

    def _leave(self) -> None:
        rows = self._db.execute(f"SELECT n FROM life WHERE state = {LEASED} AND minion = ?", (self._n,)).fetchall()
        self._give_back([row[0] for row in rows])
        self._db.execute("UPDATE minion SET deadline = NULL WHERE n = ?", (self._n,))

    def _doze(self, left: float, next_due: float | None, tick: float) -> tuple[bool, float]:
        """Wait until something may have changed: another process wrote, a task or a look is due, or the bell rang."""
        # One that is due and was not claimed must run alone: then our next settlement changes something, not the time.
        end = self._clock() + min(left, LOOK, next_due or LOOK)
        with Translated(self.path):
            version = self._db.execute("PRAGMA data_version").fetchone()
            while (now := self._clock()) < end:
                if self._bell.acquire(timeout=min(tick, end - now)):
                    return True, tick
                tick = min(tick * 2, _TICK)
                if self._db.execute("PRAGMA data_version").fetchone() != version:
                    return False, self.first_tick
        return False, tick


def refuse_remote(path: str) -> None:
    """Raise EngineError where ``path`` is on a file system that SQLite cannot trust."""
    kind = place.filesystem(path)
    if not place.is_local(kind):
        raise EngineError(
            f"the queue {path} is on a {kind} file system, where SQLite loses or repeats tasks: the locks or the caches"
            f" of different machines do not agree there.\n  Put it on a local disk:  SQLITE_PATH=/tmp/minion-queue.db"
        )


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
