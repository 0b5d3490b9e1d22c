"""One minion on each engine: tasks per second, and what each task costs its server or its file system."""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import shutil
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from bench import servers, targets
from bench.children import Program, command, run, script, started
from bench.claims import drain, sweep
from bench.measure import in_turn, rounds_of, spread
from bench.peers import Missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.plan import Plan
    from bench.report import Report

#: Params of one run: processes, no-ops singly, no-ops in batches; usually, and in a quick run.
_TRUE, _SINGLY, _BATCHED = (1500, 400), (2000, 500), (20_000, 5_000)
_BATCH = 64
_MANY = 100_000
#: Engines that cannot tell that nothing is left.
_UNSURE = ("google",)
#: System calls that reach a file system.
_CALLS = "trace=%file,fsync,fdatasync,write,pwrite64,ftruncate,fcntl,flock,getdents64"


#: The engines that need a server, and what starts it.
SERVERS = {"redis": servers.redis, "google": servers.pubsub, "pulsar": servers.pulsar}
#: How a queue of one's own is named on a server that is shared.
_NAMES = {"redis": "REDIS_STREAM", "google": "GOOGLE_TOPIC_ID", "pulsar": "PULSAR_TOPIC"}


class Kind(NamedTuple):
    """An engine: the settings that point to it, and its server, if it needs one."""

    name: str
    settings: dict[str, str]
    server: servers.Server | None = None


def measure(plan: Plan, report: Report) -> None:
    """Print it engine by engine, each beside the others in every round."""
    rounds = plan.times(3, 1)
    report.theme("engines", f"one minion on each, {rounds_of(rounds)}")
    with kinds(report) as engines:
        for words, sizes, act in (
            ("/bin/true, -j2", _TRUE, _minion),
            ("no-ops singly", _SINGLY, lambda plan, kind, size: _noops(plan, kind, size, 1)),
            (f"no-ops by {_BATCH}", _BATCHED, lambda plan, kind, size: _noops(plan, kind, size, _BATCH)),
        ):
            size = sizes[plan.quick]
            variants = {kind.name: lambda kind=kind, act=act, size=size: act(plan, kind, size) for kind in engines}
            for name, rates in in_turn(rounds, variants).items():
                report.add(f"{name}: {words}", spread(rates), "/s")
        for kind in engines:
            for batch in (1, _BATCH):
                _measure_costs(plan, report, kind, batch)
    _measure_spool(plan, report, rounds)


@contextmanager
def kinds(report: Report, *servers_only: str) -> Iterator[list[Kind]]:
    """Start the servers that can be had, and give all engines, or only those of these servers."""
    found = [Kind("sqlite", {}), Kind("spool", {})]
    if importlib.util.find_spec("execo_engine"):
        found.append(Kind("execo", {}))
    else:
        report.note("execo was left out: pip install 'minionize[execo]'")
    with ExitStack() as stack:
        for name, start in SERVERS.items():
            try:
                server = stack.enter_context(start())
            except Missing as why:
                report.note(f"{name} was left out: {why}")
            else:
                found.append(Kind(name, server.settings, server))
        yield [kind for kind in found if not servers_only or kind.name in servers_only]


# ---------------------------------------------------------------------- rates


def _minion(plan: Plan, kind: Kind, count: int) -> float:
    """Run ``/bin/true`` for so many params, from the start of the minion to its exit."""
    with _filled(plan, kind, count) as (directory, settings):
        began = time.time()
        took = run(directory, command("minionize", "-q", "-j", "2", "--idle-timeout", "1", "/bin/true", **settings))
        if kind.name in _UNSURE:  # it stays a while, because it cannot know that it is done
            took = _last_end(directory) - began
        return count / took


def _noops(plan: Plan, kind: Kind, count: int, batch: int) -> float:
    """Claim and settle so many tasks, and do nothing between."""
    with _filled(plan, kind, count) as (directory, settings):
        return drain(directory, 1, batch, limit=count, **settings).rate


def _last_end(directory: str) -> float:
    """Tell when the last task ended, by the events (seconds since the epoch)."""
    ends = []
    for path in glob.glob(os.path.join(directory, "minion-report", "*.jsonl")):
        with open(path, encoding="utf-8") as file:
            ends += [event["t"] for event in map(json.loads, file) if event["type"] == "task_end"]
    return max(ends)


@contextmanager
def _filled(plan: Plan, kind: Kind, count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Fill a queue of that kind in a directory of its own."""
    with plan.place() as directory:
        settings = {"MINION_ENGINE": kind.name, **kind.settings}
        if kind.name in _NAMES:
            name = os.path.basename(directory)
            settings |= {_NAMES[kind.name]: name, "GOOGLE_SUBSCRIPTION": name}
        run(directory, command("queue", "put", f"1..{count}", **settings))
        yield directory, settings
        if kind.server:
            run(directory, command("queue", "clear", "--yes", **settings))


# ---------------------------------------------------------------------- costs


def _measure_costs(plan: Plan, report: Report, kind: Kind, batch: int) -> None:
    """Count what one task costs: commands of the server, or calls that reach the file system."""
    count = 1000 if batch == 1 else 6400
    words = "singly" if batch == 1 else f"by {batch}"
    with _filled(plan, kind, count) as (directory, settings):
        if kind.server:
            if kind.server.trips is None:
                return  # it does not tell
            before = kind.server.trips()
            drain(directory, 1, batch, **settings)
            cost = (kind.server.trips() - before) / count
            report.add(f"{kind.name}: round trips a task, {words}", spread([cost]))
        elif shutil.which("strace"):
            report.add(
                f"{kind.name}: file operations a task, {words}", spread([_calls(directory, settings, batch, count)])
            )
        else:
            report.note("file operations were not counted: apt-get install strace")


def _calls(directory: str, settings: dict[str, str], batch: int, count: int) -> float:
    """Count the calls of a process that settles so many tasks, less those of one that only starts and leaves."""

    def calls(limit: int) -> int:
        program = script("claimer.py", str(batch), str(limit))
        log = os.path.join(directory, f"calls-{limit}")
        argv = ["strace", "-f", "-qq", "-o", log, "-e", _CALLS, *program.argv]
        with started(Program(argv, {**program.variables, **settings}), directory, talk=True) as process:
            process.stdout.readline()
            process.communicate(f"0 {time.monotonic() + 600}\n", 600)
        with open(log, encoding="utf-8", errors="replace") as file:
            return sum(1 for line in file if "(" in line)

    few = calls(batch)
    return (calls(count) - few) / (count - 2 * batch)


# ---------------------------------------------------------------------- the spool


def _measure_spool(plan: Plan, report: Report, rounds: int) -> None:
    """Fill a spool with a hundred thousand params, and let 8 processes drain it; ParamSweeper beside it."""
    took: list[float] = []
    made: list[float] = []
    rates: list[float] = []
    for _ in range(rounds):
        with plan.place() as directory:
            began = time.perf_counter()
            run(directory, command("queue", "put", f"1..{_MANY}", MINION_ENGINE="spool"))
            took.append(time.perf_counter() - began)
            made.append(sum(len(files) for _, _, files in os.walk(os.path.join(directory, "minion-queue.d"))))
            rates.append(drain(directory, 8, _BATCH, MINION_ENGINE="spool").rate)
    report.add("spool: put of 100 thousand, from start to exit", spread(took), "s", targets.SPOOL_PUT)
    report.add("spool: files of that", spread(made), target=targets.SPOOL_FILES)
    report.add(f"spool: no-ops by {_BATCH}, 8 processes", spread(rates), "/s", targets.SPOOL_DRAIN)
    try:
        report.add("ParamSweeper alone: singly, 1 process", spread([sweep(plan, 2.0)]), "/s")
    except Missing as why:
        report.note(f"execo's ParamSweeper was left out: {why}")
