"""What ``python -m minionize.testing maker:PileMaker`` needs to run the contract on the pile engine."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from typing import TYPE_CHECKING

from minionize_pile import PileEngine

from minionize.testing import FakeClock, Maker, identity

if TYPE_CHECKING:
    from collections.abc import Callable


class PileMaker(Maker):
    """A new pile for every clause, and a clock that is moved on where the contract waits for a lease to end."""

    traits = PileEngine.traits

    def __init__(self) -> None:
        self.clock = FakeClock(running=time.time)
        self.directory = tempfile.mkdtemp(prefix="pile-")
        self.opened: list[PileEngine] = []

    def open(self, uid: str = "a", *, max_crashes: int = 5, preemptible: bool = False) -> PileEngine:
        """Open the pile, making it if it is not there."""
        me = identity(uid, preemptible=preemptible)
        path = os.path.join(self.directory, "pile")
        engine = PileEngine(path, me, lease=self.lease, max_crashes=max_crashes, create=True, clock=self.clock)
        self.opened.append(engine)
        return engine

    def advance(self, seconds: float) -> None:
        """Move the clock that all minions share."""
        self.clock.advance(seconds)

    def now(self) -> float:
        """Tell the time as the engine does."""
        return self.clock()

    def newer(self) -> Callable[[], bytes]:
        """Write the format that a later version would."""
        path = os.path.join(self.directory, "pile", "pile")
        with open(path, "r+", encoding="utf-8") as file:
            text = file.read().replace("pile 1", "pile 2")
            file.seek(0)
            file.write(text)
        return lambda: _all_of(self.directory)

    def cleanup(self) -> None:
        """Close all and delete the directory."""
        for engine in self.opened:
            engine.close()
        shutil.rmtree(self.directory)


def _all_of(directory: str) -> bytes:
    """Read every file below a directory, with its name."""
    found = []
    for folder, _, names in sorted(os.walk(directory)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found.append(path.encode() + b"\n" + file.read())
    return b"\n".join(found)
