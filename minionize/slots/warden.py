"""A process that outlives the minion for a moment, to end what a kill -9 of it would leave running.

It is forked before anything heavy is imported or any thread is started, in a session of its own, and reads a pipe whose other
end only the minion has. While the minion lives it sleeps. The minion writes the sessions of its children in a page of memory that
both share: a child that cleaned its environment is found by its session, one in a session of its own by its MINION_ID.
"""

from __future__ import annotations

import mmap
import os
import signal

from minionize import processes

#: Bytes of a pid.
_PID = 4


class Warden:
    """The minion's end: its slots' sessions, and the pipe."""

    def __init__(self, uid: str, slots: int) -> None:
        """Fork the warden."""
        page = mmap.mmap(-1, slots * _PID)
        #: The session that runs in each slot; 0 where none does.
        self.sessions = memoryview(page).cast("i")
        self.directory = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"minionize-{uid}")  # noqa: S108
        reader, self._pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._pipe)
                _watch(reader, uid, self.sessions, self.directory)
            finally:
                os._exit(0)
        os.close(reader)

    def dismiss(self) -> None:
        """Let the warden go: nothing runs any more."""
        try:
            os.write(self._pipe, b".")
        except BrokenPipeError:
            pass  # somebody ended it

    def bury(self) -> None:
        """See the warden off. One that was not dismissed ends what still runs, as after a kill -9."""
        os.close(self._pipe)
        os.waitpid(self.pid, 0)
        _remove(self.directory)


def _watch(reader: int, uid: str, sessions: memoryview, directory: str) -> None:
    os.setsid()
    processes.name_warden()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)  # a scheduler signals all of a job: the warden goes after its minion
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # whoever waits for the end of the minion's output must not wait for ours
        os.dup2(null, fd)
    if os.read(reader, 1) == b"":
        processes.kill_all(uid, [pid for pid in sessions if pid])
        _remove(directory)


def _remove(directory: str) -> None:
    """Remove the minion's scratch directory: files only, one deep; what is no file stays."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for path in (*(os.path.join(directory, name) for name in names), directory):
        try:
            (os.rmdir if path == directory else os.unlink)(path)
        except OSError:
            pass
