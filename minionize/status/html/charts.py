"""Charts as inline SVG that stretch with the page: shapes are drawn in a box that is stretched, words are placed by percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.status import words
from minionize.status.html import axes
from minionize.status.html.figures import CELLS
from minionize.status.html.markup import Html, el, join, many, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minionize.status.html.figures import Histogram, Life, Span, Throughput
    from minionize.status.statistics import Duration

#: Pixels: the room above the shapes of a chart, of the shapes, and below.
_TOP, _PLOT, _BOTTOM = 22, 180, 24
#: The room above the line of minions.
_ABOVE = 1.15


def throughput(data: Throughput, span: Span) -> Html:
    """Draw executions per unit of time, what failed below what was done, and the minions that were alive as a line."""
    totals = [done + failed for done, failed in zip(data.done, data.failed, strict=True)]
    factor, unit = words.rate(max(totals, default=0) / data.width or 1.0)
    per = factor / data.width
    ticks = axes.heights(max(1, *totals) * per)
    top, most = ticks[-1] / per, max(1, *data.minions)
    shapes = [
        el("path", d=_bars(data.failed, [0] * len(totals), top), class_="failed"),
        el("path", d=_bars(totals, data.failed, top), class_="done"),
        el("path", d=_steps(data.minions, most * _ABOVE), class_="minions"),
    ]
    hovers = [_hover(i, data, i * data.width + data.start) for i in range(len(totals))]
    # The buckets begin before the span and end after it: times are placed on theirs.
    reach = span._replace(start=data.start, end=data.start + data.width * len(totals))
    said = f"{sum(data.done)} executions done and {sum(data.failed)} failed, at most {max(totals)} in {words.age(data.width)}; at most {max(data.minions)} minions alive"
    heights = [(tick / ticks[-1], f"{tick:g}{unit}") for tick in ticks]
    drawn = _stretched(len(totals), 100, shapes + hovers)
    # The line has a scale of its own: its top is named.
    place = (list(data.minions).index(max(data.minions)) + 0.5) / len(totals)
    anchor = "start" if place < 0.1 else "end" if place > 0.9 else "middle"
    top_of_line = el("text", many(most, "minion"), x=f"{100 * place:.2f}%", y=_y(1 / _ABOVE) - 5, text_anchor=anchor)
    return _chart("Throughput", said, drawn, heights, _below(axes.times(reach)), [top_of_line])


def _hover(i: int, data: Throughput, t: float) -> Html:
    said = f"{axes.moment(t)} UTC: {data.done[i]} done, {data.failed[i]} failed, {data.minions[i]} alive"
    return el("rect", el("title", said), x=i, y=0, width=1, height=100, class_="hover")


def histogram(data: Histogram, done: Duration | None) -> Html:
    """Draw how many executions took how long, on a logarithmic axis; the percentiles are of those that were done."""
    totals = [d + f for d, f in zip(data.done, data.failed, strict=True)]
    ticks = axes.heights(max(totals), 1)
    shapes = [
        el("path", d=_bars(data.failed, [0] * len(totals), ticks[-1], 0.08), class_="failed"),
        el("path", d=_bars(totals, data.failed, ticks[-1], 0.08), class_="done"),
    ]
    for i, total in enumerate(totals):
        low, high = data.low * data.ratio**i, data.low * data.ratio ** (i + 1)
        said = f"{words.took(low)} to {words.took(high)}: {total - data.failed[i]} done, {data.failed[i]} failed"
        shapes.append(el("rect", el("title", said), x=i, y=0, width=1, height=100, class_="hover"))
    marks = [(name, getattr(done, name)) for name in ("p50", "p90", "p99")] if done else []
    known = [(name, value) for name, value in marks if value is not None]
    lines = [_mark(data.place(value), f"{name} {words.took(value)}", row) for row, (name, value) in enumerate(known)]
    said = f"{sum(data.done)} executions done and {sum(data.failed)} failed" + "".join(
        f", {name} {words.took(value)}" for name, value in known
    )
    heights = [(tick / ticks[-1], number(tick)) for tick in ticks]
    drawn = _stretched(len(totals), 100, shapes)
    return _chart("Durations", said, drawn, heights, _below(axes.durations(data)), lines)


def lifeline(life: Life, span: Span) -> Html:
    """Draw one minion: when it was up, how busy, where executions failed, and from where on it is lost."""
    minion = life.minion
    start = span.share(minion.started if minion.started is not None else span.start)
    end = span.share(minion.started + (minion.up or 0.0) if minion.started is not None else minion.seen)
    shapes = [_percent_rect(start, max(end, start + 0.002), class_="up")]
    levels = [0 if busy < 0.02 else 1 if busy < 0.4 else 2 if busy < 0.8 else 3 for busy in life.busy]
    cells = [el("path", d=_runs(levels, level, 1, 9), class_=f"b{level}") for level in (1, 2, 3) if level in levels]
    if any(life.failed):
        cells.append(el("path", d=_runs(life.failed, True, 0, 10), class_="failed"))
    shapes.append(_stretched(CELLS, 10, cells))
    if minion.state == "lost":
        shapes.append(_percent_rect(end, 1.0, class_="lost", fill="url(#lost)"))
    state = "lost" if minion.state == "lost" else f"ended: {minion.reason}" if minion.reason else minion.state
    said = f"{minion.uid[:8]} on {minion.host}: {state}, up {axes.length(minion.up)}, {minion.done} done, {minion.failed} failed"
    return el("svg", el("title", said), *shapes, class_="life", role="img")


def times_below(span: Span) -> Html:
    """Draw the axis of the lifelines."""
    ticks = [_tick(place, said, 14, "wide" if i % 2 else None) for i, (place, said) in enumerate(axes.times(span))]
    return el("svg", *ticks, class_="axis", aria_hidden="true")


def bar(share: float, kind: str) -> Html:
    """Draw a bar in a cell of a table; the number stands beside it."""
    return el("svg", el("rect", width=f"{100 * share:.2f}%", class_=kind), class_="bar", aria_hidden="true")


def progress(parts: Sequence[tuple[str, int]]) -> Html:
    """Draw the states of all params, one after the other."""
    total, before, shapes = sum(n for _, n in parts), 0, []
    for kind, n in parts:
        if n:
            shapes.append(el("rect", x=f"{100 * before / total:.3f}%", width=f"{100 * n / total:.3f}%", class_=kind))
        before += n
    said = ", ".join(f"{n} {kind}" for kind, n in parts if n)
    return el("svg", el("title", said), *shapes, class_="progress", role="img")


def hatch() -> Html:
    """Define the pattern of what is lost, once for the whole page."""
    pattern = el(
        "pattern", el("path", d="M0 6L6 0"), id="lost", width=6, height=6, patternUnits="userSpaceOnUse", class_="hatch"
    )
    return el("svg", el("defs", pattern), class_="hidden", aria_hidden="true")


def _chart(
    name: str,
    said: str,
    shapes: Html,
    heights: Sequence[tuple[float, str]],
    below: Iterable[Html],
    over: Iterable[Html],
) -> Html:
    """Put a chart together: words for heights on its left, shapes over lines, words below and over them."""
    lines = [el("line", x1=0, x2="100%", y1=_y(height), y2=_y(height), class_="grid") for height, _ in heights]
    labels = [el("text", word, x="100%", y=_y(height) + 4, text_anchor="end") for height, word in heights]
    size = {"height": _TOP + _PLOT + _BOTTOM}
    plot = el("svg", shapes, x=0, y=_TOP, width="100%", height=_PLOT)
    base = el("line", x1=0, x2="100%", y1=_y(0), y2=_y(0), class_="base")
    drawn = el("svg", el("title", name), el("desc", said), *lines, plot, base, *below, *over, class_="plot", role="img", aria_label=f"{name}: {said}", **size)  # fmt: skip
    return el("div", el("svg", *labels, class_="heights", aria_hidden="true", **size), drawn, class_="chart")


def _y(height: float) -> float:
    return _TOP + _PLOT * (1 - height)


def _stretched(width: int, height: int, shapes: Iterable[Html]) -> Html:
    return el("svg", *shapes, width="100%", height="100%", viewBox=f"0 0 {width} {height}", preserveAspectRatio="none")


def _bars(highs: Sequence[int], lows: Sequence[int], top: float, gap: float = 0.0) -> str:
    """Draw bars from low to high, those side by side and alike as one."""
    drawn = []
    for i, (high, low) in enumerate(zip(highs, lows, strict=True)):
        if high > low:
            y, h = 100 - 100 * high / top, 100 * (high - low) / top
            drawn.append(f"M{i + gap / 2:g} {y:.4g}h{1 - gap:g}v{h:.4g}h{gap - 1:g}z")
    return "".join(drawn)


def _steps(values: Sequence[int], top: float) -> str:
    levels = [f"{100 - 100 * value / top:.4g}" for value in values]
    return f"M0 {levels[0]}" + "".join(f"V{level}h1" for level in levels)


def _runs(values: Sequence[object], wanted: object, y: int, height: int) -> str:
    """Draw what is alike and side by side as one bar."""
    drawn, start = [], None
    for i, value in enumerate([*values, None]):
        if value == wanted and start is None:
            start = i
        elif value != wanted and start is not None:
            drawn.append(f"M{start} {y}h{i - start}V{height}H{start}z")
            start = None
    return "".join(drawn)


def _below(ticks: Iterable[tuple[float, str]]) -> list[Html]:
    return [_tick(place, said, _TOP + _PLOT + 17) for place, said in ticks]


def _tick(place: float, said: str, y: float, kind: str | None = None) -> Html:
    """Place a word below the axis; on its left there is room."""
    anchor = "end" if place > 0.95 else "middle"
    return el("text", said, x=f"{100 * place:.2f}%", y=y, text_anchor=anchor, class_=kind)


def _mark(place: float, said: str, row: int) -> Html:
    x = f"{100 * place:.2f}%"
    anchor, dx = ("end", -5) if place > 0.7 else ("start", 5)
    line = el("line", x1=x, x2=x, y1=4 + 16 * row, y2=_TOP + _PLOT, class_="mark")
    return join([line, el("text", said, x=x, dx=dx, y=15 + 16 * row, text_anchor=anchor, class_="mark")])


def _percent_rect(start: float, end: float, **attributes: str) -> Html:
    return el("rect", x=f"{100 * start:.2f}%", width=f"{100 * (end - start):.2f}%", **attributes)
