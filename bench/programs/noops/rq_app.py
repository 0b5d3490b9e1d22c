"""RQ, which keeps no results."""

from __future__ import annotations

import os
import sys

from body import stamp
from redis import Redis
from rq import Queue

if __name__ == "__main__":
    queue = Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))
    for number in range(int(sys.argv[1])):
        queue.enqueue(stamp, number, result_ttl=0)
