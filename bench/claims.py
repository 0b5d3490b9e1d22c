"""Claims per second: settling a batch and claiming the next one is one exchange, by so many processes at once."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from bench import targets
from bench.children import answer, command, run, script, started
from bench.measure import in_turn, ratio, rounds_of, spread
from bench.peers import Missing
from bench.plan import params

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.report import Report

_SMALL, _MIDDLE, _LARGE = 10_000, 100_000, 1_000_000
_NAMES = {_SMALL: "10 thousand", _MIDDLE: "100 thousand", _LARGE: "a million"}
_TARGETS = {(8, 1): targets.CLAIMS_SINGLY, (8, 64): targets.CLAIMS_BATCHED}
#: Claims by which a small queue and a large one are compared: the small one must not end.
_LOOK = 8_000
#: Seconds in which processes that are ready get to wait for the start together.
_COUNTDOWN = 0.1
_NO_LIMIT = 1 << 60


class Case(NamedTuple):
    """One way to empty a queue."""

    size: int
    processes: int
    batch: int

    def __str__(self) -> str:
        """Say it."""
        many = "processes" if self.processes > 1 else "process"
        return f"{_NAMES[self.size]}, {self.processes} {many}, {f'by {self.batch}' if self.batch > 1 else 'singly'}"


class Claims(NamedTuple):
    """What all processes did: tasks per second, the worst exchange (ms), the largest share over the smallest."""

    rate: float
    worst: float
    fairness: float


def measure(plan: Plan, report: Report) -> None:
    """Print the rates, how fair and how flat they are, and ours over the ParamSweeper's."""
    rounds, seconds = plan.times(3, 1), 0.5 if plan.quick else 1.5
    report.theme("claims", f"settle and claim in one exchange, {seconds} s each, {rounds_of(rounds)}")
    with plan.place() as directory:
        queues = {size: _fill(directory, size) for size in ((_SMALL, _LARGE) if plan.quick else _NAMES)}
        _claim(plan, queues[_SMALL], Case(_SMALL, 1, 1), 0.1)  # to warm up
        variants = {
            str(case): lambda case=case: _claim(plan, queues[case.size], case, seconds)
            for case in _cases(list(queues), plan.quick)
        }
        results = in_turn(rounds, variants)
        for case in _cases(list(queues), plan.quick):
            _print(report, case, results[str(case)])
        _measure_flatness(plan, report, queues)
        _measure_sweeper(plan, report, queues[_SMALL], seconds)


def _cases(sizes: list[int], quick: bool) -> list[Case]:
    crowds = (1, 8) if quick else (1, 2, 8, 32)
    cases = [Case(size, crowd, batch) for batch in (1, 64) for size in sizes for crowd in crowds]
    return [*cases, Case(_LARGE, 32, 1)] if quick else cases


def _print(report: Report, case: Case, claims: list[Claims]) -> None:
    ours = case.processes == 8 and case.size == _LARGE
    report.add(str(case), spread([one.rate for one in claims]), "/s", _TARGETS[8, case.batch] if ours else None)
    if case.processes >= 8 and case.size == _LARGE:
        worst, fairness = spread([one.worst for one in claims]), spread([one.fairness for one in claims])
        report.add("  its worst exchange", worst, "ms", targets.WORST if ours else None)
        report.add("  its largest share / smallest", fairness, target=targets.FAIRNESS if ours else None)


def _measure_flatness(plan: Plan, report: Report, queues: dict[int, str]) -> None:
    """Compare what a claim costs in a large queue and in a small one, one right after the other."""
    for batch, words in ((1, "singly"), (64, "by 64")):
        small, large = Case(_SMALL, 1, batch), Case(_LARGE, 1, batch)
        rates = in_turn(
            plan.times(9, 5),
            {
                str(case): lambda case=case: _claim(plan, queues[case.size], case, 60.0, _LOOK).rate
                for case in (small, large)
            },
        )
        costs = ratio(rates[str(small)], rates[str(large)])
        report.add(
            f"cost of a claim {words}, a million / 10 thousand", costs, target=targets.FLAT if batch == 1 else None
        )


def _measure_sweeper(plan: Plan, report: Report, queue: str, seconds: float) -> None:
    """Compare with execo's ParamSweeper: one process, one task at a time."""
    try:
        plan.original.python()
    except Missing as why:
        report.note(f"execo's ParamSweeper was left out: {why}")
        return
    rates = in_turn(
        plan.times(3, 2),
        {
            "ours": lambda: _claim(plan, queue, Case(_SMALL, 1, 1), seconds).rate,
            "theirs": lambda: sweep(plan, seconds),
        },
    )
    report.add("execo's ParamSweeper, 10 thousand, singly", spread(rates["theirs"]), "/s")
    report.add("ours / ParamSweeper", ratio(rates["ours"], rates["theirs"]), target=targets.SWEEPER)


def sweep(plan: Plan, seconds: float) -> float:
    with plan.place() as directory:
        return float(answer(directory, plan.original.sweeper("sweeps", _SMALL, seconds)))


def _fill(directory: str, size: int) -> str:
    """Make a queue of so many params; returns its path."""
    queue = os.path.join(directory, f"{size}.db")
    file = params(os.path.join(directory, "params"), size)
    run(directory, command("queue", "put", "-f", file, SQLITE_PATH=queue))
    return queue


def _claim(plan: Plan, queue: str, case: Case, seconds: float, limit: int = _NO_LIMIT) -> Claims:
    """Let so many processes at once empty a copy of a queue."""
    with plan.place() as directory:
        copy = os.path.join(directory, "queue.db")
        shutil.copyfile(queue, copy)
        return drain(directory, case.processes, case.batch, seconds, limit, SQLITE_PATH=copy, MINION_ENGINE="sqlite")


def drain(
    directory: str, processes: int, batch: int, seconds: float = 600.0, limit: int = _NO_LIMIT, **settings: str
) -> Claims:
    """Let so many processes at once claim and settle, of the queue that the settings name, as long as there is something."""
    with ExitStack() as stack:
        program = script("claimer.py", str(batch), str(limit))
        program = program._replace(variables={**program.variables, **settings})
        claimers = [stack.enter_context(started(program, directory, talk=True)) for _ in range(processes)]
        for claimer in claimers:
            claimer.stdout.readline()
        start = time.monotonic() + _COUNTDOWN
        for claimer in claimers:
            claimer.stdin.write(f"{start} {start + seconds}\n")
            claimer.stdin.flush()
        said = [claimer.communicate(timeout=600)[0] for claimer in claimers]
        return _sum(start, [json.loads(text) for text in said if text])


def _sum(start: float, parts: list[dict[str, float]]) -> Claims:
    done = [part["done"] for part in parts]
    took = max(part["last"] for part in parts) - start
    return Claims(sum(done) / took, 1000 * max(part["worst"] for part in parts), max(done) / max(1, min(done)))
