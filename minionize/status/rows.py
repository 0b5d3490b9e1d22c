"""The tables that can be filtered, sorted and written out: what their rows are, and which columns these have.

``tasks`` has a row for each execution, ``failures`` one for each task whose last execution failed; ``minions``, ``nodes`` and
``in-flight`` are what their names say. Durations are seconds, times seconds since the epoch, None is unknown.
"""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from minionize.status.failures import describe
from minionize.status.flat import Fields
from minionize.status.where import Columns, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from minionize.status.executions import Execution
    from minionize.status.failed import FailedTask
    from minionize.status.model import FailureGroup, InFlight, Minion, Node
    from minionize.status.where import Where

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """A column: its name, how it is compared and written, and where its values come from."""

    name: str
    kind: Kind
    of: Callable[[T], Any]


class Table(Generic[T]):
    """A table: its name, the column that ``since`` and ``until`` ask for, and its columns."""

    __slots__ = ("_found", "columns", "filter", "json", "name", "time")

    def __init__(self, name: str, time: str, columns: Sequence[Column[T]]) -> None:
        """Make the table."""
        self.name, self.time, self.columns = name, time, tuple(columns)
        #: The columns as a filter expression knows them, and those whose values are JSON.
        self.filter = Columns({column.name: column.kind for column in columns}, time)
        self.json = [column.name for column in columns if column.kind == "json"]
        self._found = {column.name: column.of for column in columns}

    def value(self, item: T, name: str) -> Any:
        """Return what a row has in a column, or in a field of a JSON column; None where there is nothing."""
        of = self._found.get(name)
        if of is not None:
            return of(item)
        head, _, path = name.partition(".")
        return inner(self._found[head](item), path)

    def having(self, columns: Iterable[Column[T]]) -> Table[T]:
        """Return the same table with other columns."""
        return Table(self.name, self.time, tuple(columns))

    def of(self, item: T) -> Callable[[str], Any]:
        """Return the function from names of columns to the values of a row."""
        return partial(self.value, item)


def inner(value: Any, path: str) -> Any:
    """Find a field of a JSON object by its name, one of an object in it by ``outer.inner``; None where there is none."""
    while isinstance(value, dict):
        if path in value:
            return value[path]
        head, dot, path = path.partition(".")
        if not dot:
            return None
        value = value.get(head)
    return None


def chosen(table: Table[T], items: Iterable[T], where: Where | None) -> Iterator[T]:
    """Yield the rows that a filter lets through; raises UsageError at the end where it asked for a field that none has."""
    if where is None:
        yield from items
        return
    known, nothing, item, fields = Fields(table.json), True, None, where.fields
    for item in items:
        if fields and nothing:
            for name in table.json:
                known.add(name, table.value(item, name))
        if where(table.of(item)):
            nothing = False
            yield item
    if nothing and item is not None:
        known.check(where)


def arranged(table: Table[T], items: Iterable[T], by: str, keep: Callable[[T], Any] = lambda item: item) -> list[Any]:
    """Sort rows by a column: numbers and times largest first, then texts by letter; ``-`` before the name: the other way.

    Rows without a value are last. ``keep`` is what is kept of each row. Raises UsageError for a column that is not there.
    """
    name, reverse = by.removeprefix("-"), by.startswith("-")
    table.filter.find(name)
    numbers: list[tuple[Any, Any]] = []
    texts: list[tuple[Any, Any]] = []
    rest = []
    for item in items:
        value = table.value(item, name)
        if value is None or isinstance(value, (dict, list)):
            rest.append(keep(item))
        else:
            (texts if isinstance(value, str) else numbers).append((value, keep(item)))
    numbers.sort(key=itemgetter(0), reverse=not reverse)
    texts.sort(key=itemgetter(0), reverse=reverse)
    return [kept for _, kept in numbers] + [kept for _, kept in texts] + rest


TASKS: Table[Execution] = Table(
    "tasks",
    "end",
    (
        Column("id", "id", lambda x: x.text("id")),
        Column("attempt", "number", lambda x: x.number("attempt")),
        Column("delivery", "number", lambda x: x.number("delivery")),
        Column("minion", "id", lambda x: x.minion.uid),
        Column("node", "host", lambda x: x.minion.host),
        Column("job", "text", lambda x: job_id(x.minion.job)),
        Column("slot", "number", lambda x: x.number("slot")),
        Column("start", "time", lambda x: x.number("start")),
        Column("end", "time", lambda x: x.end),
        Column("took", "seconds", lambda x: x.took),
        Column("outcome", "text", lambda x: x.outcome),
        Column("error", "text", lambda x: x.error),
        Column("exit", "number", lambda x: x.number("exit")),
        Column("signal", "number", lambda x: x.number("signal")),
        Column("reason", "text", lambda x: x.text("reason")),
        Column("retry_in", "seconds", lambda x: x.number("retry_in")),
        Column("dead", "flag", lambda x: x.get("dead") is True),
        Column("cpu", "seconds", lambda x: x.number("cpu")),
        Column("rss", "number", lambda x: x.number("rss")),
        Column("param", "json", lambda x: x.get("param")),
        Column("result", "json", lambda x: x.get("result")),
    ),
)

FAILURES: Table[FailedTask] = Table(
    "failures",
    "end",
    (
        Column("group", "number", lambda x: x.group.number),
        Column("error", "text", lambda x: x.error),
        Column("kind", "text", lambda x: x.group.cause.kind),
        Column("id", "id", lambda x: x.task.id),
        Column("attempt", "number", lambda x: x.number("attempt")),
        Column("minion", "id", lambda x: x.task.minion),
        Column("node", "host", lambda x: x.task.host),
        Column("end", "time", lambda x: x.task.at),
        Column("took", "seconds", lambda x: x.number("took")),
        Column("outcome", "text", lambda x: x.outcome),
        Column("exit", "number", lambda x: x.number("exit")),
        Column("signal", "number", lambda x: x.number("signal")),
        Column("dead", "flag", lambda x: x.task.dead),
        Column("reason", "text", lambda x: x.text("reason")),
        Column("param", "json", lambda x: x.get("param")),
        Column("stderr", "text", lambda x: (x.text("stderr") or "").rstrip("\n") or None),
    ),
)

#: Groups are sorted by these; what is filtered are the tasks in them.
GROUPS: Table[FailureGroup] = Table(
    "groups of failures",
    "last",
    (
        Column("group", "number", lambda x: x.number),
        Column("count", "number", lambda x: x.size),
        Column("share", "number", lambda x: x.share),
        Column("first", "time", lambda x: x.first),
        Column("last", "time", lambda x: x.last),
        Column("nodes", "number", lambda x: x.hosts),
        Column("error", "text", lambda x: describe(x.cause)),
    ),
)

MINIONS: Table[Minion] = Table(
    "minions",
    "seen",
    (
        Column("minion", "id", lambda x: x.uid),
        Column("node", "host", lambda x: x.host),
        Column("pid", "number", lambda x: x.pid),
        Column("job", "text", lambda x: job_id(x.job)),
        Column("slots", "number", lambda x: x.slots),
        Column("state", "text", lambda x: x.state),
        Column("reason", "text", lambda x: x.reason),
        Column("started", "time", lambda x: x.started),
        Column("seen", "time", lambda x: x.seen),
        Column("up", "seconds", lambda x: x.up),
        Column("done", "number", lambda x: x.done),
        Column("failed", "number", lambda x: x.failed),
        Column("fail_rate", "number", lambda x: x.failed / (x.done + x.failed) if x.done + x.failed else None),
        Column("busy_share", "number", lambda x: x.busy_share),
        Column("running", "number", lambda x: x.running),
    ),
)

NODES: Table[Node] = Table(
    "nodes",
    "last",
    (
        Column("node", "host", lambda x: x.host),
        Column("up", "number", lambda x: x.up),
        Column("minions", "number", lambda x: x.minions),
        Column("done", "number", lambda x: x.done),
        Column("failed", "number", lambda x: x.failed),
        Column("fail_rate", "number", lambda x: x.fail_rate if x.done + x.failed else None),
        Column("p50", "seconds", lambda x: x.p50),
        Column("times_fleet", "number", lambda x: x.times_fleet),
        Column("bad", "flag", lambda x: x.bad),
        Column("last", "time", lambda x: x.last),
    ),
)

IN_FLIGHT: Table[InFlight] = Table(
    "in-flight",
    "start",
    (
        Column("id", "id", lambda x: x.id),
        Column("attempt", "number", lambda x: x.attempt),
        Column("delivery", "number", lambda x: x.delivery),
        Column("minion", "id", lambda x: x.minion),
        Column("node", "host", lambda x: x.host),
        Column("start", "time", lambda x: x.since),
        Column("age", "seconds", lambda x: x.age),
        Column("times_p50", "number", lambda x: x.times_p50),
        Column("state", "text", lambda x: x.state),
        Column("param", "json", lambda x: x.param),
    ),
)


def job_id(job: dict[str, Any]) -> str | None:
    """Name the scheduler's job of a minion as its commands do, an element of Slurm's array as ``12_3``; None outside one."""
    id, array, index = (job.get(name) for name in ("id", "array", "index"))
    if job.get("scheduler") == "slurm" and array is not None and index is not None:
        return f"{array}_{index}"
    return None if id is None else str(id)


def job_words(job: dict[str, Any]) -> str:
    """Name the job, and say in brackets which element of OAR's array it is, and how often it was begun again."""
    words = job_id(job) or "-"
    if job.get("scheduler") == "oar" and "index" in job:
        words += f" [{job['index']}]"
    return f"{words} (restart {job['restarts']})" if job.get("restarts") else words
