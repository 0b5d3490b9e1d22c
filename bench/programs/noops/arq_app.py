"""arq, which looks for tasks every millisecond instead of twice a second, and keeps no results."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from body import stamp

_redis = RedisSettings.from_dsn(os.environ["REDIS_URL"])


async def noop(context: dict[str, Any], number: int) -> None:
    stamp(number)


class WorkerSettings:
    """What its worker reads."""

    functions = (noop,)
    redis_settings = _redis
    max_jobs = 10
    poll_delay = 0.001
    keep_result = 0


async def put(count: int) -> None:
    pool = await create_pool(_redis)
    for number in range(count):
        await pool.enqueue_job("noop", number)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(put(int(sys.argv[1])))
