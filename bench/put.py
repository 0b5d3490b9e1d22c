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

_MANY = 1_000_000
_MB = 1e6


class Filled(NamedTuple):
    """What one put took: seconds, and MB of disk and of memory."""

    seconds: float
    disk: float
    memory: float


def measure(plan: Plan, report: Report) -> None:
    """Print what a put of a million takes, and whether a larger one needs more memory."""
    rounds = plan.times(3, 1)
    report.theme("put", f"seq 1000000 | minion-queue put -f -, from start to exit, {rounds_of(rounds)}")
    _put(plan, 10)  # to warm up
    results = in_turn(rounds, {"put": lambda: _put(plan, _MANY)})["put"]
    report.add("a million params", spread([one.seconds for one in results]), "s", targets.PUT)
    report.add("the file", spread([one.disk for one in results]), "MB", targets.PUT_FILE)
    report.add("peak memory", spread([one.memory for one in results]), "MB")
    if not plan.quick:
        more = _put(plan, 2 * _MANY).memory - results[0].memory
        report.add("  and for two million, more by", spread([more]), "MB", targets.PUT_GROWTH)


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
