"""What the tests of the pulsar engine share: queues on real brokers, a wire that can be cut, and brokers that ask who one is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import threading

from servers import pulsar_server
from steps import tasks

from minionize.model import Failure
from minionize.testing import identity

FAILURE = Failure("exit", "exit 3", exit=3)


class Queue:
    """A topic of a name of its own, and the engines that were opened on it."""

    def __init__(self, server=None, *, url="", counting=True):
        self.server = server or pulsar_server.shared()
        self.topic = pulsar_server.topic_name()
        self.url, self.counting = url or self.server.url, counting
        self._engines = []

    def open(self, uid="a", **options):
        """Open it for one more minion."""
        from minionize.engines.pulsar import PulsarEngine
        from minionize.engines.pulsar.connect import Access

        given = {"topic": self.topic, "create": True, "admin": self.server.admin if self.counting else None, **options}
        access = given.pop("access", None) or Access(self.url)
        engine = PulsarEngine(access, identity(uid), **given)
        self._engines.append(engine)
        return engine

    def filled(self, count, uid="a", **options):
        """Open it and put ``count`` tasks, whose params are their numbers."""
        engine = self.open(uid, **options)
        assert engine.put(tasks(count)).added == count
        return engine

    def publish(self, *contents, **options):
        """Publish as any producer may; ``options`` are the producer's."""
        with self.server.client() as client:
            producer = client.create_producer(self.topic, **options)
            for content in contents:
                producer.send_async(content, None)
            producer.flush()

    def stats(self, topic=None):
        """Ask what there is before the subscription: messages, those that are held, consumers."""
        found = self.server.ask(f"persistent/public/default/{topic or self.topic}/stats?getPreciseBacklog=true")
        ours = found["subscriptions"]["minions"]
        return ours["msgBacklog"], ours["unackedMessages"], len(ours["consumers"])

    def close(self):
        """Close the engines; on a server that is shared, delete the topics."""
        for engine in self._engines:
            engine.close()
        if self.server is pulsar_server.shared():
            self.server.delete(self.topic)


class Wire:
    """A way to a broker that a test can cut: a port that hands everything on, both ways."""

    def __init__(self, port):
        self._target = port
        self._pairs, self._mutex = [], threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Say nothing more, and take nothing, without an end: as when a cable is pulled."""
        with self._mutex:
            self._is_cut = True

    def mend(self):
        """End what was cut, and let new connections through."""
        with self._mutex:
            self._is_cut = False
            for one in self._pairs:
                for end in one:
                    _end(end)
            self._pairs.clear()

    def close(self):
        """Let go of everything."""
        self.mend()
        _end(self._listener)

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with self._mutex:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        try:
            while data := source.recv(65536):
                if not self._is_cut:
                    sink.sendall(data)
        except OSError:
            pass
        if not self._is_cut:
            _end(source)
            _end(sink)


def _end(end):
    """End a socket, also under a thread that waits at it."""
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()


def token(secret, subject):
    """Make a token (a JWT) that a broker with this secret believes."""

    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    text = part(b'{"alg":"HS256"}') + b"." + part(json.dumps({"sub": subject}).encode())
    return (text + b"." + part(hmac.new(secret, text, hashlib.sha256).digest())).decode()


def certificates(directory):
    """Make an authority, and a certificate of 127.0.0.1 that it signed; returns the paths of its own, of that and of the key."""

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory, timeout=60)

    with open(os.path.join(directory, "names"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost")
    new = ("-newkey", "rsa:2048", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=authority")
    openssl("req", *new, "-keyout", "rsa.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "rsa.key", "-out", "server.key")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-out", "server.crt", "-days", "2", "-extfile", "names"),
    )
    return [os.path.join(directory, name) for name in ("ca.crt", "server.crt", "server.key")]
