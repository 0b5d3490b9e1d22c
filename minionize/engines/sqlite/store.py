"""Transactions, the books, and what is taken back from lost minions: what minions and people have in common."""

from __future__ import annotations

import time
from json import dumps
from typing import TYPE_CHECKING, TypeVar

from minionize import processes
from minionize.engines.sqlite.schema import COLUMNS, DEAD, LEASED, WAITING, Translated, connect
from minionize.model import Counts, Failure, Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

#: Seconds between two looks whether the processes that hold tasks are still there.
LOOK = 1.0


class Store:
    """The open file."""

    def __init__(
        self, path: str, me: Identity, *, lease: float, max_crashes: int, create: bool, clock: Callable[[], float]
    ) -> None:
        """Open the queue at ``path``; raises NoQueue where there is none and ``create`` is not given."""
        self.path = self.where = path
        self._me, self._lease, self._max_crashes, self._clock = me, lease, max_crashes, clock
        self._db, self._guard = connect(path, create=create, boot=me.boot)
        self.queue = str(self._db.execute("SELECT value FROM meta WHERE key = 'uuid'").fetchone()[0])
        self._n: int | None = None  # our row in the table of minions
        self._looked = -LOOK
        self._moves = [0] * len(COLUMNS)

    def counts(self) -> Counts:
        """Read the books: one row, and the delayed ones by their index."""
        with Translated(self.path):
            row = self._db.execute(
                f"SELECT fresh + waiting, (SELECT count(*) FROM life WHERE state = {WAITING} AND due > ?),"
                " leased, done, dead FROM book",
                (self._clock(),),
            ).fetchone()
        return Counts(row[0] - row[1], *row[1:])

    # ------------------------------------------------------------------ transactions

    def _write(self, body: Callable[[], T]) -> T:
        """Run ``body`` as one transaction under the guard, the books brought up to date at its end."""
        with Translated(self.path):
            self._guard.acquire()
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    result = body()
                    if any(self._moves):
                        self._db.execute(_MOVE, self._moves)
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
                finally:
                    self._moves = [0] * len(COLUMNS)
            finally:
                self._guard.release()
        return result

    def _move(self, old: int | None, new: int | None, count: int = 1) -> None:
        """Enter in the books that ``count`` tasks went from one state to another; None is outside of the queue."""
        if old is not None:
            self._moves[old] -= count
        if new is not None:
            self._moves[new] += count

    def _give_back(self, tasks: Sequence[int]) -> int:
        """Let go of held tasks, not charged; says how many were held.

        The last holder is marked as such, by a minus: should it settle late, it is refused.
        """
        now = self._clock()
        count = self._db.executemany(
            f"UPDATE life SET state = {WAITING}, due = ?, minion = -minion WHERE n = ? AND state = {LEASED}",
            [(now, n) for n in tasks],
        ).rowcount
        count = max(0, count)
        self._move(LEASED, WAITING, count)
        return count

    # ------------------------------------------------------------------ lost minions

    def _lost_minions(self) -> tuple[int, ...]:
        """Look, once a second, which minions' processes are gone, and end what they may have left running here."""
        now = self._clock()
        if now - self._looked < LOOK:
            return ()
        self._looked = now
        with Translated(self.path):
            rows = self._db.execute(
                "SELECT n, uid, host, pid, start, boot, namespace FROM minion WHERE deadline IS NOT NULL"
            ).fetchall()
        lost = [row for row in rows if row[0] != self._n and processes.is_gone(Identity(*row[1:]), self._me)]
        for row in lost:
            processes.kill_all(row[1])
        return tuple(row[0] for row in lost)

    def _reclaim(self, now: float, lost: Sequence[int]) -> int:
        """Take back what lost minions hold: those seen to be gone, and those whose lease is over; says how many tasks."""
        ended = self._db.execute("SELECT n FROM minion WHERE deadline < ?", (now,)).fetchall()
        count = 0
        for n in {row[0] for row in ended}.union(lost) - {self._n}:
            uid, host, preemptible = self._db.execute(
                "SELECT uid, host, preemptible FROM minion WHERE n = ?", (n,)
            ).fetchone()
            held = self._db.execute(
                f"SELECT n, crashes FROM life WHERE state = {LEASED} AND minion = ?", (n,)
            ).fetchall()
            for task, crashes in held:
                self._count_crash(task, crashes + (not preemptible), uid, host, now)
            self._db.execute("UPDATE minion SET deadline = NULL WHERE n = ?", (n,))
            count += len(held)
        return count

    def _count_crash(self, task: int, crashes: int, uid: str, host: str, now: float) -> None:
        state, failure = WAITING, None
        if crashes >= self._max_crashes:
            state, reason = DEAD, f"{crashes} minions vanished with it, the last one on {host}"
            failure = pack(Failure("crash", reason, minion=uid, host=host, at=time.time()))
        self._db.execute(
            "UPDATE life SET state = ?, due = ?, crashes = ?, ended = ?, minion = -minion, failure = coalesce(?, failure)"
            " WHERE n = ?",
            (state, now, crashes, time.time(), failure, task),
        )
        self._move(LEASED, state)


def pack(failure: Failure | None) -> str | None:
    """Write a failure as the JSON text that the file keeps."""
    return None if failure is None else dumps(failure._asdict())


_MOVE = "UPDATE book SET " + ", ".join(f"{name} = {name} + ?" for name in COLUMNS)
