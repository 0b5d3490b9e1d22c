"""Huey, which does not acknowledge: what a worker holds when it is killed is lost."""

from __future__ import annotations

import os
import sys

from body import stamp
from huey import RedisHuey

huey = RedisHuey("noops", url=os.environ["REDIS_URL"], results=False)


@huey.task(name="noop")
def noop(number: int) -> None:
    stamp(number)


if __name__ == "__main__":
    import huey_app  # the name by which a worker finds the task's module

    for number in range(int(sys.argv[1])):
        huey_app.noop(number)
