"""What the charts draw, counted in one pass over the ledger. Times are seconds since the epoch, lengths seconds."""

from __future__ import annotations

from array import array
from heapq import nlargest
from math import ceil, floor, log
from typing import TYPE_CHECKING, NamedTuple

from minionize.status.ledger import DONE, TIMEOUT
from minionize.status.statistics import WIDTHS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minionize.status.ledger import Ledger
    from minionize.status.model import Minion, Status

#: Bars of a throughput chart, at most, and of a histogram; cells of a lifeline; lifelines; slowest tasks.
BUCKETS, BINS, CELLS, LIVES, SLOWEST = 120, 40, 240, 60, 50
_DAY = 86400


class Span(NamedTuple):
    """The time from the start of the run to the moment of the report."""

    start: float
    end: float

    def share(self, t: float) -> float:
        """Place a time between 0 and 1."""
        return min(1.0, max(0.0, (t - self.start) / (self.end - self.start)))


class Throughput(NamedTuple):
    """Executions that ended in each bucket of ``width`` seconds from ``start`` on, and the most minions alive in it."""

    start: float
    width: int
    done: Sequence[int]
    failed: Sequence[int]
    minions: Sequence[int]


class Histogram(NamedTuple):
    """Durations: bin i reaches from ``low * ratio ** i`` to ``low * ratio ** (i + 1)``."""

    low: float
    ratio: float
    done: Sequence[int]
    failed: Sequence[int]

    def place(self, seconds: float) -> float:
        """Place a duration on the axis, between 0 and 1."""
        return min(1.0, max(0.0, log(max(seconds, self.low) / self.low) / (log(self.ratio) * len(self.done))))


class Life(NamedTuple):
    """A minion over the span: the share of each cell that it was busy, and whether executions failed in it."""

    minion: Minion
    busy: Sequence[float]
    failed: Sequence[bool]


class Figures:
    """The executions of the run that is shown. ``lives`` is of some minions, where there are many."""

    def __init__(self, ledger: Ledger, status: Status) -> None:
        """Count them."""
        self._ledger = ledger
        numbers = {minion.uid: ledger.number_of(minion.uid) for minion in status.minions}
        self._minions = set(numbers.values())
        self.span = _span(status)
        self.throughput = self._throughput(status.minions) if self.span else None
        self.histogram = self._histogram()
        chosen = _chosen(status.minions)
        self.lives = self._lives(chosen, [numbers[m.uid] for m in chosen], self.span) if self.span else []

    def rows(self) -> Iterator[tuple[int, int, float, float]]:
        """Yield row, minion, end and duration of what was done, failed or ran out of time."""
        ledger = self._ledger
        columns = zip(ledger.minion, ledger.outcome, ledger.ended, ledger.took, strict=True)
        for row, (minion, outcome, ended, took) in enumerate(columns):
            if outcome <= TIMEOUT and minion in self._minions:
                yield row, minion, ended, took

    def is_done(self, row: int) -> bool:
        """Tell whether the execution was; else it failed."""
        return self._ledger.outcome[row] == DONE

    def slowest(self) -> list[int]:
        """Return the rows of the longest executions that were done, longest first."""
        done = ((took, row) for row, _, _, took in self.rows() if self.is_done(row))
        return [row for _, row in nlargest(SLOWEST, done)]

    def _throughput(self, minions: Sequence[Minion]) -> Throughput:
        start, end = self.span or (0.0, 1.0)
        width = next((w for w in WIDTHS if w * BUCKETS >= end - start), _DAY * ceil((end - start) / _DAY / BUCKETS))
        first = floor(start / width)
        n = floor(end / width) - first + 1
        done, failed = array("q", bytes(8 * n)), array("q", bytes(8 * n))
        for row, _, ended, _ in self.rows():
            bucket = floor(ended / width) - first
            if 0 <= bucket < n:
                (done if self.is_done(row) else failed)[bucket] += 1
        return Throughput(first * width, width, done, failed, _alive(minions, first * width, width, n))

    def _histogram(self) -> Histogram | None:
        shortest, longest = _extremes(self._ledger.took[row] for row, *_ in self.rows())
        if not longest:
            return None
        low = max(1e-4, shortest)
        # One that is hardly wider than a point would have bars that mean nothing: it is at least a factor of four wide.
        ratio = max(longest / low * 1.0001, 4.0) ** (1 / BINS)
        done, failed = [0] * BINS, [0] * BINS
        for row, _, _, took in self.rows():
            bin = min(BINS - 1, floor(log(max(took, low) / low) / log(ratio)))
            (done if self.is_done(row) else failed)[bin] += 1
        return Histogram(low, ratio, done, failed)

    def _lives(self, minions: Sequence[Minion], numbers: Sequence[int], span: Span) -> list[Life]:
        cell = (span.end - span.start) / CELLS
        busy = {number: array("d", bytes(8 * CELLS)) for number in numbers}
        failed = {number: bytearray(CELLS) for number in numbers}
        for row, number, ended, took in self.rows():
            if number in busy and span.start <= ended <= span.end:
                _fill(busy[number], (ended - took - span.start) / cell, (ended - span.start) / cell)
                if not self.is_done(row):
                    failed[number][min(CELLS - 1, int((ended - span.start) / cell))] = 1
        return [
            Life(m, [min(1.0, x / m.slots) for x in busy[n]], [bool(x) for x in failed[n]])
            for m, n in zip(minions, numbers, strict=True)
        ]


def _span(status: Status) -> Span | None:
    start, end = status.run.started, status.run.now
    return None if start is None or end < start else Span(start, max(end, start + 1.0))


def _chosen(minions: Sequence[Minion]) -> list[Minion]:
    """Take those to look at: lost, then failing most, then at work longest; show them in the order in which they started."""
    if len(minions) <= LIVES:
        return list(minions)
    ranked = sorted(minions, key=lambda m: (m.state == "lost", m.failed, m.up or 0.0), reverse=True)[:LIVES]
    return sorted(ranked, key=lambda m: (m.started or m.seen, m.uid))


def _alive(minions: Sequence[Minion], start: float, width: int, n: int) -> list[int]:
    """Count the minions that were up at some moment of each bucket."""
    change = [0] * (n + 1)
    for minion in minions:
        if minion.started is not None:
            first = max(0, floor((minion.started - start) / width))
            last = min(n - 1, floor((minion.started + (minion.up or 0.0) - start) / width))
            if first <= last:
                change[first] += 1
                change[last + 1] -= 1
    up = [0]
    for one in change[:-1]:
        up.append(up[-1] + one)
    return up[1:]


def _fill(cells: array[float], start: float, end: float) -> None:
    """Add an interval, given in cells, to the cells that it covers."""
    for cell in range(max(0, int(start)), min(CELLS, ceil(end))):
        cells[cell] += min(end, cell + 1) - max(start, cell)


def _extremes(values: Iterator[float]) -> tuple[float, float]:
    low, high = float("inf"), 0.0
    for value in values:
        low, high = min(low, value), max(high, value)
    return low, high
