"""Signals and messages of other threads, as bytes in one pipe that the main loop polls."""

from __future__ import annotations

import os
import signal

#: What a minion listens to; the bytes that its loop reads are these numbers, or 0 for a message of a thread.
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DRAIN = (signal.SIGUSR1, signal.SIGUSR2)
SUSPEND, CONTINUE, CHILD = signal.SIGTSTP, signal.SIGCONT, signal.SIGCHLD


class Signals:
    """The pipe. Handlers do nothing: the wake-up byte is the message."""

    def __init__(self) -> None:
        """Listen, from now on; a SIGHUP that is ignored (nohup) stays ignored."""
        self.reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers = {}
        for number in (*STOP, *DRAIN, SUSPEND, CONTINUE, CHILD):
            old = signal.getsignal(number)
            if number == signal.SIGHUP and old == signal.SIG_IGN:
                continue
            self._handlers[number] = signal.signal(number, ignore)

    def notify(self) -> None:
        """Wake the loop; any thread may call it."""
        try:
            os.write(self._writer, b"\0")
        except OSError:
            pass  # it is full, so it wakes anyway; or the loop is gone

    def read(self) -> bytes:
        """Take what has come."""
        try:
            return os.read(self.reader, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Go back to how signals were, but for a drain: schedulers repeat theirs, and it must not kill who is leaving."""
        for number, handler in self._handlers.items():
            if number in DRAIN and handler in (None, signal.SIG_DFL):
                handler = signal.SIG_IGN  # noqa: PLW2901 - see above
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(self._before)
        writer, self._writer = self._writer, -1
        os.close(writer)
        os.close(self.reader)


def stand_aside() -> None:
    """Have no part in the job any more, in a process that goes after its minion: be heard of by nobody, and hear none of its signals."""
    os.setsid()
    for number in (*STOP, *DRAIN, SUSPEND):  # a scheduler signals all of a job; what the minion decides is done
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # whoever waits for the end of the minion's output must not wait for ours
        os.dup2(null, fd)


def end_as_others() -> None:
    """Let what ends any other process end pid 1, too, from now on: the kernel spares that one until it listens."""
    if os.getpid() == 1:
        for number in (signal.SIGTERM, signal.SIGHUP, *DRAIN):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)


def suspend() -> None:
    """Stop this process, as SIGTSTP would have done."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _end(number: int, frame: object) -> None:
    os._exit(128 + number)


def ignore(number: int, frame: object) -> None:
    """Do nothing: the wake-up byte, or what the signal cut short, is what counts."""
