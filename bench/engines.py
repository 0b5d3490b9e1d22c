"""One minion on each engine: tasks per second, and what each task costs its server or its file system."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from bench import targets
from bench.children import Failed, Program, command, run, script, started
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
#: System calls that reach a file system.
_CALLS = "trace=%file,fsync,fdatasync,write,pwrite64,ftruncate,fcntl,flock,getdents64"


class Kind(NamedTuple):
    """An engine: the settings that choose it, and how its costs are counted."""

    name: str
    settings: dict[str, str]
    server: Server | None = None


def measure(plan: Plan, report: Report) -> None:
    """Print it engine by engine, each beside the others in every round."""
    rounds = plan.times(3, 1)
    report.theme("engines", f"one minion on each, {rounds_of(rounds)}")
    with _kinds(report) as kinds:
        for words, sizes, act in (
            ("/bin/true, -j2", _TRUE, _minion),
            ("no-ops singly", _SINGLY, lambda plan, kind, size: _noops(plan, kind, size, 1)),
            (f"no-ops by {_BATCH}", _BATCHED, lambda plan, kind, size: _noops(plan, kind, size, _BATCH)),
        ):
            size = sizes[plan.quick]
            variants = {kind.name: lambda kind=kind, act=act, size=size: act(plan, kind, size) for kind in kinds}
            for name, rates in in_turn(rounds, variants).items():
                report.add(f"{name}: {words}", spread(rates), "/s")
        for kind in kinds:
            for batch in (1, _BATCH):
                _measure_costs(plan, report, kind, batch)
    _measure_spool(plan, report, rounds)


@contextmanager
def _kinds(report: Report) -> Iterator[list[Kind]]:
    kinds = [Kind("sqlite", {"MINION_ENGINE": "sqlite"}), Kind("spool", {"MINION_ENGINE": "spool"})]
    if importlib.util.find_spec("execo_engine"):
        kinds.append(Kind("execo", {"MINION_ENGINE": "execo"}))
    else:
        report.note("execo was left out: pip install 'minionize[execo]'")
    if not importlib.util.find_spec("redis") or not shutil.which("redis-server"):
        report.note("redis was left out: pip install 'minionize[redis]', apt-get install redis-server")
        yield kinds
        return
    with _redis() as server:
        yield [*kinds, Kind("redis", {"MINION_ENGINE": "redis", "REDIS_URL": server.url}, server)]


# ---------------------------------------------------------------------- rates


def _minion(plan: Plan, kind: Kind, count: int) -> float:
    """Run ``/bin/true`` for so many params, from the start of the minion to its exit."""
    with _filled(plan, kind, count) as (directory, settings):
        return count / run(directory, command("minionize", "-q", "-j", "2", "/bin/true", **settings))


def _noops(plan: Plan, kind: Kind, count: int, batch: int) -> float:
    """Claim and settle so many tasks, and do nothing between."""
    with _filled(plan, kind, count) as (directory, settings):
        return drain(directory, 1, batch, **settings).rate


@contextmanager
def _filled(plan: Plan, kind: Kind, count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Fill a queue of that kind in a directory of its own."""
    with plan.place() as directory:
        settings = kind.settings | {"REDIS_STREAM": os.path.basename(directory)}
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
            before = kind.server.calls()
            drain(directory, 1, batch, **settings)
            cost = (kind.server.calls() - before) / count
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


class Server(NamedTuple):
    """A Redis server of our own."""

    url: str

    def calls(self) -> int:
        """Tell how many scripts it was asked to run so far: a round trip each."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            stats = client.info("commandstats")
        return sum(int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "eval"))


@contextmanager
def _redis() -> Iterator[Server]:
    """Run a Redis server that keeps nothing on disk."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield Server(f"redis://127.0.0.1:{port}/0")
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(5) == b"+PONG":
                    return
        except OSError:
            time.sleep(0.02)
    raise Failed("redis-server did not start")


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
