"""A minion that halts at a step of its loop: ``python halting.py STEP SAID GO ARGUMENTS-OF-MINIONIZE``.

When it first comes to the step it writes a byte to the pipe SAID and waits for one from the pipe GO. Only the thread
that came there halts: where that is the courier, the main thread goes on.
"""

from __future__ import annotations

import os
import sys

from minionize.app import minionizer
from minionize.callbacks.process import Command
from minionize.cli.minionize import main
from minionize.engines.sqlite import SqliteEngine
from minionize.minion import Minion
from minionize.reporters.json import JsonReporter
from minionize.slots.pool import Pool


def always(*arguments):
    """Halt the first time."""
    return True


def second_slot(callback, task, slot):
    """Halt only for the second slot of a minion."""
    return slot == 1


def has_settlements(engine, settled, *arguments):
    """Halt only where something is settled."""
    return bool(settled)


def tells_an_end(reporter, lines):
    """Halt only where the end of a task is recorded."""
    return '"task_end"' in lines


#: The steps: what is called there, whether it halts ``before`` or ``after`` that, and on what condition.
STEPS = {
    "before the queue is opened": (minionizer, "_open", "before", always),
    "before the first claim": (Minion, "run", "before", always),
    "in the transaction of a claim": (SqliteEngine, "_claim", "after", always),
    "after the claim": (SqliteEngine, "_ask", "after", always),
    "before the child starts": (Command, "prepare", "before", always),
    "before the second slot starts a child": (Command, "prepare", "before", second_slot),
    "when the child has just started": (Pool, "_spawn", "after", always),
    "when the child has ended": (Command, "conclude", "before", always),
    "when the event is written": (JsonReporter, "report", "after", tells_an_end),
    "before the settlement": (SqliteEngine, "_ask", "before", has_settlements),
    "in the transaction of the settlement": (SqliteEngine, "_settle", "after", has_settlements),
    "after the settlement": (SqliteEngine, "_ask", "after", has_settlements),
    "in the transaction of a renewal": (SqliteEngine, "_renew", "after", always),
    "before parting": (SqliteEngine, "close", "before", always),
    "in the transaction of parting": (SqliteEngine, "_leave", "after", always),
    "after parting": (SqliteEngine, "close", "after", always),
}


class Halt:
    """Halts once."""

    def __init__(self, said, go):
        self._said, self._go, self._over = said, go, False
        for fd in (said, go):
            os.set_inheritable(fd, False)

    def __call__(self):
        """Say that we are there, and wait."""
        if not self._over:
            self._over = True
            os.write(self._said, b"!")
            os.read(self._go, 1)

    def at(self, owner, name, when, condition):
        """Halt around a method."""
        method = getattr(owner, name)

        def halting(*arguments, **options):
            here = condition(*arguments)
            if here and when == "before":
                self()
            result = method(*arguments, **options)
            if here and when == "after":
                self()
            return result

        setattr(owner, name, halting)


if __name__ == "__main__":
    step, said, go, *rest = sys.argv[1:]
    Halt(int(said), int(go)).at(*STEPS[step])
    sys.exit(main(rest))
