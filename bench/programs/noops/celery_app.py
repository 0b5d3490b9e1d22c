"""Celery: a task is acknowledged when it is done."""

from __future__ import annotations

import os
import sys

from body import stamp
from celery import Celery

app = Celery("celery_app", broker=os.environ["REDIS_URL"], task_ignore_result=True, task_acks_late=True)


@app.task(name="noop")
def noop(number: int) -> None:
    stamp(number)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        noop.delay(number)
