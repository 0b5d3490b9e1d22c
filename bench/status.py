"""Looking at a run: seconds and memory of ``minion-status``, with nothing kept from an earlier look and with it."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, NamedTuple

from bench import targets
from bench.children import Program, answer, script
from bench.measure import Spread, in_turn, ratio, rounds_of, spread
from bench.peers import ORIGINAL, Missing
from bench.reports import write, write_original

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.plan import Plan
    from bench.report import Report
    from bench.targets import Target

_MB = 1e6
#: 0.3.4 keeps what it read among the reports.
_ITS_CACHE = ".cache.pickle"


class Look(NamedTuple):
    """What one look took: seconds from start to exit, and the most memory (MB)."""

    seconds: float
    memory: float


def measure(plan: Plan, report: Report) -> None:
    """Print what a look takes, and how many times as long and as much it takes with 0.3.4."""
    rounds = plan.times(5, 2)
    count = 20_000 if plan.quick else 100_000
    report.theme("status", f"minion-status, from start to exit, {rounds_of(rounds)}")
    with plan.place() as directory:
        _compare(plan, report, directory, count, rounds)
    if not plan.quick:
        with plan.place() as directory:
            many = _variants(directory, write(os.path.join(directory, "many"), 10_000, 1000), "status")
            results = in_turn(rounds, many)
            _print(report, "10,000 events in 1000 files", results, targets.STATUS_FILES, None, None)
        with plan.place() as directory:
            large = _variants(directory, write(os.path.join(directory, "large"), 1_000_000, 100), "status")
            _print(report, "a million events in 100 files", in_turn(1, large), None, None, None)


def _compare(plan: Plan, report: Report, directory: str, count: int, rounds: int) -> None:
    reports = write(os.path.join(directory, "reports"), count, 100)
    size = sum(entry.stat().st_size for entry in os.scandir(reports)) / _MB
    variants = _variants(directory, reports, "status")
    page = os.path.join(directory, "page.html")
    variants["html"] = lambda: _look(script("peak.py", "status", reports, "--html", page), directory)
    try:
        variants |= _originals(plan, directory, write_original(os.path.join(directory, "original"), count, 100))
    except Missing as why:
        report.note(f"minionize {ORIGINAL} was left out: {why}")
    results = in_turn(rounds, variants)
    name = f"{count:,} events in 100 files ({size:.0f} MB)"
    _print(report, name, results, targets.STATUS_COLD, targets.STATUS_WARM, targets.STATUS_MEMORY)
    report.add("  the HTML report, nothing kept", spread([look.seconds for look in results["html"]]), "s")
    report.add("  its size", spread([os.stat(page).st_size / _MB]), "MB", targets.STATUS_HTML)
    if "original cold" in results:
        for kind in ("cold", "warm"):
            theirs, ours = results[f"original {kind}"], results[kind]
            report.add(f"  {ORIGINAL} {kind}", spread([look.seconds for look in theirs]), "s")
            report.add("    times ours", _over(theirs, ours, lambda look: look.seconds))
            report.add("    its memory, times ours", _over(theirs, ours, lambda look: look.memory))


def _over(theirs: list[Look], ours: list[Look], figure: Callable[[Look], float]) -> Spread:
    return ratio([figure(look) for look in theirs], [figure(look) for look in ours])


def _print(
    report: Report,
    name: str,
    results: dict[str, list[Look]],
    cold: Target | None,
    warm: Target | None,
    memory: Target | None,
) -> None:
    report.add(f"{name}, nothing kept", spread([look.seconds for look in results["cold"]]), "s", cold)
    report.add("  looked at before", spread([look.seconds for look in results["warm"]]), "s", warm)
    report.add("  peak memory", spread([look.memory for look in results["cold"]]), "MB", memory)


def _variants(directory: str, reports: str, command: str) -> dict[str, Callable[[], Look]]:
    """Make a first look and a later one. The files themselves are in the system's cache for both."""
    kept = os.path.join(directory, "kept")
    program = script("peak.py", command, reports)

    def cold() -> Look:
        shutil.rmtree(kept, ignore_errors=True)
        return _look(program, directory, kept)

    def warm() -> Look:
        if not os.path.exists(kept):
            _look(program, directory, kept)
        return _look(program, directory, kept)

    return {"cold": cold, "warm": warm}


def _originals(plan: Plan, directory: str, reports: str) -> dict[str, Callable[[], Look]]:
    program, kept = plan.original.status(reports), os.path.join(reports, _ITS_CACHE)

    def cold() -> Look:
        if os.path.exists(kept):
            os.unlink(kept)
        return _look(program, directory)

    def warm() -> Look:
        if not os.path.exists(kept):
            _look(program, directory)
        return _look(program, directory)

    return {"original cold": cold, "original warm": warm}


def _look(program: Program, directory: str, kept: str | None = None) -> Look:
    """Run a program whose last line is its peak memory in kB."""
    nowhere = os.path.join(directory, "nowhere")
    variables = {**program.variables, "XDG_CACHE_HOME": kept or nowhere}
    if not kept:
        shutil.rmtree(nowhere, ignore_errors=True)
    began = time.perf_counter()
    said = answer(directory, program._replace(variables=variables))
    took = time.perf_counter() - began
    return Look(took, int(said.split()[-1]) * 1024 / _MB)
