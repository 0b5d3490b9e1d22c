"""The lists behind the screen: failures, what is in flight, minions, nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from minionize.masks import mask
from minionize.status import words
from minionize.status.failures import describe
from minionize.status.rows import job_words
from minionize.status.safe import pad, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.status.executions import Execution
    from minionize.status.model import Failed, FailureGroup, Minion, Status
    from minionize.status.read import EventFiles
    from minionize.status.style import Style

T = TypeVar("T")

LEFT, RIGHT = False, True
#: A column that does not grow is cut at this width.
_WIDEST = 24


class Column(NamedTuple):
    """A column of a table; the one that ``grows`` takes the room that others leave."""

    name: str
    right: bool = LEFT
    grows: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], style: Style) -> list[str]:
    """Draw a header and rows that fit the style's width."""
    cells = [
        [style.cut(cell, _WIDEST if not c.grows else style.columns) for c, cell in zip(columns, row, strict=True)]
        for row in rows
    ]
    widths = [max([width(c.name), *(width(row[i]) for row in cells)]) for i, c in enumerate(columns)]
    over = sum(widths) + 2 * (len(columns) - 1) - style.columns
    if over > 0:
        widths = [max(12, w - over) if c.grows else w for c, w in zip(columns, widths, strict=True)]

    def draw(row: Sequence[str]) -> str:
        shown = [style.cut(cell, w) for cell, w in zip(row, widths, strict=True)]
        return "  ".join(
            cell.rjust(w) if c.right else pad(cell, w) for c, cell, w in zip(columns, shown, widths, strict=True)
        )

    return [style.line((draw([c.name for c in columns]), "dim")), *(style.line(draw(row)) for row in cells)]


def failure_list(status: Status, style: Style, limit: int) -> list[str]:
    """List the groups of failures; ``limit`` 0 lists all."""
    if not status.failures:
        return ["no failures"]
    now = status.run.now
    columns = (
        Column("#", RIGHT), Column("COUNT", RIGHT), Column("SHARE", RIGHT), Column("FIRST", RIGHT), Column("LAST", RIGHT),
        Column("NODES", RIGHT), Column("ERROR", grows=True),
    )  # fmt: skip
    rows = [
        (
            str(g.number), style.number(g.size), f"{g.share:.0%}", words.age(now - g.first), words.age(now - g.last),
            str(g.hosts), describe(g.cause),
        )
        for g in _limited(status.failures, limit)
    ]  # fmt: skip
    lines = table(columns, rows, style) + _left_out(status.failures, limit, style)
    return [*lines, "", style.line("the params of one group, with stderr: minion-status --failures 1")]


def failure_detail(status: Status, events: EventFiles, group: FailureGroup, style: Style, limit: int) -> list[str]:
    """Show one group: its tasks in their order, and the stderr of the newest."""
    tasks = _limited(group.tasks, limit)
    newest = max(group.tasks, key=lambda task: task.at)
    facts_of_newest = failed_facts(newest, events)
    facts = [failed_facts(task, events) for task in tasks]
    columns = (
        Column("WHEN"), Column("TOOK", RIGHT), Column("TRY", RIGHT), Column("PARAM", grows=True), Column("NODE"),
        Column("MINION"), Column("ID"),
    )  # fmt: skip
    rows = [
        (
            style.time(task.at, status.run.now), fact.took, fact.attempt, words.param_words(fact.param), task.host.split(".")[0], task.minion[:8],
            task.id[:8],
        )
        for task, fact in zip(tasks, facts, strict=True)
    ]  # fmt: skip
    head = f"group {group.number}: {describe(group.cause)}   ({style.number(group.size)} {'param' if group.size == 1 else 'params'}, {group.share:.0%} of failures)"
    lines = [style.line((head, "bold")), "", *table(columns, rows, style), *_left_out(group.tasks, limit, style)]
    # Cut nowhere: this is what one came to read. A long line wraps.
    wide = style._replace(columns=100_000)
    lines += ["", wide.line(f"reason of the newest: {facts_of_newest.reason or '-'}")]
    stderr = facts_of_newest.stderr.splitlines()
    lines += [style.line(("stderr of the newest, its end:" if stderr else "it wrote nothing to stderr", "dim"))]
    lines += [wide.line("  " + line) for line in stderr]
    if newest.dead and status.counts.source == "queue":
        lines += ["", style.line(f"try it again: minion-queue retry {newest.id[:12]}")]
    return lines


class FailedFacts(NamedTuple):
    """What is known of a failed task's last execution; its param is a JSON value, the rest is text."""

    param: Any
    took: str = "-"
    attempt: str = "-"
    reason: str = ""
    stderr: str = ""


def failed_facts(task: Failed, events: EventFiles) -> FailedFacts:
    """Read them from its event, or from what the queue keeps."""
    if task.stored is not None:
        entry, failure = task.stored, task.stored.failure
        return FailedFacts(
            words.param_value(entry.param),
            attempt=str(entry.attempt),
            reason=mask(failure.reason),
            stderr=mask(failure.stderr),
        )
    event = events.event(task.row) if task.row is not None else None
    if event is None:
        return FailedFacts(None, reason="its event is gone")
    return FailedFacts(
        event.get("param"),
        words.took(float(event["took"])),
        str(event.get("attempt", "-")),
        mask(str(event.get("reason") or "")),
        mask(str(event.get("stderr") or "")),
    )


def in_flight_list(status: Status, style: Style, limit: int) -> list[str]:
    """List what is in flight, oldest first."""
    if not status.in_flight:
        known = status.counts.in_flight
        return [f"{known} in flight; the queue cannot list them" if known else "nothing is in flight"]
    columns = (
        Column("AGE", RIGHT), Column("xP50", RIGHT), Column("TRY", RIGHT), Column("PARAM", grows=True), Column("MINION"),
        Column("NODE"), Column("STATE"),
    )  # fmt: skip
    rows = [
        (
            "-" if t.age is None else words.took(t.age), "-" if t.times_p50 is None else f"{t.times_p50:.1f}", str(t.attempt),
            words.param_words(t.param), t.minion[:8], t.host.split(".")[0], t.state,
        )
        for t in _limited(status.in_flight, limit)
    ]  # fmt: skip
    return table(columns, rows, style) + _left_out(status.in_flight, limit, style)


def alive_first(everyone: Sequence[Minion]) -> list[Minion]:
    """Sort minions: those alive, then the lost, then those that left."""
    order = {"busy": 0, "idle": 0, "lost": 1, "ended": 2}
    return sorted(everyone, key=lambda m: order[m.state])


def minion_list(status: Status, style: Style, limit: int) -> list[str]:
    """List the minions in their order; ``limit`` 0 lists all."""
    everyone = status.minions
    if not everyone:
        return ["no minion has reported"]
    columns = (
        Column("MINION"), Column("NODE", grows=True), Column("JOB"), Column("STATE"), Column("UP", RIGHT), Column("DONE", RIGHT),
        Column("FAIL", RIGHT), Column("FAIL%", RIGHT), Column("BUSY%", RIGHT), Column("NOW", RIGHT),
    )  # fmt: skip
    rows = [
        (
            m.uid[:8], m.host, job_words(m.job), m.state if m.state != "ended" or not m.reason else f"ended: {m.reason}",
            "-" if m.up is None else words.age(m.up), style.number(m.done), style.number(m.failed), _share(m.failed, m.done + m.failed),
            "-" if m.busy_share is None else f"{m.busy_share:.0%}", str(m.running),
        )
        for m in _limited(everyone, limit)
    ]  # fmt: skip
    return table(columns, rows, style) + _left_out(everyone, limit, style)


def node_list(status: Status, style: Style, limit: int) -> list[str]:
    """List the hosts, those that fail most first."""
    if not status.nodes:
        return ["no minion has reported"]
    columns = (
        Column("NODE", grows=True), Column("UP", RIGHT), Column("SEEN", RIGHT), Column("DONE", RIGHT), Column("FAIL", RIGHT),
        Column("FAIL%", RIGHT), Column("P50", RIGHT), Column("xFLEET", RIGHT), Column("LAST", RIGHT), Column(""),
    )  # fmt: skip
    now = status.run.now
    rows = [
        (
            n.host, str(n.up), str(n.minions), style.number(n.done), style.number(n.failed), _share(n.failed, n.done + n.failed),
            "-" if n.p50 is None else words.took(n.p50), "-" if n.times_fleet is None else f"{n.times_fleet:.1f}",
            "-" if n.last is None else words.age(now - n.last), "bad" if n.bad else "",
        )
        for n in _limited(status.nodes, limit)
    ]  # fmt: skip
    return table(columns, rows, style) + _left_out(status.nodes, limit, style)


def slow_list(found: Sequence[Execution], status: Status, style: Style) -> list[str]:
    """List executions with how long they took, in their order."""
    if not found:
        return ["no execution has ended"]
    p50 = status.durations.done.p50 if status.durations.done else 0.0
    columns = (
        Column("TOOK", RIGHT), Column("xP50", RIGHT), Column("TRY", RIGHT), Column("PARAM", grows=True), Column("NODE"),
        Column("MINION"), Column("OUTCOME"), Column("WHEN"),
    )  # fmt: skip
    rows = [
        (
            words.took(x.took), f"{x.took / p50:.1f}" if p50 else "-", f"{x.number('attempt') or '-'}",
            words.param_words(x.get("param")), x.minion.host.split(".")[0], x.minion.uid[:8], x.outcome,
            style.time(x.end, status.run.now),
        )
        for x in found
    ]  # fmt: skip
    return table(columns, rows, style)


def _share(part: int, whole: int) -> str:
    return words.percent(part / whole) if whole else "-"


def _limited(items: Sequence[T], limit: int) -> Sequence[T]:
    return items[:limit] if limit else items


def _left_out(items: Sequence[object], limit: int, style: Style) -> list[str]:
    more = len(items) - limit if limit else 0
    return [style.line(f"+ {style.number(more)} more   --limit 0 shows all")] if more > 0 else []
