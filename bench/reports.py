"""Report directories of runs that never happened, as minionize writes them and as 0.3.4 did: the same tasks in both."""

from __future__ import annotations

import json
import os
import random
import uuid
from typing import TYPE_CHECKING, NamedTuple

from minionize import events
from minionize.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = 1763700000.0
_FAIL = 0.03
_NODES = 16


class _Done(NamedTuple):
    """An execution: when it began, how long it took, its param as JSON, and whether it failed."""

    start: float
    took: float
    param: str
    failed: bool


def write(directory: str, count: int, files: int) -> str:
    """Write ``count`` events into so many files, about 520 bytes each; returns the directory."""
    os.makedirs(directory)
    for number in range(files):
        uid = f"{number:012x}"
        with open(os.path.join(directory, f"{uid}.jsonl"), "w", encoding="utf-8") as file:
            job = {"scheduler": "oar", "id": str(1287000 + number)}
            command = ["./simulate", "--seed", "{seed}", "--alpha", "{alpha}"]
            file.write(
                events.minion_start(
                    _START, uid, queue="9f3c2c1e6b1b4b6e", engine="spool", where="minion-queue.d", host=_host(number),
                    pid=1000 + number, job=job, command=command, slots=1, version="1.0.0",
                )
            )  # fmt: skip
            end = _START
            for i, one in enumerate(_executions(number, count // files)):
                end = one.start + one.took
                file.write(_line(uid, f"{number:08x}{i:024x}", one))
            file.write(events.minion_stop(end, uid, "settled", 0))
    return directory


def _line(uid: str, id: str, one: _Done) -> str:
    end, task = one.start + one.took, Task(id, one.param, 1, 1)
    if one.failed:
        stderr = (
            "simulate: reading the model, and saying a lot about it\n" * 40
            + f"simulate: cannot open /data/m_{int(id[-6:], 16)}.bin\n"
        )
        return events.task_end(
            end,
            uid,
            0,
            task,
            start=one.start,
            outcome="failed",
            took=one.took,
            exit=3,
            reason="exit 3",
            stderr=stderr,
            dead=True,
        )
    result = f'{{"loss": {one.took / 9:.6f}, "accuracy": {1 / (1 + one.took):.6f}}}'
    return events.task_end(
        end, uid, 0, task, start=one.start, outcome="done", took=one.took, exit=0, result=result, rss=12_000_000
    )


def write_original(directory: str, count: int, files: int) -> str:
    """Write the same run as minionize 0.3.4 would have; returns the directory."""
    os.makedirs(directory)
    for number in range(files):
        uid = str(uuid.UUID(int=number + 1))
        with open(os.path.join(directory, uid), "w", encoding="utf-8") as file:
            for i, one in enumerate(_executions(number, count // files)):
                end = one.start + one.took
                actions = [{"name": name, "start": one.start, "end": one.start} for name in ("next", "setup")]
                actions += [
                    {"name": "process", "start": one.start, "end": end},
                    {"name": "teardown", "start": end, "end": end},
                ]
                error = "Command './simulate' returned non-zero exit status 3." if one.failed else None
                line = {
                    "uid": uid, "generation": i, "start": one.start, "end": end, "param": json.loads(one.param), "error": error,
                    "atomic_actions": actions, "nodename": _host(number), "oar_job_id": str(1287000 + number),
                }  # fmt: skip
                file.write(json.dumps(line) + "\n")
    return directory


def _host(number: int) -> str:
    return f"paravance-{number % _NODES + 1}.rennes.grid5000.fr"


def _executions(number: int, count: int) -> Iterator[_Done]:
    dice = random.Random(number)
    start = _START + dice.uniform(0, 60)
    for i in range(count):
        took = dice.lognormvariate(1.6, 0.8)
        out = f"/scratch/results/point-{number:04d}-{i:06d}"
        param = f'{{"seed": {number * count + i}, "alpha": {dice.choice((0.1, 0.2, 0.5))}, "data": "{dice.choice(("cifar10", "mnist"))}", "out": "{out}"}}'
        yield _Done(start, took, param, dice.random() < _FAIL)
        start += took + 0.01
