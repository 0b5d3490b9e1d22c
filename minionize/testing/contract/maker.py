"""What the author of an engine provides, so that the contract can be run on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from minionize.model import Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.engines.base import Engine
    from minionize.model import Traits


class Maker(Protocol):
    """One queue, new and empty, and the minions that use it. Inherit from it: only ``traits`` and ``open`` are a must.

    Every length of time in the contract is a part of ``lease``. With an engine whose clock can be moved on, keep the
    60 s and override ``advance``; else make it as short as the engine bears, and the contract sleeps.
    """

    #: What the engine promises: clauses beyond that are skipped.
    traits: Traits
    #: The lease of the engines that ``open`` opens, in seconds.
    lease: float = 60.0
    #: Seconds to wait for a task before believing that none comes.
    pause: float = 0.0
    #: Seconds to wait for something that has to come: only spent where a clause is broken, or the engine is slow.
    patience: float = 5.0
    #: Seconds until what was settled outlives its minion, where acks are on their way for a moment.
    settling: float = 0.0

    def open(self, uid: str = "a", *, max_crashes: int = 5, preemptible: bool = False) -> Engine:
        """Open the queue for one more minion; the first call makes it. ``uid`` is of a minion that was not there before.

        No minion may be able to see that the process of another one is gone: all are in this process.
        :func:`identity` makes an identity with that property.
        """
        ...

    def advance(self, seconds: float) -> None:
        """Move time on."""
        time.sleep(seconds)

    def kill(self, engine: Engine) -> None:
        """Make the minion of this engine vanish: it gives nothing back, and nobody calls its engine again.

        Where the engine has a connection or a thread of its own, cut it here.
        """

    def now(self) -> float:
        """Tell the wall-clock time as the engine sees it: ``NewTask.due`` and ``Control.at`` are made with it."""
        return time.time()

    def newer(self) -> Callable[[], bytes] | None:
        """Make the queue look as if a later version had written it, while no engine is open.

        Returns what reads all of it, so that the contract sees that it was left as it was; None: not applicable.
        """
        return None

    def restart(self) -> bool:
        """Stop the server and start it again, while engines are open; False: there is none."""
        return False

    def spoil(self) -> bool:
        """Put a message into the queue that cannot be decoded; False: there is no way to."""
        return False

    def cleanup(self) -> None:
        """Close what is open and leave nothing behind; called after each clause, whatever came of it."""


def identity(uid: str, *, preemptible: bool = False) -> Identity:
    """Make the identity of a minion whose process no other minion can see: each has a pid namespace of its own."""
    return Identity(uid, f"host-of-{uid}", 1, 1, "boot", f"namespace-of-{uid}", preemptible)
