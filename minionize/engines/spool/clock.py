"""The file server's clock: the only one that all machines see alike."""

from __future__ import annotations

import os
import time


class ServerClock:
    """Tells the file server's time, in seconds since the epoch."""

    def __init__(self) -> None:
        """Begin with this machine's time, until a file was touched."""
        self._ahead = time.time() - time.monotonic()

    def touch(self, path: str) -> float:
        """Set the time of a file to the server's, and return that."""
        os.utime(path)
        now = os.stat(path).st_mtime
        self._ahead = now - time.monotonic()
        return now

    def now(self) -> float:
        """Tell the time, reckoned from the last touch."""
        return time.monotonic() + self._ahead
