"""A spool whose minions die between any two of the things that they do to files.

Every file operation of a minion is counted, and it dies before the n-th one, for every n: what it did before stays, what it
would have done does not happen. Then others, later, work off what is left.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from functools import partial

import pytest
from servers.file_server import FakeFileServer

from minionize.engines.spool import SpoolEngine
from minionize.errors import EngineUnavailable
from minionize.model import Ack, Bury, Counts, Failure, Nack, NewTask
from minionize.testing import FakeClock, identity

OPERATIONS = ("rename", "write", "fsync", "open", "read", "mkdir", "unlink", "rmdir", "utime", "ftruncate")
FAILURE = Failure("exit", "exit 3")
TASKS = 12


class Dies(BaseException):
    """The minion is no more."""


class World:
    """A spool in a directory, and what its minions were told."""

    def __init__(self, directory, monkeypatch):
        self.path = os.path.join(directory, "spool")
        self.clock = FakeClock(1_800_000_000.0)
        self.left = None  # operations until death
        self.opened: list[SpoolEngine] = []
        self.death: type[BaseException] | OSError = Dies
        self.deaths = 0
        self.confirmed: set[str] = set()
        self.dead: set[str] = set()
        monkeypatch.setattr("minionize.engines.spool.files._AGAIN", (0.0,))  # no cache here that could be wrong
        monkeypatch.setattr("minionize.engines.spool.files._PATIENT", ())
        for name in OPERATIONS:
            monkeypatch.setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, operation):
        """Let it be done, unless whoever does it dies first."""

        def operate(*arguments, **named):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    if self.death is not Dies:
                        self.left = None
                    raise self.death
            return operation(*arguments, **named)

        return operate

    def open(self, uid):
        """Open the spool for a minion."""
        engine = SpoolEngine(self.path, identity(uid), create=True, clock=FakeFileServer(self.clock), max_crashes=99)
        self.opened.append(engine)
        return engine

    def live(self, act, operations):
        """Let a minion act until it has done so many operations; says whether it died of that."""
        self.left = operations
        try:
            act()
        except Dies:
            self.deaths += 1
            return True
        finally:
            self.left = None
        return False

    def fill(self):
        """Put tasks, in chunks of several."""
        engine = self.open("filler")
        engine.put(NewTask(f"{n:016x}", str(n)) for n in range(TASKS))
        engine.close()

    def settle(self, engine, *settlements, limit=0):
        """Settle; what the engine does not refuse is confirmed."""
        delivery = engine.exchange(settlements, limit=limit)
        refused = {one.task.id for one in delivery.gone}
        for one in settlements:
            if one.task.id not in refused and not isinstance(one, Nack):
                (self.dead if isinstance(one, Bury) else self.confirmed).add(one.task.id)
        return delivery.tasks

    def later(self):
        """Let all leases and delays end."""
        self.clock.advance(1000)

    def finish(self):
        """Work off what is left by a new minion, and look whether all is right."""
        self.later()
        heir = self.open("heir")
        seen: Counter[str] = Counter()
        for _ in range(10 * TASKS):
            delivery = heir.exchange(limit=5)
            seen.update(task.id for task in delivery.tasks)
            assert heir.exchange([Ack(task) for task in delivery.tasks]).gone == ()
            if delivery.state == "ended":
                break
            heir.exchange()
            self.later()
        entries = Counter(entry.id for entry in heir.list())
        assert heir.exchange().state == "ended"
        assert entries == Counter(f"{n:016x}" for n in range(TASKS)), "each task is on the books once"
        assert not self.confirmed & seen.keys(), "what was acknowledged came back"
        assert not self.dead & seen.keys(), "a dead letter came back"
        assert max(seen.values(), default=1) == 1, "a task was handed out again after it was settled"
        counts = heir.counts()
        assert counts == Counts(0, 0, 0, TASKS - counts.dead, counts.dead)
        assert 0 <= counts.dead - len(self.dead) <= self.deaths  # one whose burial nobody confirmed may have happened
        heir.close()
        assert os.listdir(os.path.join(self.path, "v1", "minions")) == []
        assert os.listdir(os.path.join(self.path, "v1", "alive")) == []
        self.close()

    def close(self):
        """Let go of the files of all, as the kernel does for the dead."""
        for engine in self.opened:
            engine._holder.forget()


@pytest.fixture
def small_chunks(monkeypatch):
    """Let chunks hold four tasks, as large puts have them."""
    monkeypatch.setattr("minionize.engines.spool.putting._SHARES", 3)


def work(world, uid="victim"):
    """Do all that a minion does: take, ack, give back, delay, bury, renew, take more, leave."""
    engine = world.open(uid)
    tasks = list(engine.exchange(limit=3).tasks)
    ends = (Ack, lambda task: Nack(task, 30.0, True, FAILURE), lambda task: Bury(task, FAILURE))
    tasks = list(world.settle(engine, *(end(task) for end, task in zip(ends, tasks, strict=False)), limit=4))
    engine.renew(tasks[:2])
    world.settle(engine, *(Ack(task) for task in tasks[:1]), limit=0)
    engine.exchange(limit=2)
    engine.close()


def at_each_moment(directory, monkeypatch, try_at):
    """Try it with trouble at one operation after the other, each in a world of its own, until there was none; says how often."""
    operations, trouble = 0, True
    while trouble:
        path = directory / str(operations)
        path.mkdir()
        with monkeypatch.context() as patch:
            trouble = try_at(World(path, patch), operations)
        operations += 1
    return operations


def test_a_minion_may_die_at_any_moment(tmp_path, monkeypatch, small_chunks):
    """Wherever a minion dies: no task is lost, none is doubled, and what was acknowledged stays done."""

    def try_at(world, operations):
        world.fill()
        died = world.live(partial(work, world), operations)
        world.finish()
        return died

    assert at_each_moment(tmp_path, monkeypatch, try_at) > 40


def administer(world):
    """Do what people do: cancel, retry, look."""
    engine = world.open("admin")
    ids = [entry.id for entry in engine.list("pending")][1:6:2]
    engine.remove(ids)
    engine.retry()
    engine.close()


def test_who_administers_may_die_at_any_moment(tmp_path, monkeypatch, small_chunks):
    """Wherever a retry or a cancel dies: no task is lost but those that were cancelled, and none is doubled."""

    def try_at(world, operations):
        world.fill()
        victim = world.open("victim")
        tasks = victim.exchange(limit=5).tasks
        world.settle(victim, *(Bury(task, FAILURE) for task in tasks))
        victim.close()
        world.dead.clear()  # they may come back
        cancelled = [entry.id for entry in victim.list("pending")][1:6:2]
        died = world.live(partial(administer, world), operations)
        world.later()
        heir = world.open("heir")
        heir.release()
        entries = Counter(entry.id for entry in heir.list())
        everything = {f"{n:016x}" for n in range(TASKS)}
        assert set(entries) | set(cancelled) == everything
        assert set(entries.values()) == {1}
        assert died or set(entries) == everything - set(cancelled)
        world.close()
        return died

    assert at_each_moment(tmp_path, monkeypatch, try_at) > 20


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_any_operation_may_fail_once(tmp_path, monkeypatch, small_chunks, number):
    """Whichever operation fails: the minion that asks again goes on, and no task is lost or doubled."""

    def try_at(world, operations):
        world.fill()
        world.live(partial(work, world, "dead before"), 45)
        world.later()
        world.death, world.left = OSError(number, "fails", "somewhere"), operations
        asking_again(world)
        failed = world.left is None
        world.left = None
        world.finish()
        return failed

    assert at_each_moment(tmp_path, monkeypatch, try_at) > 30


def asking_again(world):
    """Work off some tasks as a minion does, repeating what failed."""

    def again(act):
        for _ in range(3):
            try:
                return act()
            except EngineUnavailable:
                continue
        raise AssertionError("it failed again")

    engine = again(lambda: world.open("victim"))
    tasks = again(lambda: engine.exchange(limit=3)).tasks
    more = again(lambda: world.settle(engine, *map(Ack, tasks[:2]), limit=4))
    again(lambda: engine.renew([*tasks[2:], *more]))
    again(lambda: world.settle(engine, *(Nack(task) for task in more[:2]), *(Bury(task, FAILURE) for task in more[2:])))
    engine.close()


def test_who_takes_over_may_die_at_any_moment_too(tmp_path, monkeypatch, small_chunks):
    """Wherever the victim died, and wherever the one that takes over dies then, a third one finishes."""
    tried = 0
    for first in range(3, 60, 7):
        second, died = first % 3, True
        while died:
            directory = tmp_path / f"{first}-{second}"
            directory.mkdir()
            with monkeypatch.context() as patch:
                world = World(directory, patch)
                world.fill()
                world.live(partial(work, world), first)
                world.later()
                died = world.live(partial(work, world, "second"), second)
                world.finish()
            second += 4
            tried += 1
    assert tried > 60


def test_a_put_that_dies_adds_all_or_nothing(tmp_path, monkeypatch, small_chunks):
    """A put that dies anywhere has added all or nothing, and the next one adds what is missing."""

    def try_at(world, operations):
        died = world.live(world.fill, operations)
        monkeypatch.setattr("minionize.engines.spool.putting._STALE", -1.0)
        monkeypatch.setattr("minionize.engines.spool.putting._LOOK", 0.0)
        engine = world.open("again")
        assert engine.counts().pending in (0, TASKS)
        engine.put(NewTask(f"{n:016x}", str(n)) for n in range(TASKS))
        engine.close()
        world.finish()
        return died

    assert at_each_moment(tmp_path, monkeypatch, try_at) > 10
