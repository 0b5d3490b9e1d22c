"""The maker of the execo engine: a directory of a real ParamSweeper."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import tempfile
import time

import pytest

from minionize.engines.execo import ExecoEngine
from minionize.testing import FakeClock, Maker, identity


class ExecoMaker(Maker):
    """Minions of one process that share a directory, each by a ParamSweeper of its own."""

    def __init__(self):
        if importlib.util.find_spec("execo_engine") is None:
            pytest.skip("execo is not installed: pip install 'minionize[execo]'")
        self.engine = ExecoEngine
        self.traits = self.engine.traits
        self.clock = FakeClock(running=time.time)
        self.directory = tempfile.mkdtemp(prefix="minionize-contract-")
        self.path = os.path.join(self.directory, "sweeps")
        self.opened = []

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Open the directory, making it if it is not there."""
        me = identity(uid, preemptible=preemptible)
        engine = self.engine(self.path, me, lease=self.lease, max_crashes=max_crashes, create=True, clock=self.clock)
        self.opened.append(engine)
        return engine

    def advance(self, seconds):
        """Move the fake clock, which all the minions share."""
        self.clock.advance(seconds)

    def newer(self):
        """Raise the version that the journal's first line tells."""
        path = os.path.join(self.path, "minionize.journal")
        with open(path, "rb") as file:
            header, _, rest = file.read().partition(b"\n")
        fields = json.loads(header)
        fields["version"] += 1
        with open(path, "wb") as file:
            file.write(json.dumps(fields).encode() + b"\n" + rest)
        return lambda: b"".join(content(os.path.join(self.path, name)) for name in sorted(os.listdir(self.path)))

    def spoil(self):
        """Put something into the sweep that is no JSON value, as another user of the ParamSweeper may."""
        from execo_engine.sweep import ParamSweeper

        others = pickle.loads(content(os.path.join(self.path, "sweeps")))
        ParamSweeper(self.path, sweeps={*others, b"no JSON"}, save_sweeps=True)
        return True

    def cleanup(self):
        """Close all and delete the directory."""
        for engine in self.opened:
            engine.close()
        shutil.rmtree(self.directory)


def content(path):
    """Read a file whole."""
    with open(path, "rb") as file:
        return file.read()
