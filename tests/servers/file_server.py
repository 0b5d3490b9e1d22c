"""A file server's clock that tests set: what a spool takes for the time of all machines."""

from __future__ import annotations

import os

from minionize.engines.spool.clock import ServerClock


class FakeFileServer(ServerClock):
    """Its time is ``clock``; this machine's own is wrong by ``off`` seconds until a file was touched."""

    def __init__(self, clock, off=0.0):
        super().__init__()
        self.clock, self.off = clock, off

    def touch(self, path):
        """Give the file the server's time."""
        now = self.clock()
        os.utime(path, (now, now))
        self.off = 0.0
        return now

    def now(self):
        """Tell the time, as far as it is known here."""
        return self.clock() + self.off
