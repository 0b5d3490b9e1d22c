"""The lock around every write to a queue: a kernel lock on a file of its own, waited for in turn and not for ever.

SQLite polls for its lock, so with many minions a few get everything (one of 32 waited over a second); execo's
ParamSweeper waits for its own without end, and does not keep two of one process apart. ``flock`` belongs to an open file
and hands itself on in turn. It is released by LOCK_UN, never by closing: a child that was just spawned may still hold the file open.
"""

from __future__ import annotations

import _thread
import fcntl
import os

from minionize.errors import EngineUnavailable

#: Seconds to wait for the guard: far longer than any write takes, so whoever holds it then is stopped or stuck.
PATIENCE = 10.0
#: Times in a row that the lock is taken past those who wait for it.
SNATCHES = 64


class Guard:
    """A lock that is waited for in turn, but not for ever.

    A blocking ``flock`` cannot be given a time limit, so where it is contended a helper thread waits for it. A helper
    that got it too late hands it back, or to whoever asks next. Who had to wait may snatch the lock from those it has
    just woken a few times, for that is fast, and goes to the end of the line then.
    """

    def __init__(self, path: str, patience: float = PATIENCE) -> None:
        """Open the lock file, making it where there is none."""
        self._path, self._patience = path, patience
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._mutex = _thread.allocate_lock()
        self._asked, self._granted = _thread.allocate_lock(), _thread.allocate_lock()
        self._asked.acquire()
        self._granted.acquire()
        self._has_helper = self._contended = self._waiting = self._wanted = False
        self._snatches = SNATCHES

    def acquire(self) -> None:
        """Take the lock; raises EngineUnavailable, naming who holds it, when that takes too long."""
        with self._mutex:
            if not self._waiting:
                if self._snatches and self._try():
                    self._snatches -= self._contended
                    return
                self._waiting = True
                if not self._has_helper:
                    self._has_helper = True
                    _thread.start_new_thread(self._help, ())
                self._asked.release()
            self._wanted = True
        if self._granted.acquire(timeout=self._patience):
            return
        with self._mutex:
            if self._granted.acquire(blocking=False):
                return
            self._wanted = False
        raise EngineUnavailable(self._complaint())

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let the next one in."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock file, unless a helper still waits on it: then the process's end does."""
        with self._mutex:
            if not self._waiting and self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
                if self._has_helper:
                    self._asked.release()

    def _help(self) -> None:
        """Wait for the lock whenever that is asked, until the file is closed."""
        while True:
            self._asked.acquire()
            if self._fd < 0:
                return
            try:
                self._contended = not self._try()
                if self._contended:
                    fcntl.flock(self._fd, fcntl.LOCK_EX)
                self._snatches = SNATCHES
            except OSError:  # no locks to be had: who asked is told in time, and may ask again
                self._waiting = False
                continue
            with self._mutex:
                self._waiting = False
                if self._wanted:
                    self._wanted = False
                    self._granted.release()
                else:
                    fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _complaint(self) -> str:
        return complaint(self._path, holder(self._fd), self._patience)


def complaint(path: str, pid: int | None, patience: float) -> str:
    """Say who has held a lock for too long, and what to do; None: it cannot be seen who."""
    who = f"process {pid}{_describe(pid)}" if pid else "another process"
    cure = f"\n  Let it go on:  kill -CONT {pid}     or end it:  kill {pid}" if pid else ""
    return f"the queue's lock {path} has been held by {who} for over {patience:g} s.{cure}"


def holder(fd: int, kind: str = "FLOCK") -> int | None:
    """Find the pid that holds a lock of that kind (or ``POSIX``) on this open file; None where that cannot be seen."""
    status = os.fstat(fd)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as lines:
            for line in lines:
                fields = line.split()
                if "->" not in fields and kind in fields and wanted in fields:
                    return int(fields[4]) if int(fields[4]) > 0 else None
    except (OSError, ValueError, IndexError):
        pass
    return None


def _describe(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            name, _, rest = stat.read().partition("(")[2].rpartition(")")
    except OSError:
        return ""
    state = {"T": ", which is stopped", "t": ", which is being traced", "D": ", which waits for a disk"}
    return f" ({name}{state.get(rest.split()[0], '')})"
