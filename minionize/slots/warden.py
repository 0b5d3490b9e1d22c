"""A process that outlives the minion for a moment, to end what a kill -9 of it would leave running.

It is forked before anything heavy is imported or any thread is started, in a session of its own, and reads a pipe whose other
end only the minion has. While the minion lives it sleeps. The minion writes the sessions of its children in a page of memory that
both share: a child that cleaned its environment is found by its session, one in a session of its own by its MINION_ID.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct

from minionize import processes

_PID = struct.Struct("i")


class Warden:
    """The minion's end: its slots' sessions, and the pipe."""

    def __init__(self, uid: str, slots: int) -> None:
        """Fork the warden."""
        self._page = mmap.mmap(-1, slots * _PID.size)
        self.directory = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"minionize-{uid}")  # noqa: S108
        reader, self._pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._pipe)
                _watch(reader, uid, self._page, self.directory)
            finally:
                os._exit(0)
        os.close(reader)

    def started(self, slot: int, pid: int) -> None:
        """Note the session that runs in a slot; 0 when it has ended."""
        _PID.pack_into(self._page, slot * _PID.size, pid)

    def dismiss(self) -> None:
        """Let the warden go: nothing runs any more."""
        os.write(self._pipe, b".")
        os.close(self._pipe)
        os.waitpid(self.pid, 0)
        _remove(self.directory)


def _watch(reader: int, uid: str, page: mmap.mmap, directory: str) -> None:
    os.setsid()
    processes.name_warden()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)  # a scheduler signals all of a job: the warden goes after its minion
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # whoever waits for the end of the minion's output must not wait for ours
        os.dup2(null, fd)
    if os.read(reader, 1) == b"":
        sessions = [pid for (pid,) in _PID.iter_unpack(page[:]) if pid]
        processes.kill_all(uid, sessions)
        _remove(directory)


def _remove(directory: str) -> None:
    """Remove the minion's scratch directory: files only, one deep."""
    try:
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)
    except OSError:
        pass
