"""The slot loop alone: what starting and reaping costs a minion, against the least it can cost."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from bench import targets
from bench.children import PROGRAMS, Program, answer, script
from bench.measure import in_turn, ratio, rounds_of, spread

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.report import Report

C, LOOP = "C posix_spawn, 2 in flight", "slot loop, 2 slots"


def measure(plan: Plan, report: Report) -> None:
    """Print both rates, and ours over that of C."""
    count, rounds = 1000 if plan.quick else 3000, plan.times(5, 3)
    report.theme("slots", f"/bin/true N per second, the loop alone, {count} params, {rounds_of(rounds)}")
    with plan.place() as directory:
        programs = {LOOP: script("slot_loop.py", str(count), "2")}
        compiled = _compile(directory)
        if compiled:
            programs[C] = Program([compiled, str(count), "2"])
        else:
            report.note(f"{C} was left out: there is no C compiler here (apt-get install gcc libc6-dev)")
        for program in programs.values():
            answer(directory, program._replace(argv=[*program.argv[:-2], "10", "2"]))  # to warm up
        rates = in_turn(
            rounds,
            {
                name: lambda program=program: count / float(answer(directory, program))
                for name, program in programs.items()
            },
        )
    for name, values in rates.items():
        report.add(name, spread(values), "/s")
    if C in rates:
        report.add(f"{LOOP} / C", ratio(rates[LOOP], rates[C]), target=targets.SLOT_LOOP)


def _compile(directory: str) -> str | None:
    """Compile the C loop; None where that cannot be done."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        return None
    path = os.path.join(directory, "posix_spawn")
    source = os.path.join(PROGRAMS, "posix_spawn.c")
    done = subprocess.run([compiler, "-O2", "-o", path, source], capture_output=True, check=False)
    return path if done.returncode == 0 else None
