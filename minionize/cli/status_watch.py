"""``minion-status --watch`` and ``--wait``: look again and again, until it is over or somebody has seen enough."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Seconds between two looks: usually, and at the least.
INTERVAL, SHORTEST = 2.0, 0.5


class Look(NamedTuple):
    """What is to be shown now, and whether the run is over."""

    lines: Sequence[str]
    over: bool


def watch(look: Callable[[], Look], interval: float, out: TextIO, *, in_place: bool, until_over: bool) -> bool:
    """Show one look after another, below each other or, on a terminal, in place; tells whether it came to the run's end.

    It ends with the run where ``until_over``, else when somebody types Ctrl-C (or ``q``).
    """
    if in_place and out.isatty() and os.environ.get("TERM") not in (None, "", "dumb"):
        return _in_place(look, interval, out, until_over)
    try:
        while True:
            shown = look()
            for line in shown.lines:
                print(line, file=out)
            out.flush()
            if until_over and shown.over:
                return True
            time.sleep(interval)
    except KeyboardInterrupt:
        return False


def wait(look: Callable[[], Look], interval: float) -> Look:
    """Show nothing until the run is over; returns the last look."""
    while not (shown := look()).over:
        time.sleep(interval)
    return shown


def _in_place(look: Callable[[], Look], interval: float, out: TextIO, until_over: bool) -> bool:
    from minionize.cli.status_screen import Screen

    shown = Look((), over=False)
    try:
        with Screen(out) as screen:
            while True:
                shown = look()
                screen.draw(shown.lines)
                if (until_over and shown.over) or not screen.pause(interval):
                    break
    except KeyboardInterrupt:
        pass
    for line in shown.lines:  # the last look stays on the page where it was asked for
        print(line, file=out)
    return shown.over
