"""What a minion costs before it does anything: the time from start to exit on an empty queue, and its memory."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from bench import procfs, targets
from bench.children import Failed, Program, command, run, started
from bench.measure import in_turn, rounds_of, spread
from bench.peers import ORIGINAL, Missing
from bench.plan import params

if TYPE_CHECKING:
    import subprocess

    from bench.plan import Plan
    from bench.report import Report

_MB = 1e6
#: Seconds in which a minion must have started its child.
_PATIENCE = 30.0


class Memory(NamedTuple):
    """What a process has in memory (MB), and its share of what it has in common with others."""

    resident: float
    share: float


def measure(plan: Plan, report: Report) -> None:
    """Print the times, and the memory of a minion and of its warden."""
    rounds = plan.times(15, 7)
    report.theme("startup", f"start to exit on an empty queue, {rounds_of(rounds)}; memory while a task runs")
    with plan.place() as directory:
        _measure_time(plan, report, directory, rounds)
    memory = in_turn(plan.times(3, 1), {"minion": lambda: _memory(plan)})["minion"]
    minions, wardens = zip(*memory, strict=True)
    report.add("memory of a minion, resident", spread([one.resident for one in minions]), "MB", targets.MEMORY)
    report.add("  its share (PSS)", spread([one.share for one in minions]), "MB")
    report.add("memory of its warden, resident", spread([one.resident for one in wardens]), "MB")
    report.add("  its share (PSS)", spread([one.share for one in wardens]), "MB")


def _measure_time(plan: Plan, report: Report, directory: str, rounds: int) -> None:
    run(directory, command("queue", "put", "1"))
    run(directory, command("minionize", "/bin/true"))
    nothing = params(os.path.join(directory, "params"), 0)
    programs = {
        "python -c pass": Program([command("minionize").argv[0], "-c", "pass"]),
        "minionize true, nothing to do": command("minionize", "/bin/true"),
        "minionize --help": command("minionize", "--help"),
    }
    try:
        programs[f"minionize {ORIGINAL} file, nothing to do"] = plan.original.minion("file", nothing)
    except Missing as why:
        report.note(f"minionize {ORIGINAL} was left out: {why}")
    for program in programs.values():
        run(directory, program)  # to warm up
    times = in_turn(
        rounds, {name: lambda program=program: 1000 * run(directory, program) for name, program in programs.items()}
    )
    for name, values in times.items():
        report.add(name, spread(values), "ms", targets.START if name.startswith("minionize true") else None)


def _memory(plan: Plan) -> tuple[Memory, Memory]:
    """Start a minion, and look at it and at its warden while its task runs."""
    with plan.place() as directory:
        run(directory, command("queue", "put", "60"))
        with started(command("minionize", "sleep"), directory, endless=True) as minion:
            warden = _wait_for_children(minion)
            return _read(minion.pid), _read(warden)


def memory_of_minion(directory: str, settings: dict[str, str]) -> float:
    """Start a minion on the queue that the settings name; returns what it has in memory while its task runs (MB)."""
    run(directory, command("queue", "put", "60", **settings))
    with started(command("minionize", "sleep", **settings), directory, endless=True) as minion:
        _wait_for_children(minion)
        return _read(minion.pid).resident


def _wait_for_children(minion: subprocess.Popen[str]) -> int:
    """Wait until the minion's task runs; returns the pid of the warden."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and minion.poll() is None:
        names = {name: pid for pid, name in procfs.children(minion.pid)}
        if {"sleep", "minion-warden"} <= names.keys():
            return names["minion-warden"]
        time.sleep(0.01)
    raise Failed("the minion did not start its task")


def _read(pid: int) -> Memory:
    resident, share = (
        procfs.kilobytes(f"/proc/{pid}/status", "VmRSS:"),
        procfs.kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:"),
    )
    return Memory(resident * 1024 / _MB, share * 1024 / _MB)
