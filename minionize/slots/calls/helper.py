"""The process that forks the children which call functions.

It is made before any client is there and any thread runs, and never does anything else: a fork of the minion itself would copy
locks that other threads hold, and clients (gRPC, Pulsar) that do not survive it. It reaps the children, so that only it may
send them signals: their numbers are nobody else's until then.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from minionize import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minionize.slots.calls.channel import Channel
    from minionize.slots.warden import Warden

_ORDER = Struct("<BIi")
_REPORT = Struct("<IiidQ")
_FORK, _SIGNAL, _CLOSE = range(3)
_MANY = 64


class Report(NamedTuple):
    """How a child ended: ``status`` as wait() has it, ``cpu`` in seconds, ``rss`` in bytes. Pid 0: it never began, status is why."""

    slot: int
    pid: int
    status: int
    cpu: float
    rss: int


class Helper:
    """The minion's end of it."""

    def __init__(
        self,
        channels: Sequence[Channel],
        warden: Warden,
        serve: Callable[[Channel, int], None],
        *,
        grace: float,
    ) -> None:
        """Fork it. ``serve`` is what a child does, with its channel and where it wakes us; ``grace`` (seconds) is for its end."""
        self.channels = channels
        orders, self._orders = os.pipe()
        self.reports, reports = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        #: Where children say that there is something to read.
        self.wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        life, self._life = os.pipe()
        _flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                for fd in (self._orders, self.reports, self.wake, self._life):
                    os.close(fd)
                warden.let_go()
                for channel in channels:
                    channel.leave_to_minion()
                _Nursery(channels, orders, reports, wake, life, warden.sessions, serve, grace).run()
            finally:
                os._exit(0)
        for fd in (orders, reports, wake, life):
            os.close(fd)

    def fork(self, index: int) -> None:
        """Have a child made for a slot."""
        self._order(_FORK, index)

    def signal(self, index: int, number: int) -> None:
        """Send a signal to the process group of a slot's child, if there is one."""
        self._order(_SIGNAL, index, number)

    def heard(self) -> Iterator[Report]:
        """Take the reports that have come; raises EOFError where the helper has gone."""
        try:
            data = os.read(self.reports, _REPORT.size * _MANY)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        for found in _REPORT.iter_unpack(data):
            yield Report(*found)

    def leave(self) -> None:
        """Let the children end, and it after them; those that do not are killed after the grace."""
        self._order(_CLOSE)
        for channel in self.channels:
            channel.close()

    def close(self) -> None:
        """Wait for its end, after :meth:`leave`."""
        os.close(self._orders)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # we are pid 1, and have reaped it among others
        for fd in (self.reports, self.wake, self._life):
            os.close(fd)

    def _order(self, verb: int, index: int = 0, number: int = 0) -> None:
        try:
            os.write(self._orders, _ORDER.pack(verb, index, number))
        except BrokenPipeError:
            pass  # the end of its reports says so


class _Nursery:
    """The helper itself."""

    def __init__(
        self,
        channels: Sequence[Channel],
        orders: int,
        reports: int,
        wake: int,
        life: int,
        sessions: memoryview,
        serve: Callable[[Channel, int], None],
        grace: float,
    ) -> None:
        self._channels, self._orders, self._reports, self._wake = channels, orders, reports, wake
        self._life = life
        self._sessions, self._serve, self._grace = sessions, serve, grace
        self._children: dict[int, int] = {}  # slot by pid
        self._until = float("inf")

    def run(self) -> None:
        """Obey until the minion has gone; one that did not take its leave was killed."""
        import gc

        gc.freeze()  # what is shared with the children stays shared
        signals.stand_aside()
        os.set_blocking(self._reports, True)
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, signals.ignore)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        poller = select.poll()
        poller.register(self._orders, select.POLLIN)
        poller.register(reader, select.POLLIN)
        while self._until == float("inf") or self._children:
            for fd, _ in poller.poll(self._patience()):
                if fd == reader:
                    os.read(reader, 4096)
                elif not self._obey():
                    poller.unregister(fd)
            self._reap()
            if time.monotonic() >= self._until:
                self._kill()

    def _patience(self) -> float | None:
        return None if self._until == float("inf") else max(0.0, self._until - time.monotonic()) * 1000 + 1

    def _obey(self) -> bool:
        """Do what the minion says; False: it says no more."""
        data = os.read(self._orders, _ORDER.size * _MANY)
        for verb, index, number in _ORDER.iter_unpack(data):
            if verb == _FORK:
                self._fork(index)
            elif verb == _SIGNAL:
                self._signal(index, number)
            else:
                self._until = time.monotonic() + self._grace
        if not data and self._until == float("inf"):
            self._until = 0.0
        return bool(data)

    def _fork(self, index: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._report(index, 0, error.errno or 0, 0.0, 0)
            return
        if pid:
            self._children[pid] = index
            return
        try:
            os.setsid()
            self._sessions[index] = os.getpid()
            signal.set_wakeup_fd(-1)
            os.close(self._orders)
            os.close(self._reports)
            for channel in self._channels:
                if channel.index != index:
                    channel.drop()
            _end_with(self._life, -os.getpid())
            os.register_at_fork(after_in_child=lambda: _end_with(self._life, os.getpid()))  # wherever that goes
            self._serve(self._channels[index], self._wake)
        finally:
            os._exit(70)  # it ends itself

    def _signal(self, index: int, number: int) -> None:
        for pid, slot in self._children.items():
            if slot == index:
                _send(pid, number)

    def _reap(self) -> None:
        while self._children:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is None:
                return
            _send(info.si_pid, signal.SIGKILL)  # what it left in its group, while that number is its own
            pid, status, usage = os.wait4(info.si_pid, 0)
            index = self._children.pop(pid, None)
            if index is not None:
                self._report(index, pid, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)

    def _report(self, *what: float) -> None:
        try:
            os.write(self._reports, _REPORT.pack(*what))
        except BrokenPipeError:
            pass  # nobody asks any more

    def _kill(self) -> None:
        for pid in self._children:
            _send(pid, signal.SIGKILL)
        self._until = time.monotonic() + 1.0


def _send(pid: int, number: int) -> None:
    """Signal a child's group; one that has only just been forked has none yet."""
    for send in (os.killpg, os.kill):
        try:
            send(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            pass
        return


def _end_with(life: int, who: int) -> None:
    """Have the kernel end a process, or a group (negative), with the minion, should nobody else be left to do it.

    It sends a SIGIO when the only writer of that pipe has gone, whatever they are at; nothing is ever written to it.
    """
    try:
        # Opened anew: else whom to signal would be the same for all that have it.
        fd = os.open(f"/proc/self/fd/{life}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(fd, fcntl.F_SETOWN, who)
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    except OSError:
        pass  # the helper does it, if it lives


def _flush() -> None:
    """Write out what was printed, or every child would print it once more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass
