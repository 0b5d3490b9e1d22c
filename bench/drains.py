"""Watching a worker empty a queue of no-ops, each of which leaves eight bytes: how fast, with how much CPU and memory."""

from __future__ import annotations

import array
import os
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from bench import procfs
from bench.children import Ended, Failed, Program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

#: Seconds that a worker may take, and between two looks at it.
_LONGEST, _PAUSE = 120.0, 0.005
_EACH = 8
_MICRO = 1e6
#: The parts of what a worker and its server use.
MAIN, OTHERS, CHILDREN, SERVER = "main thread", "other threads", "child processes", "server"
_MB = 1e6


class Drain(NamedTuple):
    """What a worker did: tasks per second from the first to the last one, and what that took of the machine.

    ``cpu`` is in microseconds per task, of the worker and all its descendants; ``memory`` is their share (PSS) of it when
    half was done, in MB. ``parts`` is the CPU of the worker's main thread, of its other threads, of its children, and of
    the server.
    """

    rate: float
    cpu: float = 0.0
    memory: float = 0.0
    parts: Mapping[str, float] = {}


class Stamps:
    """The file that tasks write the times of their calls to; in memory, where there is such a file system."""

    def __init__(self) -> None:
        """Make it, empty."""
        memory = "/dev/shm"
        fd, self.path = tempfile.mkstemp(prefix="minionize-bench-", dir=memory if os.path.isdir(memory) else None)
        os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.unlink(self.path)

    def __len__(self) -> int:
        return os.stat(self.path).st_size // _EACH

    def told_to(self, program: Program) -> Program:
        """Let the functions of a program write to it."""
        return program._replace(variables={**program.variables, "BENCH_STAMPS": self.path})

    def rate(self) -> float:
        """Give the tasks per second from the first to the last one."""
        times = array.array("d")
        with open(self.path, "rb") as file:
            times.frombytes(file.read())
        return (len(times) - 1) / (max(times) - min(times))


def watch(worker: subprocess.Popen[str], stamps: Stamps, count: int, server: int | None = None) -> Drain:
    """Look at a worker until so many tasks ran; raises Failed where it does not come to that."""
    looks = _look(worker, stamps, count, time.monotonic() + _LONGEST)
    next(looks)
    before, first, memory, last = _used(worker.pid, server), len(stamps), 0.0, count
    for last in looks:
        if not memory and last >= count / 2:
            memory = _memory(worker.pid)
    after = _used(worker.pid, server)
    parts = {part: (after[part] - before.get(part, 0.0)) / (last - first) * _MICRO for part in after}
    cpu = sum(used for part, used in parts.items() if part != SERVER)
    return Drain(stamps.rate(), cpu, memory, parts)


def _look(worker: subprocess.Popen[str], stamps: Stamps, count: int, end: float) -> Iterator[int]:
    """Give the number of tasks that ran, again and again, from the first one until all did."""
    while True:
        done = len(stamps)
        if done:
            yield done
        if done >= count:
            return
        if worker.poll() is not None:
            raise Ended(f"it ended when {done} of {count} tasks had run")
        if time.monotonic() > end:
            raise Failed(f"{done} of {count} tasks ran in {_LONGEST:.0f} s")
        time.sleep(_PAUSE)


def _memory(worker: int) -> float:
    """Add up the shares of a worker and of its descendants (MB)."""
    shares = [procfs.kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in procfs.tree(worker)]
    return sum(shares) * 1024 / _MB


def _used(worker: int, server: int | None) -> dict[str, float]:
    """Add up the CPU seconds of each part."""
    everybody = procfs.tree(worker)
    own, main = procfs.cpu_of_process(worker), procfs.cpu_of_thread(worker, worker)
    used = {MAIN: main, OTHERS: own - main, CHILDREN: sum(map(procfs.cpu, everybody)) - own}
    if server:
        used[SERVER] = procfs.cpu(server)
    return used
