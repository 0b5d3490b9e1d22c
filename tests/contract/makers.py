"""The engines that the contract is run on: one line each in MAKERS."""

from __future__ import annotations

import os
import shutil
import tempfile
import time

import pytest
from execo_maker import ExecoMaker
from google_maker import GoogleMaker, GoogleOnceMaker
from pulsar_maker import PulsarBlindMaker, PulsarMaker
from redis_maker import Redis8Maker, RedisMaker, Valkey9Maker
from servers.file_server import FakeFileServer

from minionize.engines.memory import MemoryEngine, MemoryQueue
from minionize.engines.spool import SpoolEngine
from minionize.testing import FakeClock, Maker, identity


class MemoryMaker(Maker):
    """Minions of one process that share a queue in its memory."""

    keep = True

    def __init__(self):
        self.clock = FakeClock()
        self.queue = MemoryQueue(self.clock, keep=self.keep)
        self.traits = MemoryEngine(self.queue, identity("reader of traits")).traits

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Join the queue."""
        return MemoryEngine(self.queue, identity(uid, preemptible=preemptible), self.lease, max_crashes)

    def advance(self, seconds):
        """Move the fake clock."""
        self.clock.advance(seconds)


class ForgettingMaker(MemoryMaker):
    """The same with done tasks forgotten, as for an endless standard input."""

    keep = False


class SqliteMaker(Maker):
    """Minions of one process that share a file, each by a connection of its own."""

    def __init__(self):
        sqlite = pytest.importorskip("minionize.engines.sqlite", exc_type=ImportError)
        self.engine = sqlite.SqliteEngine
        self.traits = self.engine.traits
        self.clock = FakeClock(running=time.monotonic)
        self.directory = tempfile.mkdtemp(prefix="minionize-contract-")
        self.path = os.path.join(self.directory, "queue.db")
        self.opened = []

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Open the file, making it if it is not there."""
        me = identity(uid, preemptible=preemptible)
        engine = self.engine(self.path, me, lease=self.lease, max_crashes=max_crashes, create=True, clock=self.clock)
        self.opened.append(engine)
        return engine

    def advance(self, seconds):
        """Move the fake clock, which all the minions share."""
        self.clock.advance(seconds)

    def newer(self):
        """Raise the version that the file's header tells."""
        with sqlite(self.path) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute(f"PRAGMA user_version = {version + 1}")
        return lambda: dump(self.path)

    def cleanup(self):
        """Close all and delete the directory."""
        for engine in self.opened:
            engine.close()
        shutil.rmtree(self.directory)


class SpoolMaker(Maker):
    """Minions of one process that share a directory."""

    def __init__(self):
        self.traits = SpoolEngine.traits
        self.clock = FakeClock(running=time.time)
        self.directory = tempfile.mkdtemp(prefix="minionize-contract-")
        self.path = os.path.join(self.directory, "queue.d")
        self.opened = []

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Open the directory, making it if it is not there."""
        me = identity(uid, preemptible=preemptible)
        clock = FakeFileServer(self.clock)
        engine = SpoolEngine(self.path, me, lease=self.lease, max_crashes=max_crashes, create=True, clock=clock)
        self.opened.append(engine)
        return engine

    def now(self):
        """Tell the fake time, by which due times are."""
        return self.clock()

    def advance(self, seconds):
        """Move the fake clock, which all the minions share."""
        self.clock.advance(seconds)

    def newer(self):
        """Give the folder in it the name that a later version would."""
        os.rename(os.path.join(self.path, "v1"), os.path.join(self.path, "v2"))
        return lambda: repr(sorted((where, sorted(files)) for where, _, files in os.walk(self.path))).encode()

    def cleanup(self):
        """Close all and delete the directory."""
        for engine in self.opened:
            engine.close()
        shutil.rmtree(self.directory)


#: What the tests are named after, and what makes a new queue.
MAKERS = {
    "memory": MemoryMaker,
    "memory-forgetting": ForgettingMaker,
    "sqlite": SqliteMaker,
    "spool": SpoolMaker,
    "execo": ExecoMaker,
    "redis": RedisMaker,
    "redis8": Redis8Maker,
    "valkey9": Valkey9Maker,
    "google": GoogleMaker,
    "google-exactly-once": GoogleOnceMaker,
    "pulsar": PulsarMaker,
    "pulsar-blind": PulsarBlindMaker,
}


def sqlite(path):
    """Open a file behind the engine's back."""
    import contextlib
    import sqlite3

    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def dump(path):
    """Read all that is in a file: its rows, its version, and the bytes of its main part."""
    with sqlite(path) as db:
        rows = "\n".join(db.iterdump())
        version = db.execute("PRAGMA user_version").fetchone()[0]
    with open(path, "rb") as file:
        return f"{version}\n{rows}".encode() + file.read()
