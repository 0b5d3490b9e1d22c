"""The makers of the redis engine: a stream of its own on a real server, one maker per kind of server."""

from __future__ import annotations

import time

from servers import redis_server

from minionize.testing import FakeClock, Maker, identity


class RedisMaker(Maker):
    """Minions of one process that share a stream, each by connections of its own."""

    flavour = "debian"

    def __init__(self):
        redis_server.require(self.flavour)
        from minionize.engines.redis import RedisEngine

        self.engine = RedisEngine
        self.traits = RedisEngine.traits
        self.server = redis_server.shared(self.flavour)
        self.ahead = FakeClock(0.0)
        self.stream = redis_server.stream_name()
        self.opened = []

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Open the stream, making it if it is not there."""
        me = identity(uid, preemptible=preemptible)
        engine = self.engine(
            self.server.url,
            me,
            stream=self.stream,
            lease=self.lease,
            max_crashes=max_crashes,
            create=True,
            shift=self.ahead,
        )
        self.opened.append(engine)
        return engine

    def advance(self, seconds):
        """Move on the clock that the scripts go by: the server's, and what this one is ahead of it."""
        self.ahead.advance(seconds)

    def now(self):
        """Tell the time as the scripts see it."""
        return time.time() + self.ahead()

    def newer(self):
        """Raise the format that the book tells."""
        with self.server.client() as client:
            client.hincrby(f"{self.stream}:meta", "format")
        return self._read

    def _read(self):
        """Read every key of this queue, as the server would save it."""
        with self.server.client() as client:
            return b"\n".join(key + b" " + client.dump(key) for key in sorted(client.scan_iter(f"{self.stream}*")))

    def restart(self):
        """Restart the server."""
        self.server.restart()
        return True

    def spoil(self):
        """Publish what is no JSON, as any other program may."""
        with self.server.client() as client:
            client.xadd(self.stream, {"param": "{no json"})
        return True

    def cleanup(self):
        """Close all and delete the keys."""
        for engine in self.opened:
            engine.close()
        with self.server.client() as client:
            keys = list(client.scan_iter(f"{self.stream}*"))
            if keys:
                client.delete(*keys)


class Redis8Maker(RedisMaker):
    """The same on Redis 8."""

    flavour = "redis8"


class Valkey9Maker(RedisMaker):
    """The same on Valkey 9."""

    flavour = "valkey9"
