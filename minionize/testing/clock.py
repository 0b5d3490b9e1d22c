"""A clock that goes on when it is told to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeClock:
    """A clock for tests: call it to read it, in seconds.

    It stands still between two calls of :meth:`advance`; or, given another clock such as ``time.monotonic``, it runs
    with that one and only jumps ahead. Any thread may use it.
    """

    def __init__(self, start: float = 1000.0, *, running: Callable[[], float] | None = None) -> None:
        """Begin at ``start``, or at what ``running`` says."""
        self._ahead = 0.0 if running else start
        self._running = running
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Read the clock."""
        return self._ahead + (self._running() if self._running else 0.0)

    def advance(self, seconds: float) -> None:
        """Move time on; it never goes back."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        with self._lock:
            self._ahead += seconds
