"""How wrong the ETA is: on seven simulated runs, beside done/elapsed and what tqdm shows.

Error: |estimated - true| / true of the time that is left, at every hundredth of the run from 5 to 97 %; the figure of a run
is the median. Jump: by how much the moment of the end, as it is forecast, moves between two looks, in % of the run; the
figure is the 90th percentile. Nothing is timed: the figures are the same on every machine.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import pairwise
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.measure import spread
from bench.simulation import SCENARIOS, Run
from minionize.status.eta import Ended, estimate, window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.plan import Plan
    from bench.report import Report

_SEEDS = 8
_FROM, _TO = 5, 97


def measure(plan: Plan, report: Report) -> None:
    """Print the errors and the jumps."""
    seeds = range(plan.times(_SEEDS, 2))
    results = {name: _judged(name, seeds) for name in SCENARIOS}
    report.theme(
        "eta",
        f"error of the time left in %, median of a run, {len(seeds)} seeds",
    )
    for name, by_method in results.items():
        for method, figures in by_method.items():
            report.add(_label(name, method), spread([error for error, _ in figures]))
    report.theme(
        "eta, jumps", f"of the forecast end between two looks in % of the run, 90th percentile, {len(seeds)} seeds"
    )
    for name, by_method in results.items():
        for method, figures in by_method.items():
            report.add(_label(name, method), spread([jump for _, jump in figures]))


def _label(name: str, method: str) -> str:
    return f"{name}: {method}" if method == _OURS else f"{'':4}{method}"


def _judged(name: str, seeds: Sequence[int]) -> dict[str, list[tuple[float, float]]]:
    runs = [SCENARIOS[name](random.Random(f"{name} {seed}")) for seed in seeds]
    return {method: [_judge(run, make(run)) for run in runs] for method, make in _METHODS.items()}


def _judge(run: Run, method: Callable[[float], float | None]) -> tuple[float, float]:
    """Return the error and the jump of a method on a run, both in %."""
    moments = [run.length * i / 100 for i in range(_FROM, _TO + 1)]
    known = [(t, left) for t in moments if t >= run.judged and (left := method(t)) is not None]
    errors = [100 * abs(left - (run.length - t)) / (run.length - t) for t, left in known]
    ends = [t + left for t, left in known]
    jumps = [100 * abs(after - before) / run.length for before, after in pairwise(ends)]
    return median(errors), quantiles(jumps, n=10)[-1]


def _busy_window(run: Run) -> Callable[[float], float | None]:
    """Make ours: it is told what minion-status would read from the events at that moment."""
    ended = [Ended(one.end, one.end - one.start, one.settles) for one in run.executions]
    ends = [one.end for one in run.executions]
    settled = list(_settled_by(run))

    def left(t: float) -> float | None:
        over = bisect_right(ends, t)
        ages = [t - one.start for one in run.executions[over:] if one.start <= t]
        queued = run.total - settled[over] - len(ages)
        found = estimate(ended[max(0, over - window(len(ages))) : over], ages, len(ages), queued, t)
        return found.seconds if found else None

    return left


def _settled_by(run: Run) -> Iterator[int]:
    """Yield how many tasks are done after so many executions."""
    done = 0
    yield done
    for one in run.executions:
        done += one.settles
        yield done


def _done_by_elapsed(run: Run) -> Callable[[float], float | None]:
    """Make the rule of three."""
    ends = [one.end for one in run.executions if one.settles]

    def left(t: float) -> float | None:
        done = bisect_right(ends, t)
        return t * (run.total - done) / done if done else None

    return left


class Ema:
    """The moving average of tqdm (its documentation: ``smoothing``): newer values weigh more, the first ones are corrected for."""

    def __init__(self, smoothing: float = 0.3) -> None:
        self._alpha, self._last, self._calls = smoothing, 0.0, 0

    def __call__(self, x: float | None = None) -> float:
        """Take a value, if there is one, and return the average."""
        if x is not None:
            self._last = self._alpha * x + (1 - self._alpha) * self._last
            self._calls += 1
        return self._last / (1 - (1 - self._alpha) ** self._calls) if self._calls else self._last


def _tqdm(run: Run) -> Callable[[float], float | None]:
    """Make what tqdm does with its defaults: the averages of counts and of times, at most ten times a second."""
    average = _their_ema()
    counts, times = average(), average()
    at, rates, pending, before = [], [], 0, 0.0
    for one in run.executions:
        pending += one.settles
        if pending and one.end - before >= 0.1:
            rates.append(counts(pending) / times(one.end - before))
            at.append(one.end)
            pending, before = 0, one.end
    ends = [one.end for one in run.executions if one.settles]

    def left(t: float) -> float | None:
        shown = bisect_right(at, t)
        return (run.total - bisect_right(ends, t)) / rates[shown - 1] if shown else None

    return left


def _their_ema() -> Callable[[], Callable[..., float]]:
    try:
        from tqdm.std import EMA
    except ImportError:
        return Ema
    return lambda: EMA(0.3)


_OURS = "busy window"
_METHODS: dict[str, Callable[[Run], Callable[[float], float | None]]] = {
    _OURS: _busy_window,
    "done/elapsed": _done_by_elapsed,
    "tqdm": _tqdm,
}
