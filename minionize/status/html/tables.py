"""The tables of the page: plain HTML tables with a caption for those who cannot see them; a script may sort them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minionize.status import words
from minionize.status.failures import describe
from minionize.status.html import axes, charts
from minionize.status.html.markup import Html, el, join, many, number, output, param, text
from minionize.status.rows import job_words
from minionize.status.tables import failed_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minionize.events import Event
    from minionize.status.html.fields import Field, Value
    from minionize.status.html.figures import Life, Span
    from minionize.status.model import Failed, FailureGroup, InFlight, Node, Status
    from minionize.status.read import EventFiles

#: Rows of a table, values of all fields, and examples of a group of failures.
ROWS, VALUES, EXAMPLES = 200, 500, 3
#: Characters of all examples together.
_EXAMPLES = 250_000


class Cell(NamedTuple):
    """A cell: what it shows, what it is sorted by (None: its text), and its class."""

    shown: str
    by: float | None = None
    kind: str | None = None


def table(
    caption: str, heads: Sequence[tuple[str, str | None]], rows: Iterable[Sequence[Cell]], last: Html | None = None
) -> Html:
    """Make a table; a head is a name and the class of its column. The first cell of each row names it."""
    head = el("tr", *(el("th", name, scope="col", class_=kind) for name, kind in heads))
    body = [_row(row) for row in rows]
    made = el("table", el("caption", caption), el("thead", head), el("tbody", *body), last, class_="sortable")
    return el("div", made, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _row(cells: Sequence[Cell]) -> Html:
    made = []
    for i, (shown, by, kind) in enumerate(cells):
        fields = {"class_": kind, "data_v": None if by is None else f"{by:.6g}"}
        made.append(el("td", shown, **fields) if i else el("th", shown, scope="row", **fields))
    return el("tr", *made)


def failures(status: Status, events: EventFiles) -> Html:
    """List the groups of failures, each with examples and their stderr behind a fold."""
    heads = [
        ("error", None),
        ("params", "n"),
        ("share", "n wide"),
        ("nodes", "n wide"),
        ("first", "wide"),
        ("last", "wide"),
    ]
    room, rows = _EXAMPLES, []
    for group in status.failures[:ROWS]:
        examples, used = _examples(group, events, room)
        room -= used
        error = join([el("strong", text(describe(group.cause)), class_="error"), examples])
        rows.append(
            [
                Cell(error, group.number), Cell(number(group.size), group.size, "n"), Cell(f"{group.share:.0%}", group.share, "n wide"),
                Cell(number(group.hosts), group.hosts, "n wide"), Cell(axes.moment(group.first), group.first, "when wide"),
                Cell(axes.moment(group.last), group.last, "when wide"),
            ]
        )  # fmt: skip
    return join([table("Failures by cause", heads, rows), _more(len(status.failures), ROWS, "groups", "--failures")])


def _examples(group: FailureGroup, events: EventFiles, room: int) -> tuple[Html, int]:
    if room <= 0:
        return _small(f"with stderr: minion-status --failures {group.number}"), 0
    shown = [_example(task, group, events) for task in group.tasks[:EXAMPLES]]
    more = f"the newest {len(shown)} of {group.size} params" if group.size > len(shown) else many(group.size, "param")
    where = f", {group.top_share:.0%} on {group.top_host}" if group.hosts > 1 and group.top_share > 0.5 else ""
    made = el("details", el("summary", f"{more}, with stderr{where}"), *shown)
    return made, len(made)


def _example(task: Failed, group: FailureGroup, events: EventFiles) -> Html:
    facts = failed_facts(task, events)
    head = el("p", el("code", param(facts.param)), " ", _small(f"attempt {facts.attempt}, {facts.took}, on {task.host}, {axes.moment(task.at)}, id {task.id[:12]}"))  # fmt: skip
    said = facts.reason and not describe(group.cause).startswith(facts.reason)
    reason = el("p", facts.reason, class_="reason") if said else None
    if not facts.stderr:
        return el("div", head, reason, _small("it wrote nothing to stderr"), class_="example")
    shown = el("pre", output(facts.stderr), tabindex=0)
    return el("div", head, reason, shown, class_="example")


def nodes(status: Status) -> Html:
    """List the hosts, those that fail most first, with bars for their rates and medians."""
    heads = [("node", None), ("minions", "n wide"), ("done", "n wide"), ("failed", "n wide"), ("fails", "n"), ("median", "n"), ("of all", "n wide")]  # fmt: skip
    slow, fails = _highest(n.p50 for n in status.nodes), _highest(n.fail_rate for n in status.nodes)
    rows = [_node(node, fails, slow) for node in status.nodes[:ROWS]]
    return join([table("Nodes", heads, rows), _more(len(status.nodes), ROWS, "nodes", "--nodes")])


def _node(node: Node, fails: float, slow: float) -> list[Cell]:
    name = join([text(node.host), el("em", "bad", class_="bad")]) if node.bad else text(node.host)
    times = "-" if node.times_fleet is None else f"{node.times_fleet:.2f}"
    return [
        Cell(name), Cell(number(node.minions), node.minions, "n wide"), Cell(number(node.done), node.done, "n wide"),
        Cell(number(node.failed), node.failed, "n wide"), _rate(node.fail_rate, fails), _length(node.p50, slow),
        Cell(times, node.times_fleet or 0.0, "n wide"),
    ]  # fmt: skip


def lives(lifelines: Sequence[Life], span: Span, all: int) -> Html:
    """List the minions with their lifelines, over the time axis of the throughput."""
    heads = [
        ("minion", None),
        ("state", "wide"),
        ("done", "n wide"),
        ("failed", "n"),
        ("busy", "n wide"),
        ("", "lifeline"),
    ]
    rows = [_life(life, span) for life in lifelines]
    axis = el("tfoot", el("tr", el("td"), el("td", class_="wide"), el("td", class_="wide"), el("td"), el("td", class_="wide"), el("td", charts.times_below(span), class_="lifeline")), aria_hidden="true")  # fmt: skip
    note = (
        f"{len(lifelines)} of {all} minions: the lost ones, those with most failures, then those that were up longest."
    )
    return join([table("Minions", heads, rows, axis), _small(note) if all > len(lifelines) else None])


def _life(life: Life, span: Span) -> list[Cell]:
    minion = life.minion
    which = f"{minion.uid[:8]}, job {job_words(minion.job)}" if minion.job else minion.uid[:8]
    name = join([text(minion.host.split(".")[0], 24), " ", el("span", text(which, 60), class_="id")])
    busy = "-" if minion.busy_share is None else f"{minion.busy_share:.0%}"
    state = f"ended, {minion.reason}" if minion.state == "ended" and minion.reason else minion.state
    return [
        Cell(name, None, "name"), Cell(text(state, 24), None, f"wide {minion.state}"), Cell(number(minion.done), minion.done, "n wide"),
        Cell(number(minion.failed), minion.failed, "n"), Cell(busy, minion.busy_share or 0.0, "n wide"),
        Cell(charts.lifeline(life, span), minion.started or minion.seen, "lifeline"),
    ]  # fmt: skip


def fields(found: Sequence[Field]) -> Html:
    """Make a small table of each field: how often each value fails, and the median duration of what was done."""
    values = [value for field in found for value in field.values]
    fails, slow = _highest(v.fail_rate for v in values), _highest(v.p50 for v in values)
    room, made = VALUES, []
    for field in found:
        room -= len(field.values)
        if room >= 0:
            made.append(_field(field, fails, slow))
    left = (
        _small(f"{len(found) - len(made)} more fields: minion-status --csv tasks") if len(made) < len(found) else None
    )
    return join([el("div", *made, class_="cards"), left])


def _field(field: Field, fails: float, slow: float) -> Html:
    heads = [("value", None), ("runs", "n"), ("fails", "n"), ("median", "n")]
    rows = [_value(value, fails, slow) for value in field.values]
    # Numbers are sorted as numbers: their place says their order.
    rows = [[row[0]._replace(by=i), *row[1:]] for i, row in enumerate(rows)]
    return el(
        "div", el("h3", text(field.name, 60)), table(f"Executions by {field.name[:60]}", heads, rows), class_="card"
    )


def _value(value: Value, fails: float, slow: float) -> list[Cell]:
    shown = text(value.text, 60) if value.text else el("em", "empty")
    return [Cell(shown), Cell(number(value.n), value.n, "n"), _rate(value.fail_rate, fails), _length(value.p50, slow)]


def slowest(rows: Sequence[int], events: EventFiles, p50: float | None) -> Html:
    """List the longest executions that were done."""
    heads = [
        ("param", None),
        ("took", "n"),
        ("of median", "n wide"),
        ("node", "wide"),
        ("minion", "wide"),
        ("ended", "wide"),
    ]
    known = [_slow(events.event(row), events, row, p50) for row in rows]
    return table("Slowest executions", heads, known)


def _slow(event: Event | None, events: EventFiles, row: int, p50: float | None) -> list[Cell]:
    ledger = events.ledger
    took, ended, minion = ledger.took[row], ledger.ended[row], ledger.minions[ledger.minion[row]]
    shown = el("code", param(event.get("param"))) if event else _small("its event is gone")
    times = f"{took / p50:.1f}" if p50 else "-"
    return [
        Cell(shown), Cell(words.took(took), took, "n"), Cell(times, took, "n wide"), Cell(text(minion.host.split(".")[0]), None, "wide"),
        Cell(text(minion.uid[:8]), None, "wide id"), Cell(axes.moment(ended), ended, "when wide"),
    ]  # fmt: skip


def in_flight(tasks: Sequence[InFlight]) -> Html:
    """List what runs, longest first; what waits in a minion's hands is counted."""
    running = [task for task in tasks if task.state != "held"]
    heads = [
        ("param", None),
        ("age", "n"),
        ("of median", "n wide"),
        ("attempt", "n wide"),
        ("node", "wide"),
        ("state", None),
    ]
    rows = [_flying(task) for task in running[:ROWS]]
    held = len(tasks) - len(running)
    waits = _small(f"{number(held)} in the hands of minions, begun within the last second or waiting for a slot")
    return join(
        [
            table("In flight", heads, rows) if rows else None,
            _more(len(running), ROWS, "in flight", "--in-flight"),
            waits if held else None,
        ]
    )


def _flying(task: InFlight) -> list[Cell]:
    times = "-" if task.times_p50 is None else f"{task.times_p50:.1f}"
    return [
        Cell(el("code", param(task.param))), Cell(axes.length(task.age), task.age or 0.0, "n"), Cell(times, task.times_p50 or 0.0, "n wide"),
        Cell(str(task.attempt), task.attempt, "n wide"), Cell(text(task.host.split(".")[0]), None, "wide"), Cell(task.state, None, task.state),
    ]  # fmt: skip


def _rate(share: float, highest: float) -> Cell:
    return Cell(join([words.percent(share) if share else "0", charts.bar(share / highest, "failed")]), share, "n bars")


def _length(seconds: float | None, longest: float) -> Cell:
    if seconds is None:
        return Cell("-", 0.0, "n bars")
    return Cell(join([words.took(seconds), charts.bar(seconds / longest, "slow")]), seconds, "n bars")


def _highest(values: Iterable[float | None]) -> float:
    return max((value for value in values if value), default=1.0)


def _small(said: str) -> Html:
    return el("small", said)


def _more(n: int, shown: int, what: str, option: str) -> Html | None:
    return _small(f"{n - shown} more {what}: minion-status {option} --limit 0") if n > shown else None
