"""The one-shot screen: at most 80 columns and 23 lines, what to act on last."""

from __future__ import annotations

import shlex
from textwrap import wrap
from typing import TYPE_CHECKING

from minionize.status import words
from minionize.status.failures import describe
from minionize.status.safe import pad, safe, width
from minionize.status.tables import LEFT, RIGHT, Column, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.status.model import FailureGroup, Status, Warning
    from minionize.status.statistics import Chart, Duration
    from minionize.status.style import Span, Style

_ASCII_CHART = ["+", "+", "-", "-", "-", "\\", "/", "\\", "/", "|"]
_MOST_FAILURES = 3
_MOST_WARNINGS = 5
#: Where the commands of warnings begin.
_COMMAND_AT = 46


def screen(status: Status, style: Style) -> list[str]:
    """Draw the status as lines."""
    sections = [_head(status, style), _rates(status, style), _durations(status, style), _failures(status, style)]
    end = _warnings(status, style)
    used = sum(len(lines) + 1 for lines in sections if lines) + len(end)
    sections += [_running(status, style, style.rows - used - 1), end]
    drawn: list[str] = []
    for lines in sections:
        if lines:
            drawn += [*([""] if drawn else []), *lines]
    return drawn


def _head(status: Status, style: Style) -> list[str]:
    run, total = status.run, status.counts.total
    name = f"{run.where} ({run.engine})" if run.engine else run.where or run.directory
    facts = []
    if total is not None:
        facts.append(f"{style.number(total)} params" if total != 1 else "1 param")
    if run.started is not None:
        facts.append(f"started {style.time(run.started, run.now)}")
    if run.elapsed is not None and run.state == "running":
        facts.append(f"running {words.elapsed(run.elapsed)}")
    tail = "".join("   " + fact for fact in facts)
    first = style.line((style.cut(name, max(20, style.columns - width(tail))), "bold"), tail)
    return [first, progress(status, style), tally(status, style)]


def progress(status: Status, style: Style) -> str:
    """Draw the bar with its share, the ETA, or how the run stands."""
    counts, (text, color) = status.counts, _where_it_stands(status, style)
    if not counts.total or counts.done is None or counts.dead is None:
        return style.line((text, color))
    share = (counts.done + counts.dead) / counts.total
    tail = f"  {words.percent(share)}  "
    full, empty = style.bar(share, max(10, style.columns - width(tail) - width(text)))
    return style.line((full, "green"), (empty, "dim"), tail, (text, color))


def _where_it_stands(status: Status, style: Style) -> tuple[str, str]:
    run, left = status.run, status.counts.left
    what = "" if left is None else f", {style.number(left)} {'param' if left == 1 else 'params'} left"
    if run.state == "stalled":
        return f"STALLED: no minion alive since {words.age(run.still or 0.0)}{what}", "red"
    if run.state == "waiting":
        return f"waiting for a minion{what}", "yellow"
    if run.state == "finished":
        if status.counts.total == 0:
            return "empty: the queue has no params", "yellow"
        took = f" {style.time(run.now, run.now)}, took {words.elapsed(run.elapsed)}" if run.elapsed is not None else ""
        return f"finished{took}", "green"
    if status.eta is None:
        return ("ETA -" if left is not None else "running"), "cyan"
    return f"ETA {words.about(status.eta.seconds)} ({style.time(status.eta.at, run.now)})", "cyan"


def tally(status: Status, style: Style) -> str:
    """Write how many params are in which state."""
    counts = status.counts
    over = status.run.state == "finished"
    spans: list[Span] = []

    def add(name: str, n: int | None, color: str = "", *, zero: bool = False, more: str = "") -> None:
        if n is not None and (n or zero):
            spans.extend(("  " if spans else "", (f"{name} {style.number(n)}{more}", color if n else "")))

    rate = counts.success_rate
    add("done", counts.done, "green", zero=True)
    add("dead", counts.dead, "red", more=f" ({words.percent(1 - rate)})" if rate is not None else "")
    add("in flight", counts.in_flight, zero=not over)
    add("lost", counts.lost, "red")
    add("delayed", counts.delayed)
    add("pending", counts.pending, zero=not over)
    if counts.source == "events":
        spans.append("   (no queue here: counted from events)")
    return style.line(*spans)


def _rates(status: Status, style: Style) -> list[str]:
    rates, hosts = status.rates, sum(1 for node in status.nodes if node.up)
    shown = [(rates.one, "1m"), (rates.five, "5m"), (rates.fifteen, "15m"), (rates.mean, "mean")]
    known = [rate for rate, _ in shown if rate is not None]
    if not known or not status.counts.executions:
        return []
    factor, unit = words.rate(rates.mean or max(known))
    chosen = (
        shown[3:] if status.run.state == "finished" else [row for row in shown[:3] if row[0] is not None] or shown[3:]
    )
    per = [f"{(rate or 0.0) * factor:.2f}{'' if n else unit} ({name})" for n, (rate, name) in enumerate(chosen)]
    parts = ["  ".join(per)]
    if status.chart:
        parts.append(f"chart: {words.age(status.chart.width * len(status.chart.counts))}")
    if status.up:
        parts.append(f"{_many(status.up, 'minion', style)}, {_many(hosts, 'node', style)}")
    return [style.line("rate  ", "   ".join(parts)), *(_chart(status.chart, style, factor) if status.chart else [])]


class _Label:
    """Stands for a format: the chart is drawn in rows, its axis says rates (drawn in rates, rounding adds a row)."""

    def __init__(self, top: float, rows: int) -> None:
        self.unit = top / rows

    def format(self, row: float) -> str:
        return f"{row * self.unit:8.2f}  "


def _chart(chart: Chart, style: Style, factor: float) -> list[str]:
    from asciichartpy import plot

    rows, top = 2, max(chart.counts)
    if not top:
        return []
    cfg = {"height": rows, "min": 0, "max": rows, "format": _Label(top / chart.width * factor, rows)}
    if not style.unicode:
        cfg["symbols"] = _ASCII_CHART
    series = [count * rows / top for count in chart.counts]
    return [style.line(line) for line in plot(series, cfg).splitlines()]


def _durations(status: Status, style: Style) -> list[str]:
    rows = [(name, d) for name, d in zip(("done", "failed"), status.durations, strict=True) if d is not None]
    if not rows:
        return []
    lines = [f"{'duration':<10}{'n':>7}{'min':>9}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}"]
    return [style.line((line, "dim")) for line in lines] + [style.line(_duration(n, d, style)) for n, d in rows]


def _duration(name: str, d: Duration, style: Style) -> str:
    cells = ("-" if value is None else words.took(value) for value in (d.min, d.p50, d.p90, d.p99, d.max))
    return f"{name:<8}{style.number(d.n):>9}" + "".join(f"{cell:>9}" for cell in cells)


def _failures(status: Status, style: Style) -> list[str]:
    if not status.failures:
        return []
    fit = len(status.failures) <= _MOST_FAILURES
    shown = status.failures if fit else status.failures[: _MOST_FAILURES - 1]
    lines = [style.line(("failures    share  last   nodes  error", "dim"))]
    lines += [_failure(group, status.run.now, style) for group in shown]
    more = status.failures[len(shown) :]
    if more:
        hidden = f"{style.number(sum(g.size for g in more)):>5}  in {_many(len(more), 'more group', style)}"
        lines.append(style.line(f"{hidden}   minion-status --failures"))
    return lines


def _failure(group: FailureGroup, now: float, style: Style) -> str:
    head = f"{style.number(group.size):>5}{round(group.share * 100):>11}%{words.age(now - group.last):>6}{group.hosts:>7}    "
    where = f"  {group.top_share:.0%} on {group.top_host.split('.')[0]}" if concentrated(group) else ""
    room = style.columns - width(head) - width(where)
    return style.line(head, (style.cut(describe(group.cause), max(20, room)), "red"), where)


def concentrated(group: FailureGroup) -> bool:
    """Tell whether most of a group's failures are on one of its hosts."""
    return group.hosts > 1 and group.size >= 5 and group.top_share > 0.5


def _running(status: Status, style: Style, rows: int) -> list[str]:
    """List what runs longest, in the lines that are left."""
    room = min(rows - 1, 6)
    tasks = [task for task in status.in_flight if task.state != "held"] or list(status.in_flight)
    if room < 1 or not tasks or status.run.state == "finished":
        return []
    shown = tasks if len(tasks) <= room else tasks[: room - 1]
    if not shown:  # how many they are stands above
        return []
    columns = (
        Column("in flight", RIGHT),
        Column("param", LEFT, grows=True),
        Column("node"),
        Column("minion"),
        Column(""),
    )
    cells = [
        (
            "-" if task.age is None else words.took(task.age),
            words.param_words(task.param),
            task.host.split(".")[0],
            task.minion[:8],
            "" if task.state in ("running", "held") else task.state,
        )
        for task in shown
    ]
    lines = table(columns, cells, style)
    if len(shown) < len(tasks):
        lines.append(style.line(f"  + {style.number(len(tasks) - len(shown))} more   minion-status --in-flight"))
    return lines


def _warnings(status: Status, style: Style) -> list[str]:
    """Draw warnings and hints. Where there are too many, that is said: nothing that is wrong is left out in silence."""
    next_steps = [("  ", text, command) for text, command in hints(status)]
    lines = [line for warning in status.warnings for line in _warning(warning, style)]
    room = _MOST_WARNINGS - min(1, len(next_steps))
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [("! ", f"{hidden} more of these", "minion-status --json"), *lines[hidden:]]
    return _with_commands(lines + next_steps[-(_MOST_WARNINGS - len(lines)) :], style)


def _warning(warning: Warning, style: Style) -> list[tuple[str, str, str]]:
    """Make the line of a warning; a note is a sentence or two, which may take two."""
    if warning.code != "note":
        return [("! ", warning.text, warning.command)]
    lines = wrap(safe(warning.text), style.columns - 2, max_lines=2, placeholder=" ...")
    return [("i " if n == 0 else "  ", line, "") for n, line in enumerate(lines)]


def _with_commands(lines: Sequence[tuple[str, str, str]], style: Style) -> list[str]:
    """Put texts left and commands right. What is to be typed is shown whole where half a line is enough for it."""
    commands = [style.cut(command, style.columns // 2) for _, _, command in lines]
    room = style.columns - 4 - max((width(command) for command in commands), default=0)
    wanted = max((width(style.cut(text, style.columns)) for _, text, command in lines if command), default=0)
    room = min(room, max(wanted, _COMMAND_AT - 4))
    drawn = []
    for (mark, text, _), command in zip(lines, commands, strict=True):
        # A text that would be cut for the sake of another line's long command steps out of the column instead.
        own = max(room, min(width(style.cut(text, style.columns)), style.columns - 4 - width(command)))
        shown = pad(style.cut(text, own), own) + "  " if command else text
        drawn.append(style.line((mark, "yellow"), shown, (command, "bold")))
    return drawn


def hints(status: Status) -> Sequence[tuple[str, str]]:
    """Say what one may want to do next: a text, and the command to type."""
    found = []
    if status.failures:
        found.append(("see one failure with its stderr", "minion-status --failures 1"))
    if status.counts.dead and status.counts.source == "queue":
        found.append(("put the dead ones back", "minion-queue retry --all"))
    if status.counts.source == "queue" and any(not task.minion for task in status.in_flight):  # as execo's others do
        found.append(("give back what no minion holds", "minion-queue release --lost"))
    drained = any(warning.code == "drained" for warning in status.warnings)  # a new one would leave at once
    if status.run.state in ("waiting", "stalled") and status.counts.left and not drained:
        found.append(("start a minion", f"minionize {shlex.join(status.run.command) or 'COMMAND {}'}"))
    if status.counts.total == 0:
        found.append(("fill it", "minion-queue put seed=1..10"))
    return found


def _many(n: int, noun: str, style: Style) -> str:
    return f"{style.number(n)} {noun}" if n == 1 else f"{style.number(n)} {noun}s"
