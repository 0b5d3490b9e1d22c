"""Put, list, retry, release, remove, drain: what people do to the queue."""

from __future__ import annotations

import sqlite3
import time
from json import loads
from typing import TYPE_CHECKING, Any

from minionize.engines.sqlite.schema import DEAD, DONE, FRESH, LEASED, WAITING, Translated, id_of, key_of, new_uuid
from minionize.engines.sqlite.store import Store
from minionize.errors import UsageError
from minionize.model import Control, Entry, Failure, Put
from minionize.policy import DRAIN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from minionize.model import NewTask, State

_ENTRY = (
    "SELECT task.n, id, param, state, due, coalesce(attempt, 1), coalesce(delivery, 0), coalesce(crashes, 0), uid, host,"
    " since, ended, failure, result FROM task LEFT JOIN life ON life.n = task.n"
    " LEFT JOIN minion ON minion.n = abs(life.minion)"
)
#: Where a put collects its tasks before it takes the guard: those that are new, and those with a history.
_COLLECTION = """
PRAGMA temp.cache_size = -16000;
CREATE TEMP TABLE new(n INTEGER PRIMARY KEY, id, param);
CREATE TEMP TABLE past(n INTEGER PRIMARY KEY, id, param, attempt INTEGER, crashes INTEGER, due REAL);
"""
_STATES = {LEASED: "leased", DONE: "done", DEAD: "dead"}
#: Rows read at a time: a listing may be long, and its reader slow.
_PAGE = 1000


class SqliteAdmin(Store):
    """The half of the engine that people use, by ``minion-queue`` and ``minion-status``."""

    # ------------------------------------------------------------------ put

    def put(self, new: Iterable[NewTask]) -> Put:
        """Add tasks, all or none.

        They are first collected in a table of this connection's own, on disk where they are many: a slow source keeps
        no minion waiting, and one that fails leaves nothing.
        """
        with Translated(self.path):
            self._db.executescript(_COLLECTION)
            try:
                self._db.execute("BEGIN")
                self._db.executemany("INSERT INTO temp.new(id, param) VALUES(?, ?)", self._collect(new))
                self._db.execute("COMMIT")
                return self._write(self._add)
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._db.executescript("DROP TABLE IF EXISTS temp.new; DROP TABLE IF EXISTS temp.past")

    def _collect(self, new: Iterable[NewTask]) -> Iterator[tuple[int | str, str]]:
        """Give the tasks that have no history; put aside those that bring one from another queue."""
        for id, param, attempt, crashes, due, _ in new:
            if attempt == 1 and not crashes and not due:
                yield key_of(id), param
            else:
                row = (key_of(id), param, attempt, crashes, due)
                self._db.execute("INSERT INTO temp.past(id, param, attempt, crashes, due) VALUES(?, ?, ?, ?, ?)", row)

    def _add(self) -> Put:
        """Move the collected tasks in."""
        ask = self._db.execute
        empty = ask("SELECT 1 FROM task LIMIT 1").fetchone() is None
        known = {} if empty else self._known()
        if empty:  # building the index afterwards costs a third of keeping it up to date
            ask("DROP INDEX task_id")
        tail, low = ask("SELECT tail, low FROM book").fetchone()
        fresh = ask("INSERT OR IGNORE INTO task SELECT ? + n, id, param FROM temp.new", (tail,)).rowcount
        if empty:
            fresh -= self._index()
        past = ask("INSERT OR IGNORE INTO task SELECT ? - n, id, param FROM temp.past", (low,)).rowcount
        if past:
            ask(
                f"INSERT INTO life SELECT task.n, {WAITING}, ? + max(0, due - ?), attempt, crashes, 0,"
                " NULL, NULL, NULL, NULL, NULL FROM task JOIN temp.past ON past.n = ? - task.n WHERE task.n < ?",
                (self._clock(), time.time(), low, low),
            )
        ask(
            "UPDATE book SET tail = tail + (SELECT coalesce(max(n), 0) FROM temp.new),"
            " low = low - (SELECT coalesce(max(n), 0) FROM temp.past)"
        )
        self._move(None, FRESH, fresh)
        self._move(None, WAITING, past)
        return Put(fresh + past, known)

    def _index(self) -> int:
        """Build the index of ids; says how many tasks stood twice in this put, of which the first ones stay."""
        try:
            self._db.execute("CREATE UNIQUE INDEX task_id ON task(id)")
        except sqlite3.IntegrityError:
            twice = self._db.execute("DELETE FROM task WHERE n NOT IN (SELECT min(n) FROM task GROUP BY id)").rowcount
            self._db.execute("CREATE UNIQUE INDEX task_id ON task(id)")
            return twice
        return 0

    def _known(self) -> dict[str, int]:
        """Count, by state, those of the collected tasks that the queue has already."""
        rows = self._db.execute(
            "SELECT life.state, max(life.due), count(*)"
            " FROM (SELECT id FROM temp.new UNION ALL SELECT id FROM temp.past) JOIN task USING (id)"
            " LEFT JOIN life ON life.n = task.n"
            " GROUP BY life.state, life.due > ?",
            (self._clock(),),
        ).fetchall()
        known: dict[str, int] = {}
        for state, due, count in rows:
            name = self._state(state, due)
            known[name] = known.get(name, 0) + count
        return known

    # ------------------------------------------------------------------ looking

    def list(self, state: State | None = None, limit: int | None = None) -> Iterator[Entry]:
        """List tasks, oldest first, of one state or of all."""
        condition = {
            None: "1",
            "pending": f"(state IS NULL OR (state = {WAITING} AND due <= :now))",
            "delayed": f"state = {WAITING} AND due > :now",
            "leased": f"state = {LEASED}",
            "done": f"state = {DONE}",
            "dead": f"state = {DEAD}",
        }[state]
        left, after = (1 << 62) if limit is None else limit, -(1 << 62)
        while left > 0:
            with Translated(self.path):
                rows = self._db.execute(
                    f"{_ENTRY} WHERE {condition} AND task.n > :after ORDER BY task.n LIMIT :page",
                    {"now": self._clock(), "after": after, "page": min(_PAGE, left)},
                ).fetchall()
            if not rows:
                return
            yield from map(self._entry, rows)
            after, left = rows[-1][0], left - len(rows)

    def get(self, id: str) -> Entry | None:
        """Find a task by its id or by the beginning of it; raises UsageError where several have it."""
        n = self._find(id)
        if n is None:
            return None
        with Translated(self.path):
            return self._entry(self._db.execute(f"{_ENTRY} WHERE task.n = ?", (n,)).fetchone())

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave."""
        with Translated(self.path):
            who, at = self._db.execute("SELECT drain_who, drain_at FROM book").fetchone()
        return None if at is None or time.time() - at > DRAIN_MEMORY else Control(who, at)

    def _find(self, id: str) -> int | None:
        """Find the place of a task by its id or a unique beginning of it."""
        with Translated(self.path):
            row = self._db.execute("SELECT n FROM task WHERE id = ?", (key_of(id),)).fetchone()
            if row:
                return int(row[0])
            rows = self._db.execute("SELECT n, id FROM task WHERE id BETWEEN ? AND ? LIMIT 2", _range(id)).fetchall()
            rows += self._db.execute(
                "SELECT n, id FROM task WHERE id >= ? AND substr(id, 1, ?) = ? AND typeof(id) = 'text' LIMIT 2",
                (id, len(id), id),
            ).fetchall()
        if len(rows) > 1:
            raise UsageError(
                f"{id} is the beginning of more than one task id: {', '.join(id_of(row[1]) for row in rows)}"
            )
        return int(rows[0][0]) if rows else None

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        _, key, param, state, due, attempt, delivery, crashes, uid, host, since, ended, failure, result = row
        name = self._state(state, due)
        return Entry(
            id=id_of(key),
            param=param,
            state=name,
            attempt=attempt,
            delivery=delivery,
            crashes=crashes,
            due=time.time() + due - self._clock() if name == "delayed" else None,
            minion=uid,
            host=host,
            since=since,
            ended=ended,
            failure=Failure(**loads(failure)) if failure else None,
            result=result,
        )

    def _state(self, state: int | None, due: float | None) -> State:
        if state is None or state == WAITING:
            return "delayed" if due is not None and due > self._clock() else "pending"
        return _STATES[state]  # type: ignore[return-value]

    # ------------------------------------------------------------------ changing

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Put dead tasks back as if new."""
        return self._on(ids, f"SELECT n FROM life WHERE state = {DEAD}", self._retry)

    def release(self, ids: Sequence[str] | None = None) -> int:
        """Give back held tasks: those named, or all that are held by lost minions."""
        if ids is not None:
            return self._on(ids, "", lambda n: self._give_back([n]))
        lost = self._lost_minions()
        return self._write(lambda: self._reclaim(self._clock(), lost))

    def remove(self, ids: Sequence[str] | None = None) -> int:
        """Take tasks off the books."""
        return self._write(self._clear) if ids is None else self._on(ids, "", self._remove)

    def control(self, drain: Control | None) -> None:
        """Ask all minions of this queue to leave, or take that back."""
        who, at = (drain.who, drain.at) if drain else (None, None)
        self._write(lambda: self._db.execute("UPDATE book SET drain_who = ?, drain_at = ?", (who, at)))

    def _on(self, ids: Sequence[str] | None, every: str, act: Callable[[int], int]) -> int:
        """Apply ``act`` to the named tasks, or to all that ``every`` selects."""
        if ids is None:
            return self._write(lambda: sum(act(row[0]) for row in self._db.execute(every).fetchall()))
        places = [(id, self._find(id)) for id in ids]
        unknown = [id for id, n in places if n is None]
        if unknown:
            raise UsageError(f"there is no task {', '.join(unknown)} in {self.path}.\n  See them:  minion-queue list")
        return self._write(lambda: sum(act(n) for _, n in places if n is not None))

    def _retry(self, n: int) -> int:
        count = self._db.execute(
            f"UPDATE life SET state = {WAITING}, due = ?, attempt = 1, crashes = 0 WHERE n = ? AND state = {DEAD}",
            (self._clock(), n),
        ).rowcount
        self._move(DEAD, WAITING, count)
        return count

    def _remove(self, n: int) -> int:
        row = self._db.execute("SELECT state FROM life WHERE n = ?", (n,)).fetchone()
        self._db.execute("DELETE FROM life WHERE n = ?", (n,))
        count = self._db.execute("DELETE FROM task WHERE n = ?", (n,)).rowcount
        self._move(row[0] if row else FRESH, None, count)
        return count

    def _clear(self) -> int:
        count = self._db.execute("SELECT fresh + waiting + leased + done + dead FROM book").fetchone()[0]
        self._db.execute("DELETE FROM task")
        self._db.execute("DELETE FROM life")
        # Ids and deliveries begin anew, so what is recorded from now on belongs to another queue than what was before.
        self.queue = new_uuid()
        self._db.execute("UPDATE meta SET value = ? WHERE key = 'uuid'", (self.queue,))
        # The numbering goes on, so that what a minion still holds of before is never taken for a task of after.
        self._db.execute("UPDATE book SET head = tail, fresh = 0, waiting = 0, leased = 0, done = 0, dead = 0")
        return int(count)


def _range(prefix: str) -> tuple[int, int]:
    """Bound the keys of the ids that begin with ``prefix``; an empty range where it is not the beginning of one."""
    try:
        low, high = int(prefix.ljust(16, "0"), 16), int(prefix.ljust(16, "f"), 16)
    except ValueError:
        return 1, 0
    return (low - 2**63, high - 2**63) if prefix and len(prefix) <= 16 else (1, 0)
