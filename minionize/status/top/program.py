"""Starts the threads and the program, and sees how it was left."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from minionize.status.top.app import NothingThere, Top
from minionize.status.top.clerk import Clerk
from minionize.status.top.looker import Looker

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from minionize.engines.base import Engine
    from minionize.status.read import EventFiles
    from minionize.status.style import Style

#: What :func:`show` returns where there is neither a queue nor an event.
NOTHING = "nothing"
#: Seconds between two looks whether the server of a browser's program is still there.
_LOOK = 1.0


def has_screen() -> bool:
    """Tell whether there is a terminal to draw on (textual writes to standard error), or a browser."""
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stderr.isatty())


def follow_parent(every: float = _LOOK) -> None:
    """End this process when the one that started it has, also where the program's own loop comes to nothing any more."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(128 + signal.SIGHUP)

    threading.Thread(target=watch, name="mtop-parent", daemon=True).start()


def show(files: EventFiles, open: Callable[[], Engine], style: Style, readonly: str, pace: float) -> str:
    """Show the dashboard until it is left; raises what made it stop. ``open`` opens the queue, in a thread of its own.

    ``readonly`` says why nothing may be changed (empty: it may), ``pace`` is the seconds between two looks. A SIGTERM or
    SIGHUP ends it with the terminal as it was, by SystemExit.
    """
    if "TEXTUAL_DRIVER" in os.environ:
        follow_parent()
    clerk = Clerk(open, time.time)
    looker = Looker(files, clerk, time.time, style)
    app = Top(looker, clerk, time.time, style, readonly=readonly, pace=pace)

    def leave(number: int, frame: FrameType | None) -> None:
        app.exit(SystemExit(128 + number))  # seen within a second: that is when the clock is drawn

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        left = app.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if isinstance(left, NothingThere):
        return NOTHING
    if left is not None:
        raise left
    return ""
