"""What each tab shows: its rows, and which columns these have. Nothing here knows of a terminal."""

from __future__ import annotations

from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any

from minionize.status import rows, words
from minionize.status.executions import Execution, executions
from minionize.status.failed import FailedTask
from minionize.status.ledger import DONE
from minionize.status.text import concentrated
from minionize.status.top import cells
from minionize.status.top.cells import Cell
from minionize.status.top.journal import LOG_TABLE

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from minionize.status.failures import Cause
    from minionize.status.model import FailureGroup, InFlight, Minion
    from minionize.status.top.snapshot import Snapshot

#: So many executions are looked at, the newest or the slowest: beyond, a filter would read a run's whole history each time.
LOOKED_AT = 10_000
_ALIVE_FIRST = {"busy": 0, "idle": 0, "lost": 1, "ended": 2}


class View:
    """A tab, or the list behind a row of one. ``order``: the column that sorts it at first; ``tail``: newest last."""

    name: str
    title = ""
    order = ""
    empty = ""
    tail = False
    cells: tuple[Cell, ...]

    def table(self, shot: Snapshot) -> rows.Table[Any]:
        """Return the columns that can be sorted by and shown."""
        raise NotImplementedError

    def filtered(self, shot: Snapshot) -> rows.Table[Any]:
        """Return the columns that a filter may name."""
        return self.table(shot)

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Iterable[Any]:
        """Yield the rows, in their own order; so many suffice. ``cause`` is the group whose tasks are wanted."""
        raise NotImplementedError

    def key(self, item: Any) -> Hashable:
        """Return what a row is known by when all is read again."""
        raise NotImplementedError

    def total(self, shot: Snapshot, cause: Cause | None) -> int:
        """Say how many rows there are."""
        return sum(1 for _ in self.items(shot, cause, LOOKED_AT))

    def looked_through(self, shot: Snapshot, cause: Cause | None) -> int:
        """Say how many rows a filter would have to look at."""
        return self.total(shot, cause)

    def count(self, shot: Snapshot) -> int | None:
        """Say how many there are, for the tab's title; None says nothing."""
        return None


class _InFlight(View):
    name, title, order, empty = "in-flight", "In flight", "age", "nothing is in flight"
    cells = (
        Cell("AGE", "age", cells.took, right=True),
        Cell("xP50", "times_p50", cells.times, right=True, spare=2),
        cells.TRY,
        cells.PARAM,
        cells.MINION,
        cells.NODE,
        cells.JOB,
        Cell("STATE", "shown", cells.plain, color=cells.state_color),
    )

    def table(self, shot: Snapshot) -> rows.Table[InFlight]:
        def job(task: InFlight) -> str | None:
            minion = shot.minions.get(task.minion)
            return rows.job_id(minion.job) if minion else None

        def shown(task: InFlight) -> str:
            minion = shot.minions.get(task.minion)
            if task.state != "lost" or minion is None:
                return task.state
            return f"lost {words.age(shot.now - minion.seen)} ago"

        return _with(rows.IN_FLIGHT, rows.Column("job", "text", job), rows.Column("shown", "text", shown))

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Sequence[InFlight]:
        return shot.status.in_flight

    def key(self, item: InFlight) -> Hashable:
        return item.id, item.delivery

    def count(self, shot: Snapshot) -> int | None:
        return len(shot.status.in_flight) or shot.status.counts.leased


class _Failures(View):
    """Groups: sorted by what a group is, filtered by what its tasks are."""

    name, title, order, empty = "failures", "Failures", "count", "no failures"
    cells = (
        Cell("#", "group", cells.whole, right=True),
        Cell("COUNT", "count", cells.whole, right=True),
        Cell("SHARE", "share", cells.rounded, right=True, spare=2),
        Cell("FIRST", "first", cells.ago, right=True, spare=3),
        Cell("LAST", "last", cells.ago, right=True),
        Cell("NODES", "nodes", cells.whole, right=True, spare=1),
        Cell("ERROR", "error", cells.plain, grows=True, color=cells.red),
        Cell("MOSTLY", "mostly", cells.plain, spare=4),
    )

    def table(self, shot: Snapshot) -> rows.Table[FailureGroup]:
        return _with(rows.GROUPS, rows.Column("mostly", "text", _mostly))

    def filtered(self, shot: Snapshot) -> rows.Table[FailedTask]:
        return rows.FAILURES

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Sequence[FailureGroup]:
        return shot.status.failures

    def key(self, item: FailureGroup) -> Hashable:
        return item.cause

    def looked_through(self, shot: Snapshot, cause: Cause | None) -> int:
        return self.count(shot)

    def count(self, shot: Snapshot) -> int:
        return sum(group.size for group in shot.status.failures)


class _Failed(View):
    """The tasks of a group."""

    name, order = "failed", "end"
    empty = "none of this group is left: they were put back, or done since"
    cells = (
        Cell("WHEN", "end", cells.time, right=True),
        Cell("TOOK", "took", cells.took, right=True, spare=2),
        cells.TRY,
        cells.PARAM,
        cells.NODE,
        Cell("MINION", "minion", cells.short, spare=4),
        Cell("EXIT", "exit", cells.whole, right=True, spare=5),
        Cell("STATE", "dead", cells.dead, color=cells.red),
    )

    def table(self, shot: Snapshot) -> rows.Table[FailedTask]:
        return rows.FAILURES

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Sequence[FailedTask]:
        group = next((group for group in shot.status.failures if group.cause == cause), None)
        return [FailedTask(group, task, shot.files) for task in group.tasks] if group else []

    def key(self, item: FailedTask) -> Hashable:
        return item.task.id


class _Minions(View):
    name, title, empty = "minions", "Minions", "no minion has reported"
    cells = (
        cells.MINION,
        cells.NODE,
        cells.JOB,
        Cell("STATE", "shown", cells.plain, color=cells.state_color),
        Cell("UP", "up", cells.length, right=True),
        Cell("DONE", "done", cells.whole, right=True),
        Cell("FAIL", "failed", cells.whole, right=True),
        Cell("FAIL%", "fail_rate", cells.percent, right=True),
        Cell("RATE/h", "rate", cells.whole, right=True, spare=2),
        Cell("BUSY%", "busy_share", cells.rounded, right=True),
        Cell("NOW", "now", cells.param, grows=True, spare=3),
        Cell("AGE", "age", cells.took, right=True, spare=4),
    )

    def table(self, shot: Snapshot) -> rows.Table[Minion]:
        def now(minion: Minion) -> Any:
            task = shot.at_work.get(minion.uid)
            return task.param if task else None

        def age(minion: Minion) -> float | None:
            task = shot.at_work.get(minion.uid)
            return task.age if task else None

        return _with(
            rows.MINIONS,
            rows.Column("rate", "number", lambda m: (m.done + m.failed) / m.up * 3600 if m.up else None),
            rows.Column("now", "json", now),
            rows.Column("age", "seconds", age),
            rows.Column("shown", "text", lambda m: f"ended: {m.reason}" if m.reason else m.state),
        )

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Sequence[Minion]:
        return sorted(shot.status.minions, key=lambda minion: _ALIVE_FIRST[minion.state])

    def key(self, item: Minion) -> Hashable:
        return item.uid

    def count(self, shot: Snapshot) -> int:
        return len(shot.status.minions)


class _Nodes(View):
    name, title, empty = "nodes", "Nodes", "no minion has reported"
    cells = (
        Cell("NODE", "node", cells.plain, grows=True),
        Cell("UP", "up", cells.whole, right=True),
        Cell("SEEN", "minions", cells.whole, right=True),
        Cell("DONE", "done", cells.whole, right=True),
        Cell("FAIL", "failed", cells.whole, right=True),
        Cell("FAIL%", "fail_rate", cells.percent, right=True),
        Cell("P50", "p50", cells.took, right=True),
        Cell("xFLEET", "times_fleet", cells.times, right=True),
        Cell("LAST", "last", cells.ago, right=True),
        Cell("BAD", "bad", cells.bad, color=cells.red),
    )

    def table(self, shot: Snapshot) -> rows.Table[Any]:
        return rows.NODES

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Sequence[Any]:
        return shot.status.nodes

    def key(self, item: Any) -> Hashable:
        return str(item.host)

    def count(self, shot: Snapshot) -> int:
        return len(shot.status.nodes)


class _Executions(View):
    """Executions that were done, those with the highest values in a column of the ledger."""

    empty = "nothing is done yet"
    column: str

    def table(self, shot: Snapshot) -> rows.Table[Execution]:
        done = shot.status.durations.done
        p50 = done.p50 if done else 0.0
        return _with(rows.TASKS, rows.Column("times_p50", "number", lambda x: x.took / p50 if p50 else None))

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Iterable[Execution]:
        ledger, mine = shot.ledger, shot.mine
        done = (row for row in range(shot.rows) if ledger.outcome[row] == DONE and mine[ledger.minion[row]])
        best = nlargest(most, done, key=getattr(ledger, self.column).__getitem__)
        return executions(shot.files, sorted(best))  # in this order they are read file by file

    def key(self, item: Execution) -> Hashable:
        return item.row

    def total(self, shot: Snapshot, cause: Cause | None) -> int:
        done = shot.status.durations.done
        return done.n if done else 0


class _Slowest(_Executions):
    name, title, order, column = "slowest", "Slowest", "took", "took"
    cells = (
        Cell("TOOK", "took", cells.took, right=True),
        Cell("xP50", "times_p50", cells.times, right=True),
        cells.PARAM,
        cells.NODE,
        cells.MINION,
        Cell("WHEN", "end", cells.time, right=True, spare=1),
    )


class _Done(_Executions):
    name, title, order, column = "done", "Done", "end", "ended"
    cells = (
        Cell("WHEN", "end", cells.time, right=True),
        Cell("TOOK", "took", cells.took, right=True),
        Cell("xP50", "times_p50", cells.times, right=True, spare=4),
        cells.TRY,
        cells.PARAM,
        Cell("RESULT", "result", cells.param, spare=2),
        cells.NODE,
        cells.MINION._replace(spare=1),
    )

    def count(self, shot: Snapshot) -> int:
        return self.total(shot, None)


class _Log(View):
    name, title, order, empty, tail = "log", "Log", "-at", "nothing has happened", True
    cells = (
        Cell("WHEN", "at", cells.time, right=True),
        Cell("MINION", "minion", cells.short),
        Cell("WHAT", "what", cells.plain, grows=True),
    )

    def table(self, shot: Snapshot) -> rows.Table[Any]:
        return LOG_TABLE

    def items(self, shot: Snapshot, cause: Cause | None, most: int) -> Sequence[Any]:
        return shot.log

    def key(self, item: Any) -> Hashable:
        return item  # type: ignore[no-any-return]  # an entry of the log is a tuple of texts


IN_FLIGHT, FAILURES, FAILED, MINIONS, LOG = _InFlight(), _Failures(), _Failed(), _Minions(), _Log()
#: In the order of their keys, 1 to 7.
TABS: tuple[View, ...] = (IN_FLIGHT, FAILURES, MINIONS, _Nodes(), _Slowest(), _Done(), LOG)


def failed_tasks(shot: Snapshot) -> Iterable[FailedTask]:
    """Yield the failed tasks that a filter of the groups looks at."""
    every = (FailedTask(group, task, shot.files) for group in shot.status.failures for task in group.tasks)
    return islice(every, LOOKED_AT)


def _mostly(group: FailureGroup) -> str:
    return f"{group.top_share:.0%} {group.top_host.split('.')[0]}" if concentrated(group) else ""


def _with(table: rows.Table[Any], *more: rows.Column[Any]) -> rows.Table[Any]:
    names = {column.name for column in table.columns}
    return table.having((*table.columns, *(column for column in more if column.name not in names)))
