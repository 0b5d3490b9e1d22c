"""How Python itself behaves while a minion works."""

from __future__ import annotations

import gc
import sys

#: Seconds that one thread may keep the other waiting. A courier that has its answer waits as long for a loop that is busy with
#: short tasks: at Python's own 5 ms it got one every 11 ms from Redis, at 1 ms one every 7 ms.
_TURN = 0.001
#: Objects made between two looks of the garbage collector. Nothing of ours goes in circles, and tasks come by the hundred.
_LOOKS = (10_000, 50, 50)


#: How it was: the first, and the second.
Habits = tuple[float, tuple[int, int, int]]


def settle_down() -> Habits:
    """Make it fit for the loop of a minion; returns how it was."""
    before = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_TURN)
    gc.freeze()  # what is here by now, stays
    gc.set_threshold(*_LOOKS)
    return before


def go_back(habits: Habits) -> None:
    """Make it as it was: a program goes on after its minion."""
    gc.unfreeze()
    turn, looks = habits
    gc.set_threshold(*looks)
    sys.setswitchinterval(turn)
