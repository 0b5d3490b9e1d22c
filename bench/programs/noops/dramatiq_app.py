"""Dramatiq."""

from __future__ import annotations

import os
import sys

import dramatiq
from body import stamp
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


@dramatiq.actor
def noop(number: int) -> None:
    stamp(number)


if __name__ == "__main__":
    import dramatiq_app  # the name by which a worker finds the actor's module

    for number in range(int(sys.argv[1])):
        dramatiq_app.noop.send(number)
