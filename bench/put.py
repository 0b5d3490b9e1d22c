"""Filling a queue: ``seq 1000000 | minion-queue put -f -``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from bench import targets
from bench.children import Failed, answer, script
from bench.measure import in_turn, rounds_of, spread

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.report import Report

_HALF, _MANY = 500_000, 1_000_000
_MB = 1e6


class Filled(NamedTuple):
    """What one put took: seconds, and MB of disk and of memory."""

    seconds: float
    disk: float
    memory: float


def measure(plan: Plan, report: Report) -> None:
    """Print what a put of a million takes, and whether its memory goes with their number."""
    rounds = plan.times(3, 1)
    report.theme("put", f"seq 1000000 | minion-queue put -f -, from start to exit, {rounds_of(rounds)}")
    _put(plan, 10)  # to warm up
    counts = (_MANY,) if plan.quick else (_HALF, _MANY)
    results = in_turn(rounds, {str(count): lambda count=count: _put(plan, count) for count in counts})
    many = results[str(_MANY)]
    report.add("a million params", spread([one.seconds for one in many]), "s", targets.PUT)
    report.add("the file", spread([one.disk for one in many]), "MB", targets.PUT_FILE)
    report.add("peak memory", spread([one.memory for one in many]), "MB")
    if plan.quick:
        return
    growth = [whole.memory - half.memory for half, whole in zip(results[str(_HALF)], many, strict=True)]
    report.add("  more than for half a million", spread(growth), "MB", targets.PUT_GROWTH)


def _put(plan: Plan, count: int) -> Filled:
    with plan.place() as directory:
        program = script("peak.py", "queue", "put", "-f", "-")
        pipe = ["/bin/sh", "-c", 'seq "$1" | { shift; exec "$@"; }', "sh", str(count), *program.argv]
        began = time.perf_counter()
        said = answer(directory, program._replace(argv=pipe)).splitlines()
        took = time.perf_counter() - began
        if f" {count} added" not in said[0]:
            raise Failed(f"{count} params were put, and minion-queue said: {said[0]}")
        size = os.stat(os.path.join(directory, "minion-queue.db")).st_size
    return Filled(took, size / _MB, int(said[-1]) * 1024 / _MB)
