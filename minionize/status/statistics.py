"""Percentiles, rate charts and the test for bad nodes. Pure functions over numbers, times in seconds."""

from __future__ import annotations

from math import ceil, exp, floor, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Up to here percentiles are exact, beyond they come from buckets of which each is 2 % wider than the one before.
EXACT = 200_000
_RATIO = log(1.02)
_SMALLEST = 1e-6

#: Widths that buckets of time may have, in seconds.
WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
BUCKETS = 60


class Duration(NamedTuple):
    """How long executions took. A percentile is None where there are too few of them for it to mean something."""

    n: int
    min: float
    p50: float
    p90: float | None
    p95: float | None
    p99: float | None
    max: float
    mean: float


class Chart(NamedTuple):
    """Executions that ended per bucket of ``width`` seconds, from ``start`` on."""

    start: float
    width: int
    counts: tuple[int, ...]


class Sample:
    """Numbers of which percentiles are asked."""

    __slots__ = ("_buckets", "_sorted", "n", "total")

    def __init__(self, values: Sequence[float]) -> None:
        """Sort them, or count them into buckets where there are more than EXACT."""
        self.n, self.total = len(values), sum(values)
        self._sorted = sorted(values) if self.n <= EXACT else [min(values), max(values)]
        self._buckets = _bucket_counts(values) if self.n > EXACT else []

    def percentile(self, p: float) -> float:
        """Take the nearest rank: of the sorted values the one numbered ceil(p * n), from 1."""
        rank = max(1, ceil(p * self.n - 1e-9))
        if not self._buckets:
            return self._sorted[rank - 1]
        bucket = 0
        for bucket, count in self._buckets:  # noqa: B007 - the one that the loop ends at
            rank -= count
            if rank <= 0:
                break
        middle = _SMALLEST * exp((bucket + 0.5) * _RATIO)
        return min(max(middle, self._sorted[0]), self._sorted[-1])

    def duration(self) -> Duration | None:
        """Sum the sample up; None where it is empty."""
        if not self.n:
            return None

        def when(least: int, p: float) -> float | None:
            return self.percentile(p) if self.n >= least else None

        low, high = self._sorted[0], self._sorted[-1]
        return Duration(
            self.n, low, self.percentile(0.5), when(10, 0.9), when(20, 0.95), when(100, 0.99), high, self.total / self.n
        )


def _bucket_counts(values: Iterable[float]) -> list[tuple[int, int]]:
    counts: dict[int, int] = {}
    for value in values:
        bucket = floor(log(value / _SMALLEST) / _RATIO) if value > _SMALLEST else 0
        counts[bucket] = counts.get(bucket, 0) + 1
    return sorted(counts.items())


def rate(ended: Iterable[float], now: float, window: float, elapsed: float) -> float | None:
    """Count what ended in the last ``window`` seconds, per second; None where the run is younger than half of them."""
    if elapsed < window / 2:
        return None
    return sum(1 for t in ended if now - window < t <= now) / min(window, elapsed)


def chart(ended: Iterable[float], started: float, now: float) -> Chart | None:
    """Count ends into at most 60 whole buckets, aligned to their width; None where fewer than two are over."""
    span = now - started
    width = next((w for w in WIDTHS if w * BUCKETS >= span), WIDTHS[-1])
    last = floor(now / width)
    first = max(floor(started / width), last - BUCKETS)
    if last - first < 2:
        return None
    counts = [0] * (last - first)
    for t in ended:
        bucket = floor(t / width) - first
        if 0 <= bucket < len(counts):
            counts[bucket] += 1
    return Chart(first * width, width, tuple(counts))


def is_bad(failed: int, n: int, failed_elsewhere: int, n_elsewhere: int) -> bool:
    """Tell whether a node fails more than chance allows.

    At least 20 executions on it, three times the others' rate, and p < 0.001 (two-sided, normal approximation).
    """
    if n < 20 or not n_elsewhere:
        return False
    here, there = failed / n, failed_elsewhere / n_elsewhere
    pooled = (failed + failed_elsewhere) / (n + n_elsewhere)
    spread = sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_elsewhere))
    return here > 0 and here >= 3 * there and spread > 0 and (here - there) / spread > 3.2905
