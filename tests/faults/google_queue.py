"""What the tests of the google engine share: queues on real emulators, minions that are engines of this process, a bad network."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

from harness import wait_until
from servers import pubsub_server
from steps import tasks

from minionize.model import Failure
from minionize.testing import identity

FAILURE = Failure("exit", "exit 3", exit=3)
#: Makes a minion give up on a frozen server soon.
HURRIED = {"timeout": 0.5, "pull": 0.3}


class Queue:
    """A topic and a subscription of a name of their own, and the engines that were opened on them."""

    def __init__(self, server=None):
        self.server = server or pubsub_server.shared()
        self.address = self.server.address(pubsub_server.name())
        self._engines = []

    def open(self, uid="a", **options):
        """Open it for one more minion."""
        from minionize.engines.google import GoogleEngine

        given = {"create": True, "shortest": 1, "pull": 0.3, **options}
        engine = GoogleEngine(given.pop("address", self.address), identity(uid), **given)
        self._engines.append(engine)
        return engine

    def filled(self, count, uid="a", **options):
        """Open it and put ``count`` tasks, whose params are their numbers."""
        engine = self.open(uid, **options)
        assert engine.put(tasks(count)).added == count
        return engine

    def make(self, **options):
        """Make topics and subscriptions as somebody else would: ``options`` are those of the subscription to the tasks."""
        address = self.address
        with self.server.clients() as (publisher, subscriber):
            for topic, name, more in (
                (address.topic, address.subscription, options),
                (address.dead_topic, address.dead_subscription, {}),
            ):
                publisher.create_topic(name=topic)
                subscriber.create_subscription(request={"name": name, "topic": topic, **more})

    def publish(self, data, **attributes):
        """Publish as somebody else would."""
        with self.server.clients() as (publisher, _):
            publisher.publish(topic=self.address.topic, messages=[{"data": data, "attributes": attributes}])

    def close(self):
        """Close the engines; on an emulator that is shared, delete the topics and subscriptions."""
        for engine in self._engines:
            engine.close()
        if self.server is pubsub_server.shared():
            self.server.delete(self.address)


class Network:
    """What is between minions and a server, as a port of its own: it may be cut, swallow the answers, or be slow."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake, self._woken = socket.socketpair()
        self._pairs = {}  # each socket's other end
        self._servers = set()
        self._cut = self._swallowing = self._closed = False
        self._rate = float("inf")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self):
        """Break every connection, and all that are made."""
        self._cut = True
        self._wake.send(b"!")
        wait_until(lambda: not self._pairs, "the network is cut")

    def swallow(self):
        """Let through what minions say, and nothing that the server does."""
        self._swallowing = True

    def slow_down(self, rate):
        """Carry no more than so many bytes a second."""
        self._rate = rate

    def mend(self):
        """Let all through that comes from now on; connections that missed something are broken."""
        if self._swallowing:
            self.cut()
        self._cut = self._swallowing = False

    def close(self):
        """End it all."""
        self._closed = True
        self._wake.send(b"!")
        self._thread.join()
        for one in (*self._pairs, self._listener, self._wake, self._woken):
            one.close()

    def _run(self):
        while not self._closed:
            readable, _, _ = select.select([self._listener, self._woken, *self._pairs], [], [])
            for one in readable:
                if one is self._listener:
                    self._accept()
                elif one is self._woken:
                    one.recv(100)
                elif one in self._pairs:
                    self._pass_on(one)
            if self._cut:
                for one in list(self._pairs):
                    self._break(one)

    def _accept(self):
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        self._servers.add(server)
        self._pairs |= {client: server, server: client}

    def _pass_on(self, one):
        with contextlib.suppress(OSError):
            data = one.recv(1 << 16)
            time.sleep(len(data) / self._rate)
            if data and not (self._swallowing and one in self._servers):
                self._pairs[one].sendall(data)
            if data:
                return
        self._break(one)

    def _break(self, one):
        other = self._pairs.pop(one, None)
        if other is not None:
            self._pairs.pop(other)
            self._servers -= {one, other}
            one.close()
            other.close()
