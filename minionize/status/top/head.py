"""The four lines above the tabs: which queue, how far, how many, how fast."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from minionize.status import words
from minionize.status.safe import width
from minionize.status.text import progress, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.status.model import Status
    from minionize.status.style import Span, Style
    from minionize.status.top.snapshot import Charts

_SPARKS = "▁▂▃▄▅▆▇█"
_ASCII_SPARKS = "_.:-=+*#"
#: Columns of the chart of failures, and the fewest that a chart is drawn in.
_FAILED, _FEWEST = 20, 12


class Screen(NamedTuple):
    """How the screen is: seconds between two looks, the time it shows, whether it is frozen, and what is said beside."""

    interval: float
    clock: float
    frozen: bool = False
    notes: tuple[str, ...] = ()


def head(status: Status, charts: Charts, screen: Screen, style: Style) -> list[str]:
    """Draw the lines."""
    return [
        _title(status, screen, style),
        " " + progress(status, style._replace(columns=style.columns - 2)),
        _counts(status, style),
        _rate(status, charts, style),
    ]


def _title(status: Status, screen: Screen, style: Style) -> str:
    run, hosts = status.run, sum(1 for node in status.nodes if node.up)
    right: list[Span] = []
    if status.up:
        right = [f"{_many(status.up, 'minion', style)} / {_many(hosts, 'node', style)}   "]
    for note in screen.notes:
        right.append((f"{note}   ", "yellow"))
    right.append(("FROZEN", "yellow") if screen.frozen else ("live", "green"))
    right.append(f" {_seconds(screen.interval)}" if not screen.frozen else " (z)")
    right.append("  " + time.strftime("%H:%M:%S", style.clock(screen.clock)) + " ")
    taken = sum(width(span if isinstance(span, str) else span[0]) for span in right)
    room = style.columns - taken - len(" mtop  ") - 1
    name = style.cut(f"{run.where} ({run.engine})" if run.engine else run.where or "no queue", room)
    directory = style.cut("  " + _home(run.directory), room - width(name)) if room - width(name) > 10 else ""
    gap = " " * (room - width(name) - width(directory) + 1)
    return style.line((" mtop  ", "bold"), (name, "bold"), (directory, "dim"), gap, *right)


def _counts(status: Status, style: Style) -> str:
    """Write the counts, and as many percentiles beside them as fit."""
    left = tally(status, style._replace(columns=style.columns - 2))
    used = width(tally(status, style._replace(columns=style.columns - 2, color=False)))
    done, cells = status.durations.done, []
    if done is not None:
        known = (("p50", done.p50), ("p90", done.p90), ("p99", done.p99), ("max", done.max))
        cells = [f"{name} {words.took(value)}" for name, value in known if value is not None]
    while cells and used + 4 + len("  ".join(cells)) > style.columns - 1:
        cells.pop()
    right = "  ".join(cells)
    return f" {left}{' ' * (style.columns - 2 - used - len(right))}{right}" if right else f" {left}"


def _rate(status: Status, charts: Charts, style: Style) -> str:
    rates = status.rates
    known = [rate for rate in (rates.one, rates.five, rates.fifteen) if rate is not None]
    if not status.counts.executions:
        return style.line(("  nothing has run yet", "dim"))
    factor, unit = words.rate(rates.mean or max(known, default=0.0))
    shown = [f"{rate * factor:.2f}" for rate in known] or [f"{(rates.mean or 0.0) * factor:.2f}"]
    spans: list[Span] = [(" rate ", "dim"), f"{shown[0]}{unit}", "".join(f"  {rate}" for rate in shown[1:]), "  "]
    if charts.ended is None:
        return style.line(*spans)
    spans.append((f"{words.age(charts.ended.width * len(charts.ended.counts))} ", "dim"))
    room = style.columns - sum(width(span if isinstance(span, str) else span[0]) for span in spans) - 1
    # Both have the same buckets, of the same width: what failed stands under what ended only where all is drawn.
    failed = charts.failed is not None and any(charts.failed.counts)
    if failed and charts.failed and room >= _FEWEST + _FAILED // 2 + 7:
        mark = spark(charts.failed.counts, min(_FAILED, room // 3), style)
        chart = spark(charts.ended.counts, room - len(mark) - 7, style)
        return style.line(*spans, (chart, "green"), ("  fail ", "dim"), (mark, "red"))
    return style.line(*spans, (spark(charts.ended.counts, room, style), "green"))


def spark(counts: Sequence[int], room: int, style: Style) -> str:
    """Draw counts as bars of eight heights, in so many columns at most: neighbours are added up where there are more."""
    if room < 1 or not counts:
        return ""
    together = -(-len(counts) // room)
    sums = [sum(counts[max(0, end - together) : end]) for end in range(len(counts), 0, -together)][::-1]
    top, sparks = max(sums), _SPARKS if style.unicode else _ASCII_SPARKS
    # The lowest is for nothing at all.
    return "".join(sparks[-(-n * (len(sparks) - 1) // top) if top else 0] for n in sums)


def _home(path: str) -> str:
    """Shorten a path to what one would type; where the current directory is gone, it stays as it is."""
    try:
        path = os.path.abspath(path)
    except OSError:
        return path
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if home != "/" and (path + "/").startswith(home + "/") else path


def _seconds(interval: float) -> str:
    return f"{interval:g}s"


def _many(n: int, noun: str, style: Style) -> str:
    return f"{style.number(n)} {noun}" if n == 1 else f"{style.number(n)} {noun}s"
