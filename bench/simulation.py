"""Runs that never happened: minions that come and go, tasks of any length, by a clock of their own and with fixed seeds."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import exp, inf
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence


class Execution(NamedTuple):
    """From when to when (seconds) a minion ran a task; ``settles``: it was not cut short."""

    start: float
    end: float
    settles: bool


class Run(NamedTuple):
    """A simulated run of ``total`` tasks, its executions in the order of their ends. It is judged from ``judged`` on."""

    total: int
    executions: list[Execution]
    judged: float

    @property
    def length(self) -> float:
        """When the last task is over."""
        return self.executions[-1].end


class Minion(NamedTuple):
    """A minion with one slot, and when it comes and leaves."""

    comes: float = 0.0
    leaves: float = inf


def simulate(durations: Sequence[float], minions: Sequence[Minion], judged: float = 0.0) -> Run:
    """Let minions take tasks in order. One that leaves gives its task back, to be started anew."""
    todo = list(reversed(durations))
    free = [(minion.comes, number) for number, minion in enumerate(minions)]
    heapify(free)
    given_back: list[tuple[float, float]] = []
    executions = []
    while todo or given_back:
        now, number = heappop(free)
        leaves = minions[number].leaves
        if now >= leaves:
            continue
        if given_back and given_back[0][0] <= now:
            took = heappop(given_back)[1]
        elif todo:
            took = todo.pop()
        else:  # it waits for what another one will give back
            heappush(free, (given_back[0][0], number))
            continue
        end = min(now + took, leaves)
        executions.append(Execution(now, end, settles=end == now + took))
        if end < now + took:
            heappush(given_back, (end, took))
        heappush(free, (end, number))
    executions.sort(key=lambda one: one.end)
    return Run(len(durations), executions, judged)


def _lognormal(n: int, median: float, sigma: float, dice: random.Random) -> list[float]:
    return [median * exp(sigma * dice.gauss(0, 1)) for _ in range(n)]


def _even(dice: random.Random) -> Run:
    return simulate(_lognormal(2000, 60, 0.5, dice), [Minion()] * 16)


def _heavy(dice: random.Random) -> Run:
    return simulate(_lognormal(2000, 30, 1.2, dice), [Minion()] * 16)


def _two_kinds(dice: random.Random) -> Run:
    return simulate([300.0 if dice.random() < 0.05 else 5.0 for _ in range(4000)], [Minion()] * 64)


def _waves(dice: random.Random) -> Run:
    return simulate([540 * dice.uniform(0.98, 1.02) for _ in range(160)], [Minion()] * 8)


def _best_effort(dice: random.Random) -> Run:
    left = 900.0
    return simulate(_lognormal(4000, 60, 0.5, dice), [Minion()] * 16 + [Minion(leaves=left)] * 48, left + 60)


def _ramp(dice: random.Random) -> Run:
    came = 1800.0
    return simulate(_lognormal(4000, 60, 0.5, dice), [Minion()] * 4 + [Minion(came)] * 60, came + 60)


def _sorted(dice: random.Random) -> Run:
    return simulate(sorted(_lognormal(2000, 60, 0.6, dice)), [Minion()] * 16)


#: What each scenario is called, and how it is made from dice.
SCENARIOS: dict[str, Callable[[random.Random], Run]] = {
    "16 minions, lognormal s=0.5": _even,
    "heavy tail, s=1.2": _heavy,
    "95 % 5 s + 5 % 300 s, 64 minions": _two_kinds,
    "9-minute tasks in waves, 8 minions": _waves,
    "best effort: 64, then 16 minions": _best_effort,
    "ramp: 4, then 64 minions": _ramp,
    "slow params last (a sorted sweep)": _sorted,
}
