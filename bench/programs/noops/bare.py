"""``bare.py put COUNT`` fills a stream; ``bare.py stamp|empty`` works on it, and prints how many tasks a second.

It is the least that a Redis worker of one process can do that reads in batches and settles with a fence: without leases,
retries, events, and processes of their own for tasks.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import body
from redis import Redis

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM, GROUP, OWNER = "bare", "bare", "the only one"
BATCH = 64
#: Acknowledge and delete what is still ours.
SETTLE = """
for number = 3, #ARGV do
    local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[number], ARGV[number], 1)
    if held[1] and held[1][2] == ARGV[2] then
        redis.call('XACK', KEYS[1], ARGV[1], ARGV[number])
        redis.call('XDEL', KEYS[1], ARGV[number])
    end
end
"""


def put(server: Redis, count: int) -> None:
    server.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    with server.pipeline(transaction=False) as pipeline:
        for number in range(count):
            pipeline.xadd(STREAM, {"param": json.dumps(number)})
        pipeline.execute()


def work(server: Redis, function: Callable[[int], None]) -> float:
    """Call the function with each param; returns how many a second, from the first answer to the last acknowledgement."""
    sha, done, count, began = server.script_load(SETTLE), [], 0, 0.0
    while True:
        with server.pipeline(transaction=False) as pipeline:
            if done:
                pipeline.evalsha(sha, 1, STREAM, GROUP, OWNER, *done)
            pipeline.xreadgroup(GROUP, OWNER, {STREAM: ">"}, count=BATCH)
            streams = pipeline.execute()[-1]
        began = began or time.monotonic()
        if not streams:
            return count / (time.monotonic() - began)
        tasks = next(iter(streams.values()))[0] if isinstance(streams, dict) else streams[0][1]
        for _, fields in tasks:
            function(json.loads(fields[b"param"]))
        done = [id for id, _ in tasks]
        count += len(done)


server = Redis.from_url(os.environ["REDIS_URL"])
if sys.argv[1] == "put":
    put(server, int(sys.argv[2]))
else:
    print(work(server, getattr(body, sys.argv[1])))
    if left := server.xlen(STREAM):
        sys.exit(f"{left} tasks were not acknowledged")
