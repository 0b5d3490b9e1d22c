"""What tasks write, and where it goes: live, grouped, nowhere, or into a directory.

Every slot has one pipe for each stream, for all the tasks that run in it: making them anew for each would cost a tenth
of the rate. The last 4 KiB of standard error are always kept, for the record of a failure.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from minionize.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from minionize.console import Console
    from minionize.model import Task

#: Bytes of standard error that a failure keeps.
TAIL = 4096
#: Bytes of a line without an end that are held back, so that lines of different slots do not tear each other.
LONGEST_LINE = 1 << 20
#: Bytes of grouped output that are kept in memory, before they go to a file.
SPOOL = 1 << 16
_READ = 1 << 16
Pipe = tuple[int, int]
#: Those of standard output and error, where they are there already.
Pipes = tuple[Pipe, Pipe]
_MODE = 0o644
#: How a file of a task is opened, and one that has no single writer.
_KEEP = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
_ADD = _KEEP & ~os.O_TRUNC


class Stream:
    """One pipe between the tasks of a slot and a sink."""

    def __init__(
        self, poller: select.epoll, take: Callable[[bytes], None] | None, *, tail: bool, pipe: Pipe | None = None
    ) -> None:
        """Take the pipe, or make one; ``take`` gets what is read."""
        self.reader, self.writer = pipe or os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reader, False)
        self._poller, self._take = poller, take
        self._tail = bytearray() if tail else None
        self._listens = True
        poller.register(self.reader, select.EPOLLIN)

    def begin(self) -> int:
        """Give the end that a task writes to; blocking again, whatever the last task made of it."""
        os.set_blocking(self.writer, True)
        return self.writer

    def read(self) -> int:
        """Take what is there; says how many bytes."""
        try:
            data = os.read(self.reader, _READ)
        except BlockingIOError:
            return 0
        if self._tail is not None:
            self._tail += data[-TAIL:]
            del self._tail[:-TAIL]
        if self._take:
            self._take(data)
        return len(data)

    def drain(self, readable: Collection[int] | None) -> None:
        """Take what is left when a task has ended: a pipe's worth at most, should something escaped go on writing.

        ``readable`` is what the poller says, which spares most tasks a read; it says nothing where we do not listen. None:
        what is there is another task's.
        """
        if readable is None:
            return
        left = 2 * _READ if self.reader in readable or not self._listens else 0
        while left > 0 and (size := self.read()):
            left -= size

    def listen(self, on: bool) -> None:
        """Read, or leave the writer to wait."""
        self._listens = on
        self._poller.modify(self.reader, select.EPOLLIN if on else 0)

    def close(self) -> None:
        """Close both ends."""
        self._poller.unregister(self.reader)
        os.close(self.reader)
        os.close(self.writer)

    def tail(self) -> bytes:
        """Give the last bytes that the task wrote, and forget them."""
        if not self._tail:
            return b""
        data = bytes(self._tail)
        self._tail.clear()
        return data


class _Sink:
    """Takes one stream of a slot's tasks."""

    def take(self, data: bytes) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """See to the rest, when a task ends."""


class _Lines(_Sink):
    """Passes whole lines on to the console, and the rest when a task ends."""

    def __init__(self, console: Console, fd: int) -> None:
        self._console, self._fd, self._rest = console, fd, bytearray()

    def take(self, data: bytes) -> None:
        cut = data.rfind(b"\n") + 1
        if cut:
            self._console.write(self._fd, bytes(self._rest) + data[:cut])
            self._rest[:] = data[cut:]
        else:
            self._rest += data
            if len(self._rest) > LONGEST_LINE:
                self.end()

    def end(self) -> None:
        if self._rest:
            self._console.write(self._fd, bytes(self._rest))
            self._rest.clear()


class _Group(_Sink):
    """Keeps what a task writes until its end, in memory or, where it is much, in a nameless file."""

    def __init__(self, console: Console, fd: int) -> None:
        self._console, self._fd, self._data, self._file = console, fd, bytearray(), -1

    def take(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > SPOOL:
            try:
                self._spool()
            except OSError:  # no room for a file: better ungrouped than lost
                self.end()

    def _spool(self) -> None:
        if self._file < 0:
            self._file = os.open(os.environ.get("TMPDIR") or "/tmp", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)  # noqa: S108
        while self._data:
            del self._data[: os.write(self._file, self._data)]

    def end(self) -> None:
        if self._file >= 0:
            self._console.write(self._fd, self._file)
            self._file = -1
        if self._data:
            self._console.write(self._fd, bytes(self._data))
            self._data.clear()


class _File(_Sink):
    """Writes to a file, which is made when there is something to write."""

    def __init__(self, kind: str) -> None:
        self.stem, self.flags, self._kind, self._file = "", _KEEP, kind, -1

    def take(self, data: bytes) -> None:
        try:
            if self._file < 0:
                os.makedirs(os.path.dirname(self.stem), exist_ok=True)
                self._file = os.open(self.stem + self._kind, self.flags, _MODE)
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            pass  # as with a program that does not look whether it could write

    def end(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Output:
    """Where the output of one slot's tasks goes."""

    def begin(self, task: Task) -> tuple[int, int]:
        """Give the files for a task's standard output and error."""
        raise NotImplementedError

    def end(self, readable: Collection[int] | None) -> bytes:
        """Finish the task's output, of which ``readable`` descriptors hold more (None: none); returns the tail of its errors."""
        raise NotImplementedError

    def streams(self) -> tuple[Stream, ...]:
        """Give the pipes that the main loop reads."""
        return ()

    def close(self) -> None:
        """Close what all tasks of the slot had in common."""
        for stream in self.streams():
            stream.close()


class Passed(Output):
    """Both streams go through the minion, live or grouped to its own."""

    def __init__(self, poller: select.epoll, sinks: tuple[_Sink, _Sink], pipes: Pipes | None = None) -> None:
        """Make the streams of one slot, from these to the sinks."""
        self._sinks = sinks
        out, err = pipes or (None, None)
        self._out = Stream(poller, sinks[0].take, tail=False, pipe=out)
        self._err = Stream(poller, sinks[1].take, tail=True, pipe=err)

    def begin(self, task: Task) -> tuple[int, int]:
        """Give the pipes."""
        return self._out.begin(), self._err.begin()

    def end(self, readable: Collection[int] | None) -> bytes:
        """Pass on what is left."""
        self._out.drain(readable)
        self._err.drain(readable)
        for sink in self._sinks:
            sink.end()
        return self._err.tail()

    def streams(self) -> tuple[Stream, ...]:
        """Give both pipes."""
        return self._out, self._err


class Gathered(Passed):
    """A directory, where one process runs many tasks: what it writes during each goes to files of that task's own."""

    def __init__(self, poller: select.epoll, directory: str, suffix: str, slot: int, pipes: Pipes) -> None:
        """Take the directory, which exists, and the pipes that the slot's process writes to."""
        self._files = _File(".out"), _File(".err")
        self._directory, self._suffix = directory, suffix
        self._between = os.path.join(directory, f"slot-{slot}{suffix}")  # what belongs to no task
        self._name(self._between, _ADD)
        super().__init__(poller, self._files, pipes)

    def begin(self, task: Task) -> tuple[int, int]:
        """Name the files."""
        self._name(stem_of(task, self._directory, self._suffix))
        return super().begin(task)

    def end(self, readable: Collection[int] | None) -> bytes:
        """Close the files."""
        tail = super().end(readable)
        self._name(self._between, _ADD)
        return tail

    def _name(self, stem: str, flags: int = _KEEP) -> None:
        for file in self._files:
            file.stem, file.flags = stem, flags


class Dropped(Output):
    """None: only the tail of standard error is looked at."""

    def __init__(self, poller: select.epoll, pipes: Pipes | None = None) -> None:
        """Make the stream of one slot, from the second of these pipes."""
        self._null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._err = Stream(poller, None, tail=True, pipe=pipes[1] if pipes else None)

    def begin(self, task: Task) -> tuple[int, int]:
        """Give nothing for standard output."""
        return self._null, self._err.begin()

    def end(self, readable: Collection[int] | None) -> bytes:
        """Read what is left."""
        self._err.drain(readable)
        return self._err.tail()

    def streams(self) -> tuple[Stream, ...]:
        """Give the pipe of standard error."""
        return (self._err,)

    def close(self) -> None:
        """Close the pipe, and nothing."""
        super().close()
        os.close(self._null)


class Kept(Output):
    """A directory: each task writes to two files of its own, and the empty ones are removed."""

    def __init__(self, directory: str, suffix: str) -> None:
        """Take the directory, which exists; ``suffix`` tells deliveries apart where the engine cannot."""
        self._directory, self._suffix = directory, suffix
        self._files: list[tuple[str, int]] = []

    def begin(self, task: Task) -> tuple[int, int]:
        """Make the files, and the directory again, should somebody have removed it."""
        os.makedirs(self._directory, exist_ok=True)
        stem = stem_of(task, self._directory, self._suffix)
        for path in (stem + ".out", stem + ".err"):
            self._files.append((path, os.open(path, _KEEP, _MODE)))
        return self._files[0][1], self._files[1][1]

    def end(self, readable: Collection[int] | None) -> bytes:
        """Close the files."""
        tail = b""
        for path, fd in self._files:
            try:
                size = os.fstat(fd).st_size
                if size and path.endswith(".err"):
                    tail = os.pread(fd, TAIL, max(0, size - TAIL))
                os.close(fd)
                if not size:
                    os.unlink(path)
            except OSError:
                pass  # its task may have removed it
        self._files = []
        return tail


def stem_of(task: Task, directory: str, suffix: str) -> str:
    """Name the files of an execution, but for their endings."""
    return os.path.join(directory, f"{safe_name(task.id)}.{task.delivery}{suffix}")


def safe_name(id: str) -> str:
    """Make a task's id a file name: other brokers' ids may hold slashes."""
    return "".join(char if char.isalnum() or char in "-_.:" else "_" for char in id)[:200]


def make(
    mode: str, poller: select.epoll, console: Console, suffix: str = "", slot: int = 0, pipes: Pipes | None = None
) -> Output:
    """Make the output of a slot for a MINION_OUTPUT of ``live``, ``grouped``, ``none`` or a directory.

    ``pipes`` are those that the slot's own process writes to, where one runs many tasks.
    """
    if mode in ("live", "grouped"):
        kind = _Group if mode == "grouped" else _Lines
        return Passed(poller, (kind(console, 1), kind(console, 2)), pipes)
    if mode == "none":
        return Dropped(poller, pipes)
    try:
        os.makedirs(mode, exist_ok=True)
    except OSError as error:
        raise UsageError(_ELSEWHERE.format(mode, error.strerror)) from error
    if not os.access(mode, os.W_OK | os.X_OK):
        raise UsageError(_ELSEWHERE.format(mode, "it is not yours to write"))
    return Gathered(poller, mode, suffix, slot, pipes) if pipes else Kept(mode, suffix)


_ELSEWHERE = (
    "cannot keep output in {}: {}.\n  Another directory:  MINION_OUTPUT=/path     none at all:  MINION_OUTPUT=live"
)
