"""Processes per second: ``/bin/true N`` for every N, from the start of the runner to its exit."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, NamedTuple

from bench import peers, targets
from bench.children import Failed, command, run
from bench.measure import in_turn, ratio, rounds_of, spread
from bench.plan import params
from minionize import place
from minionize.engines.sqlite import SqliteEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.children import Program
    from bench.plan import Plan
    from bench.report import Report

XARGS, PARALLEL, RESULTS = "xargs -P2 -n1", "parallel -j2", "parallel -j2 --results"
ONE, TWO, SINGLE, FILES = "minionize -j2", "2 x minionize -j1", "minionize -j1", "minionize -j2 (output in files)"
FILE, EXECO = f"{peers.ORIGINAL} file", f"{peers.ORIGINAL} execo"

#: How many params each one gets: fewer where it is slow, since rates are compared; usually, and in a quick run.
_PARAMS = {
    XARGS: (3000, 1500),
    ONE: (3000, 1500),
    TWO: (3000, 1500),
    SINGLE: (2000, 600),
    FILES: (2000, 600),
    PARALLEL: (1000, 150),
    RESULTS: (600, 100),
    FILE: (1000, 200),
    EXECO: (600, 100),
}
#: What is printed as a ratio: ours, the peer's, and what it should be.
_RATIOS = (
    (ONE, XARGS, targets.ONE_MINION),
    (TWO, XARGS, targets.TWO_MINIONS),
    (ONE, PARALLEL, targets.PARALLEL),
    (ONE, RESULTS, targets.PARALLEL_RESULTS),
    (FILES, RESULTS, None),
    (SINGLE, FILE, targets.ORIGINAL_FILE),
    (SINGLE, EXECO, targets.ORIGINAL_EXECO),
)


class Pace(NamedTuple):
    """What a run took: tasks per second, and ms of CPU per task, that of the tasks included."""

    rate: float
    cpu: float


def measure(plan: Plan, report: Report) -> None:
    """Print the rates, and ours over those of the peers."""
    rounds = plan.times(5, 3)
    report.theme("processes", f"/bin/true N per second, from start to exit, {rounds_of(rounds)}")
    variants: dict[str, Callable[[int], Pace]] = {
        XARGS: lambda count: _peer(plan, count, lambda file, _: peers.xargs(2, file)),
        ONE: lambda count: _minions(plan, count, 1, 2),
        TWO: lambda count: _minions(plan, count, 2, 1),
        SINGLE: lambda count: _minions(plan, count, 1, 1),
        FILES: lambda count: _minions(plan, count, 1, 2, MINION_OUTPUT="output"),
        PARALLEL: lambda count: _peer(plan, count, lambda file, home: peers.parallel(2, file, home)),
        RESULTS: lambda count: _peer(plan, count, lambda file, home: peers.parallel(2, file, home, "--results", "out")),
        FILE: lambda count: _peer(plan, count, lambda file, _: plan.original.minion("file", file)),
        EXECO: lambda count: _execo(plan, count),
    }
    missing = _warm_up(variants)
    sizes = {name: size[plan.quick] for name, size in _PARAMS.items() if name not in missing}
    paces = in_turn(rounds, {name: lambda name=name: variants[name](sizes[name]) for name in sizes})
    for name, size in sizes.items():
        report.add(f"{name}, {size} params", spread([one.rate for one in paces[name]]), "/s")
    for ours, theirs, target in _RATIOS:
        if theirs in paces:
            values = ratio([one.rate for one in paces[ours]], [one.rate for one in paces[theirs]])
            report.add(f"{ours} / {theirs}", values, target=target)
    for name in (XARGS, ONE):
        report.add(f"{name}, CPU per task", spread([one.cpu for one in paces[name]]), "ms")
    for name, why in missing.items():
        report.note(f"{name} was left out: {why}")


def _warm_up(variants: dict[str, Callable[[int], Pace]]) -> dict[str, str]:
    """Run everything once, so that files are cached and byte code is there; returns what is missing here, and why."""
    missing = {}
    for name, variant in variants.items():
        try:
            variant(10)
        except peers.Missing as why:
            missing[name] = str(why)
    return missing


def _minions(plan: Plan, count: int, minions: int, slots: int, **variables: str) -> Pace:
    """Let minions empty a queue, with default settings."""
    with plan.place() as directory:
        run(directory, command("queue", "put", f"1..{count}"))
        pace = _run(directory, count, *[command("minionize", "-j", str(slots), "/bin/true", **variables)] * minions)
        _check(directory, count)
    return pace


def _check(directory: str, count: int) -> None:
    """Raise Failed unless the books say that all is done."""
    engine = SqliteEngine(os.path.join(directory, "minion-queue.db"), place.identity())
    try:
        done = engine.counts().done
    finally:
        engine.close()
    if done != count:
        raise Failed(f"{done} of {count} tasks are done")


def _peer(plan: Plan, count: int, program: Callable[[str, str], Program]) -> Pace:
    """Run a peer that reads params from its standard input, in a directory of its own."""
    with plan.place() as directory:
        file = params(os.path.join(directory, "params"), count)
        return _run(directory, count, program(file, directory))


def _execo(plan: Plan, count: int) -> Pace:
    """Fill a sweep and run the original on it."""
    with plan.place() as directory:
        run(directory, plan.original.sweeper("sweeps", count))
        return _run(directory, count, plan.original.minion("execo"))


def _run(directory: str, count: int, *programs: Program) -> Pace:
    before = _cpu()
    rate = count / run(directory, *programs)
    return Pace(rate, 1000 * (_cpu() - before) / count)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
