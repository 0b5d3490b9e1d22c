"""The workers of other task queues on Redis, each with the setting that is the fastest of its sane ones.

None keeps results. With ``acked``, a task that a worker held when it was killed is not lost.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from bench.children import PROGRAMS, Failed, Program, started
from bench.drains import Drain, Stamps, watch
from bench.environments import Environment
from bench.groups import killed
from bench.stock import Stock

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from bench.servers import Server

FOLDER = os.path.join(PROGRAMS, "noops")
#: Seconds in which the last acknowledgement must have come.
_PATIENCE = 20.0


class Way(NamedTuple):
    """A setting of a worker: how it is shown, how many processes work, and its command line."""

    words: str
    processes: int
    command: str


class Peer(NamedTuple):
    """A task queue: the module that must load, what pip installs for it, how many tasks are a second or two of its work.

    ``left`` counts what a server still has to give or to hear of.
    """

    name: str
    imported: str
    wanted: tuple[str, ...]
    count: int
    left: Callable[[Redis], int]
    ways: tuple[Way, ...]
    acked: bool = True


def _left_in_stream(server: Redis) -> int:
    return sum(group["pending"] + (group["lag"] or 0) for group in server.xinfo_groups("taskiq"))


_CELERY = "celery -A celery_app worker --without-gossip --without-mingle --without-heartbeat -l ERROR"
_TASKIQ = "taskiq worker --max-async-tasks 8 --log-level ERROR taskiq_app:broker"
_RQ = "-w rq.SimpleWorker --quiet --url {url} default"
PEERS = (
    Peer(
        "dramatiq", "dramatiq", ("dramatiq[redis]==2.2.1",), 6000,
        lambda server: server.hlen("dramatiq:default.msgs"),
        (
            Way("-p 1 -t 32", 1, "dramatiq -p 1 -t 32 dramatiq_app"),
            Way("-p 8 -t 16", 8, "dramatiq -p 8 -t 16 dramatiq_app"),
        ),
    ),
    Peer(
        "celery", "celery", ("celery[redis]==5.7.0",), 1500,
        lambda server: server.llen("celery") + server.hlen("unacked"),
        (Way("-P solo", 1, f"{_CELERY} -P solo"), Way("-c 8", 8, f"{_CELERY} -c 8")),
    ),
    Peer(
        "taskiq", "taskiq_redis", ("taskiq==0.13.0", "taskiq-redis==1.2.4", "uvloop"), 4000,
        _left_in_stream,
        (Way("-w 1", 1, f"{_TASKIQ} -w 1"), Way("-w 8", 8, f"{_TASKIQ} -w 8")),
    ),
    Peer(
        "huey", "huey", ("huey==3.5.4", "redis"), 6000,
        lambda server: server.llen("huey.redis.noops"),
        (
            Way("-k process -w 1", 1, "huey_consumer huey_app.huey -k process -w 1 -n -q"),
            Way("-k process -w 8", 8, "huey_consumer huey_app.huey -k process -w 8 -n -q"),
        ),
        acked=False,
    ),
    Peer(
        "saq", "saq.queue.redis", ("saq[redis]==0.26.4", "typing_extensions"), 2000,
        lambda server: server.zcard("saq:default:incomplete"),
        (Way("concurrency 8", 1, "saq --quiet saq_app.settings"), Way("--workers 8", 8, "saq --quiet saq_app.settings --workers 8")),
    ),
    Peer(
        "rq", "rq", ("rq==2.12.0",), 400,
        lambda server: server.llen("rq:queue:default") + server.zcard("rq:wip:default"),
        (Way("SimpleWorker", 1, f"rq worker {_RQ}"), Way("SimpleWorker, -n 8", 8, f"rq worker-pool -n 8 {_RQ}")),
    ),
    Peer(
        "arq", "arq", ("arq==0.28.0",), 2000,
        lambda server: server.zcard("arq:queue"),
        (Way("max_jobs 10, poll_delay 1 ms", 1, "arq arq_app.WorkerSettings"),),
    ),
)  # fmt: skip


class Workers:
    """The workers of one peer, and the tasks that it put for them."""

    def __init__(self, peer: Peer, cache: str, directory: str, server: Server, client: Redis) -> None:
        """Install the peer where it is not yet, and let it put its tasks; raises Missing, Failed."""
        python = ".".join(map(str, sys.version_info[:2]))
        home = os.path.join(cache, f"{peer.name}-python{python}")
        self._peer, self._directory, self._server, self._client = peer, directory, server, client
        self._environment = Environment(home, (*peer.wanted, "hiredis"), peer.imported)
        self._stock = Stock(client, directory, self._program("python", f"{FOLDER}/{peer.name}_app.py", str(peer.count)))

    def drain(self, command: str) -> Drain:
        """Let a worker do all of them; raises Failed where one is not done, or done twice, or not acknowledged."""
        self._stock.bring()
        count = self._peer.count
        with Stamps() as stamps:
            program = self._program(*command.format(url=self._server.settings["REDIS_URL"]).split())
            with started(stamps.told_to(program), self._directory, endless=True) as process, killed(process):
                drain = watch(process, stamps, count, self._server.pid)
                self._settle()
            if len(stamps) != count:
                raise Failed(f"{len(stamps)} tasks ran, of {count}")
        return drain

    def _program(self, name: str, *arguments: str) -> Program:
        return Program([self._environment.program(name), *arguments], {**self._server.settings, "PYTHONPATH": FOLDER})

    def _settle(self) -> None:
        """Wait until the server has heard of the last one."""
        end = time.monotonic() + _PATIENCE
        while left := self._peer.left(self._client):
            if time.monotonic() > end:
                raise Failed(f"{left} tasks were not acknowledged")
            time.sleep(0.01)
