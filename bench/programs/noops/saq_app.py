"""SAQ, with eight tasks at once in a worker, and no results kept."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from body import stamp
from saq import Queue

queue = Queue.from_url(os.environ["REDIS_URL"])


async def noop(context: dict[str, Any], *, number: int) -> None:
    stamp(number)


settings = {"queue": queue, "functions": [noop], "concurrency": 8}


async def put(count: int) -> None:
    for number in range(count):
        await queue.enqueue("noop", number=number, ttl=-1)
    await queue.disconnect()


if __name__ == "__main__":
    asyncio.run(put(int(sys.argv[1])))
