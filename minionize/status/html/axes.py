"""Where the ticks of an axis stand, and what they say: round numbers, round durations, round times of day in UTC."""

from __future__ import annotations

import time
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from minionize.status import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.status.html.figures import Histogram, Span

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 30, 90, 365)),
)
_DURATIONS = (
    *(1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0),
    *(n * _MINUTE for n in (1, 10)),
    *(n * _HOUR for n in (1, 10)),
    *(n * _DAY for n in (1, 10, 100, 1000)),
)
_BETWEEN = (
    *(2e-4, 5e-4, 2e-3, 5e-3, 0.02, 0.05, 0.2, 0.5, 2.0, 5.0, 20.0, 30.0, 40.0),
    *(n * _MINUTE for n in (2, 5, 20, 30)),
    *(n * _HOUR for n in (2, 5)),
)
#: Ticks that fit.
_MOST = 6


def heights(highest: float, least: float = 0.0) -> list[float]:
    """Place 2 to 4 ticks from above 0 up to at least ``highest``: 1, 2 or 5 times a power of ten apart, at ``least`` so far."""
    rough = max(highest / 3, least)
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [step * i for i in range(1, max(2, ceil(highest / step - 1e-9)) + 1)]


def times(span: Span) -> Iterator[tuple[float, str]]:
    """Yield places between 0 and 1, and times of day; dates where the span has more than two days."""
    length = span.end - span.start
    step = next((s for s in _STEPS if s * _MOST >= length), _STEPS[-1] * ceil(length / _STEPS[-1] / _MOST))
    form = "%H:%M:%S" if step < _MINUTE else "%H:%M" if length <= 2 * _DAY else "%d %b"
    form = "%d %b %H:%M" if length > 2 * _DAY and step < _DAY else form
    for i in range(ceil(span.start / step), floor(span.end / step) + 1):
        yield span.share(i * step), time.strftime(form, time.gmtime(i * step))


def durations(histogram: Histogram) -> list[tuple[float, str]]:
    """Place powers of ten, or what people take for them, between the shortest and the longest."""
    high = histogram.low * histogram.ratio ** len(histogram.done)
    inside = [t for t in _DURATIONS if histogram.low <= t <= high]
    if len(inside) < 3:
        inside = sorted(inside + [t for t in _BETWEEN if histogram.low <= t <= high])
    return [(histogram.place(t), _duration(t)) for t in inside]


def _duration(seconds: float) -> str:
    for unit, size in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE), ("s", 1)):
        if seconds >= size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms"


def moment(t: float) -> str:
    """Write a moment in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(t))


def length(seconds: float | None) -> str:
    """Write a duration, or a dash."""
    return "-" if seconds is None else words.took(seconds)
