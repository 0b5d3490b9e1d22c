"""What the tests of the execo engine share: sweeps made by the real ParamSweeper, and steps at which a process dies."""

from __future__ import annotations

import importlib.util
import os
import pickle
import time
import traceback
from typing import NamedTuple
from unittest import mock

import pytest

from minionize.engines.execo import client
from minionize.model import Ack
from minionize.testing import FakeClock, identity

if importlib.util.find_spec("execo_engine") is None:
    pytest.skip("execo is not installed: pip install 'minionize[execo]'", allow_module_level=True)

sweep = client.load()
ParamSweeper, HashableDict = sweep.ParamSweeper, sweep.HashableDict

#: Seconds that a lease lasts on the clock of a test, which stands still unless it is moved.
LEASE = 60.0


class Where(NamedTuple):
    """Where execo sees the items of a sweep."""

    remaining: set
    running: set
    done: set


class Sweeps:
    """A directory with a sweep, and the minions that use it."""

    def __init__(self, path):
        self.path = str(path)
        self.clock = FakeClock(running=time.time)
        self._engines = []

    def make(self, items):
        """Make it as the README of the original does."""
        return ParamSweeper(self.path, sweeps=items, save_sweeps=True)

    def open(self, uid="a", **options):
        """Open it for a minion whose process no other one can see."""
        from minionize.engines.execo import ExecoEngine

        me = options.pop("me", None) or identity(uid)
        engine = ExecoEngine(self.path, me, lease=LEASE, clock=self.clock, **options)
        self._engines.append(engine)
        return engine

    def where(self):
        """Ask execo, anew, where the items are."""
        _, remaining, _, running, done = ParamSweeper(self.path).stats()
        return Where(remaining, running, done)

    def file(self, name):
        """Name one of its files."""
        return os.path.join(self.path, name)

    def read(self, name):
        """Read one of its files, whole."""
        with open(self.file(name), "rb") as file:
            return file.read()

    def content(self):
        """Read all of its files."""
        return {name: self.read(name) for name in sorted(os.listdir(self.path))}

    def listed(self):
        """Read the list of sweeps behind everybody's back."""
        return pickle.loads(self.read("sweeps"))

    def outlive(self):
        """Let the leases of all that are silent end."""
        self.clock.advance(LEASE * 1.5)

    def close(self):
        """Close all engines."""
        for engine in self._engines:
            engine.close()


@pytest.fixture(name="sweeps")
def sweeps_fixture(tmp_path):
    """Give a directory for a sweep."""
    sweeps = Sweeps(tmp_path / "sweeps")
    yield sweeps
    sweeps.close()


def drain(engine, limit=3):
    """Work off all there is; returns the params, in the order they were taken."""
    taken, settled = [], []
    while True:
        tasks = engine.exchange(settled, limit=limit).tasks
        if not tasks:
            return taken
        taken += [task.param for task in tasks]
        settled = [Ack(task) for task in tasks]


class Steps:
    """Counts what a process does to files, and does something else instead at one of these steps."""

    def __init__(self, last, act):
        self._left, self._act = last, act
        self.reached = False

    def __enter__(self):
        """Begin to count: what we write, what execo is about to write, and what it has written."""
        places = [(os, "write"), (os, "fsync"), (os, "rename"), (sweep.pickle, "dump")]
        self._patches = [mock.patch.object(owner, name, self._step(getattr(owner, name))) for owner, name in places]
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_):
        """Count no more."""
        for patch in self._patches:
            patch.stop()

    def _step(self, original):
        def step(*arguments):
            self._left -= 1
            if self._left == 0:
                self.reached = True
                self._act()
            return original(*arguments)

        return step


def dies_at(step, act, *, prepare=lambda: None):
    """Run ``act`` on what ``prepare`` made, in a process that is killed at its so-manieth step; tell whether it was.

    The process opens the files itself: a lock on one that it inherited would outlive it here.
    """
    pid = os.fork()
    if pid == 0:
        try:
            prepared = prepare()
            with Steps(step, lambda: os._exit(9)):
                act(prepared)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - it is a process of its own
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9), f"the process failed: {code}"
    return code == 9


#: More steps than anything takes that is tried here.
STEPS = range(1, 100)
