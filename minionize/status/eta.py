"""When the run ends: the "busy window" estimator.

What one execution costs in minion-seconds is measured over the last few, and work that is already in hand counts by
how much longer such a task usually takes. A task that fails is tried again: what waits counts as often as the last few
tasks were tried, or a sweep in which many fail would seem to be nearly over all the time. No range is given: none that was tried held the truth as often as it said.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ended(NamedTuple):
    """An execution that is over. ``settles``: it was a try at its task, no interruption; ``task``: a number for that."""

    at: float
    took: float
    settles: bool
    task: int | None = None


class Eta(NamedTuple):
    """``seconds`` from now, and how many executions (``k``) that rests on."""

    seconds: float
    k: int


def window(at_once: int) -> int:
    """Say how many ended executions :func:`estimate` looks at when so many run at once."""
    return max(200, 5 * at_once) + 1


def estimate(recent: Sequence[Ended], ages: Sequence[float], at_once: int, queued: int, now: float) -> Eta | None:
    """Estimate the seconds until ``queued`` tasks and those in flight are over.

    ``recent``: the newest ended executions, oldest first. ``ages``: seconds since the start of those in flight, as far
    as known; ``at_once``: how many are. None where too few have ended.
    """
    settled = [e for e in recent if e.settles]
    if at_once < 1 or len(settled) < max(5, at_once / 2):
        return None
    k = min(len(settled), max(50, 3 * at_once))
    # The window opens at the end of the execution before the first that counts, or when the first of all started.
    t0 = settled[-k - 1].at if len(settled) > k else min(e.at - e.took for e in settled)
    spent = sum(min(e.took, e.at - t0) for e in recent if e.at > t0) + sum(min(age, now - t0) for age in ages)
    mean = max(0.0, spent) / k
    durations = sorted(e.took for e in settled)
    left = [residual(age, durations, mean) for age in ages]
    work = queued * _tries(settled) * mean + sum(left) + max(0, at_once - len(ages)) * mean / 2
    return Eta(max(work / at_once, max(left, default=0.0)), k)


def _tries(settled: Sequence[Ended]) -> float:
    """Count the tries per task. Those before and after the last few are not seen: it is never too many."""
    known = [e.task for e in settled if e.task is not None]
    return len(known) / len(set(known)) if known else 1.0


def residual(age: float, durations: Sequence[float], mean: float) -> float:
    """Estimate how much longer a task of this age runs, from sorted durations of others; seconds."""
    longer = durations[bisect_right(durations, age) :]
    if len(longer) < 3:
        return max(mean / 2, age / 2)
    return sum(longer) / len(longer) - age
