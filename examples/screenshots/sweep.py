"""Write what 24 minions on 8 nodes report of a sweep of two hours, without running it: a directory for minion-status to read.

The same events every time. What there is to find in them: one node has a bad disk, one dataset with a large batch runs
out of memory, alpha=0.9 diverges, the small jobs of a best-effort queue came late and some were killed.
"""

from __future__ import annotations

import json
import os
import random
import sys
from heapq import heappop, heappush

from minionize import events
from minionize.model import Task

#: Friday, 21 November 2025, 08:57:00 UTC.
START = 1763715420.0
BATCHES, DATASETS, ALPHAS = (64, 128, 256, 512), ("cifar10", "mnist", "imagenet"), ("0.1", "0.3", "0.9")
BAD_NODE = "paravance-7.rennes"
QUEUE = "9f3c2c1e6b1b4b6e"


class Minion:
    """A minion with one slot, its file, and the moment at which it is killed (None: it stays)."""

    def __init__(self, directory: str, number: int, dice: random.Random) -> None:
        self.uid = f"{dice.getrandbits(48):012x}"
        self.host = f"paravance-{number % 8 + 1}.rennes"
        late = number >= 14
        self.free = START + (dice.uniform(1500, 2600) if late else dice.uniform(2, 90))
        self.killed = self.free + dice.uniform(900, 3600) if number % 6 == 5 else None
        self.path = os.path.join(directory, f"{self.uid}.jsonl")
        self.lines = [self._introduced(number)]

    def _introduced(self, number: int) -> str:
        return events.minion_start(
            self.free, self.uid, queue=QUEUE, engine="spool", where="minion-queue.d", host=self.host,
            pid=4000 + number, job={"scheduler": "oar", "id": str(1287856 + number)}, slots=1, version="1.0.0",
            command=["./train", "--data", "{dataset}", "--batch", "{batch}", "--alpha", "{alpha}", "--seed", "{seed}"],
        )  # fmt: skip

    def works(self, task: Task, param: dict[str, object], dice: random.Random) -> bool:
        """Run a task; tells whether it is over, done or dead."""
        took, failure = _fate(param, self.host, dice)
        end = self.free + took
        if self.killed is not None and end > self.killed:
            self.lines.append(events.task_start(self.free + 1, self.uid, 0, task))
            self.free = float("inf")
            return False
        facts = {"start": self.free, "took": took, "cpu": took * 0.93, "rss": 210_000_000}
        if failure is None:
            loss = dice.lognormvariate(-1, 0.4)
            line = events.task_end(
                end, self.uid, 0, task, outcome="done", exit=0, result=f'{{"loss": {loss:.4f}}}', **facts
            )
        else:
            line = events.task_end(
                end,
                self.uid,
                0,
                task,
                dead=task.attempt == 2,
                retry_in=None if task.attempt == 2 else 2.0,
                **failure,
                **facts,
            )
        self.lines.append(line)
        self.free = end + 0.05
        return failure is None or task.attempt == 2


def _fate(param: dict[str, object], host: str, dice: random.Random) -> tuple[float, dict[str, object] | None]:
    """Say how long an execution takes, and how it fails, if it does."""
    slow = {"mnist": 9, "cifar10": 24, "imagenet": 55}[str(param["dataset"])] * (2.0 if host == BAD_NODE else 1.0)
    took = slow * dice.lognormvariate(0, 0.35)
    seed, luck = param["seed"], dice.random()
    said = f"train: {param['dataset']}, batch {param['batch']}\ntrain: reading /scratch/{param['dataset']}/part_{seed}.bin\n"
    if host == BAD_NODE and luck < 0.3:
        stderr = f"{said}train: cannot open /scratch/{param['dataset']}/part_{seed}.bin: Input/output error\n"
        return dice.uniform(0.2, 2), {"outcome": "failed", "exit": 3, "reason": "exit 3", "stderr": stderr}
    if param["dataset"] == "imagenet" and param["batch"] == BATCHES[-1] and luck < 0.2:
        return took * 0.6, {"outcome": "failed", "signal": 9, "reason": "signal 9", "stderr": said}
    if param["alpha"] == ALPHAS[-1] and luck < 0.07:
        stderr = f'{said}Traceback (most recent call last):\n  File "train.py", line 88, in <module>\n    main()\nFloatingPointError: loss is nan in epoch {seed}\n'
        return took * 0.3, {"outcome": "failed", "exit": 1, "reason": "exit 1", "stderr": stderr}
    if luck > 0.997:
        return 300.0, {"outcome": "timeout", "signal": 15, "reason": "timeout after 5m", "stderr": said}
    return took, None


def write(directory: str, count: int = 5400) -> None:
    """Write the files: every minion in turn takes the next of ``count`` tasks."""
    dice = random.Random(20251121)
    os.makedirs(directory)
    minions = [Minion(directory, number, dice) for number in range(24)]
    todo = [(n, 1, 1) for n in reversed(range(count))]  # with attempt and delivery
    free = [(m.free, i) for i, m in enumerate(minions)]
    free.sort()
    while todo and free:
        _, i = heappop(free)
        n, attempt, delivery = todo.pop()
        param = {
            "dataset": DATASETS[n % 3],
            "batch": BATCHES[n // 3 % 4],
            "alpha": ALPHAS[n // 12 % 3],
            "seed": n // 36,
        }
        text = json.dumps(param).replace(f'"alpha": "{param["alpha"]}"', f'"alpha": {param["alpha"]}')
        task = Task(f"{n * 2654435761 % 2**64:016x}", text, attempt, delivery)
        if not minions[i].works(task, param, dice):
            lost = minions[i].free == float("inf")
            todo.append((n, attempt if lost else attempt + 1, delivery + 1))
        if minions[i].free != float("inf"):
            heappush(free, (minions[i].free, i))
    _close(minions)


def _close(minions: list[Minion]) -> None:
    """Let those leave that are alive, and give the files the times of their last heartbeats."""
    end = max(m.free for m in minions if m.free != float("inf"))
    for m in minions:
        beat = m.killed
        if m.free != float("inf"):
            m.lines.append(events.minion_stop(end, m.uid, "settled", 0))
            beat = end
        with open(m.path, "w", encoding="utf-8") as file:
            file.writelines(m.lines)
        os.utime(m.path, (beat or end, beat or end))


if __name__ == "__main__":
    write(*sys.argv[1:2], *map(int, sys.argv[2:3]))
