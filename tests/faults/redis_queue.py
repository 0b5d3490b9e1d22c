"""What the tests of the redis engine share: queues on real servers, and minions that are engines of this process."""

from __future__ import annotations

import contextlib
import threading

from harness import PATIENCE, wait_until
from servers import redis_server
from steps import tasks

from minionize.model import Failure
from minionize.testing import identity

FAILURE = Failure("exit", "exit 3", exit=3)
#: Makes a client give up on a frozen server soon.
HURRIED = "?socket_timeout=0.3&socket_connect_timeout=0.3"


class Queue:
    """A stream of a name of its own, and the engines that were opened on it."""

    def __init__(self, server=None, *, options=""):
        self.server = server or redis_server.shared()
        self.url = self.server.url + options
        self.stream = redis_server.stream_name()
        self._engines = []

    def open(self, uid="a", **options):
        """Open it for one more minion."""
        from minionize.engines.redis import RedisEngine

        given = {"stream": self.stream, "create": True, **options}
        engine = RedisEngine(given.pop("url", self.url), identity(uid), **given)
        self._engines.append(engine)
        return engine

    def filled(self, count, uid="a", **options):
        """Open it and put ``count`` tasks, whose params are their numbers."""
        engine = self.open(uid, **options)
        assert engine.put(tasks(count)).added == count
        return engine

    @contextlib.contextmanager
    def client(self):
        """Connect as anybody would."""
        with self.server.client() as client:
            yield client

    def key(self, name):
        """Name a key of the books."""
        return f"{self.stream}:{name}"

    def close(self):
        """Close the engines; on a server that is shared, delete the keys."""
        for engine in self._engines:
            engine.close()
        if self.server is not redis_server.shared():
            return
        with self.client() as client:
            keys = list(client.scan_iter(f"{self.stream}*"))
            if keys:
                client.delete(*keys)


class Aside:
    """Runs a function in a thread of its own."""

    def __init__(self, act):
        self._found = []
        self._thread = threading.Thread(target=self._run, args=(act,), daemon=True)
        self._thread.start()

    def _run(self, act):
        try:
            self._found.append((act(), None))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            self._found.append((None, error))

    @property
    def is_over(self):
        """Whether the function has ended."""
        return not self._thread.is_alive()

    def result(self):
        """Wait for its end; returns what it returned, or raises what it raised."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "a thread does not end"
        value, error = self._found[0]
        if error is not None:
            raise error
        return value


def waits(client, count=1):
    """Wait until so many connections are blocked."""
    wait_until(lambda: client.info("clients")["blocked_clients"] >= count, f"{count} blocked clients")
