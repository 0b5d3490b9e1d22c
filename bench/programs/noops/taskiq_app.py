"""Taskiq on a stream, which acknowledges."""

from __future__ import annotations

import asyncio
import os
import sys

from body import stamp
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(os.environ["REDIS_URL"])


@broker.task(task_name="noop")
async def noop(number: int) -> None:
    stamp(number)


async def put(count: int) -> None:
    await broker.startup()
    for number in range(count):
        await noop.kiq(number)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(put(int(sys.argv[1])))
