"""A question to a scheduler, by its own command: asked at once, answered when it likes."""

from __future__ import annotations

import fcntl
import os
import signal
import time

_READ = 65536
#: Bytes that an answer may have while nobody reads it: a large job's hosts and events are many.
_ROOM = 1 << 20


class Question:
    """A command that was started and may not have answered yet; whoever asks need not wait."""

    def __init__(self, *command: str) -> None:
        """Start the command; one that is missing has answered nothing."""
        self._said, self._pid = b"", 0
        self._reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        files = (
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writer, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        )
        try:
            os.set_blocking(writer, True)
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _ROOM)
        except OSError:
            pass  # what there is will do
        try:
            self._pid = os.posix_spawnp(command[0], command, os.environ, file_actions=files, setsigmask=())
        except OSError:
            pass
        finally:
            os.close(writer)

    def answer(self) -> str | None:
        """Return what the command printed once it has ended, empty where it failed; None until then."""
        if self._pid:
            self._read()
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:  # as process 1 we reap whatever ends
                pid, status = self._pid, 0
            if not pid:
                return None
            self._pid = 0
            self._read()
            if status:
                self._said = b""
        self.drop()
        return self._said.decode("utf-8", "replace")

    def wait(self, patience: float) -> str:
        """Wait for the answer, for so many seconds at the most; empty where there is none then."""
        end = time.monotonic() + patience
        while (answer := self.answer()) is None and time.monotonic() < end:
            time.sleep(0.002)
        self.drop()
        return answer or ""

    def drop(self) -> None:
        """Wait for no answer any more."""
        if self._pid:
            try:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            self._pid = 0
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def _read(self) -> None:
        try:
            while piece := os.read(self._reader, _READ):
                self._said += piece
        except BlockingIOError:
            pass
