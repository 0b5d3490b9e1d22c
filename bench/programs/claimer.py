"""``claimer.py BATCH LIMIT``: claim and settle as fast as it goes, LIMIT tasks at the most; the settings say of which queue.

Says ``ready``, reads from when to when (monotonic seconds, two numbers on a line), and prints what it did then as JSON:
``done`` tasks until ``last``, and the ``worst`` exchange, in seconds.
"""

from __future__ import annotations

import json
import sys
import time

from minionize import place
from minionize.app import open_engine
from minionize.model import Ack, Task
from minionize.settings import load


def main() -> None:
    engine, batch, limit = open_engine(load(), place.identity()), int(sys.argv[1]), int(sys.argv[2])
    engine.counts()
    print("ready", flush=True)
    start, stop = map(float, sys.stdin.readline().split())
    time.sleep(max(0.0, start - time.monotonic()))
    tasks: tuple[Task, ...] = ()
    done, worst, last = 0, 0.0, start
    wait = 0.0 if engine.traits.finite else 1.0
    while done < limit:
        before = time.monotonic()
        tasks = engine.exchange([Ack(task) for task in tasks], limit=batch, wait=wait).tasks
        after = time.monotonic()
        worst = max(worst, after - before)
        if not tasks or after > stop:
            break
        done, last = done + len(tasks), after
    engine.exchange([Ack(task) for task in tasks])
    engine.close()
    print(json.dumps({"done": done, "last": last, "worst": worst}))


main()
