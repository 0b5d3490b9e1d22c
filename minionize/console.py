"""What a minion writes to its own standard output and error, without ever waiting for a reader that has stopped.

An outlet is a thread with a queue: the minion's main thread hands bytes over and goes on. It asks ``full`` before it
takes more from its children, so a stopped reader stops them too, and memory does not grow.
"""

from __future__ import annotations

import _thread
import os
import select
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes that may wait for a reader before children are left to wait too.
LIMIT = 1 << 20
_CHUNK = 1 << 16
_ERASE = b"\r\x1b[K"


class Outlet:
    """One open file that is written to by a thread of its own, started with the first byte."""

    def __init__(self, fd: int, relieved: Callable[[], None]) -> None:
        """Take a file descriptor; ``relieved`` is called (by the thread) when it is no longer full, or broken."""
        self.fd = fd
        #: The reader is gone: nothing that is written arrives any more.
        self.broken = False
        self._relieved = relieved
        self._queue: deque[bytes | int] = deque()
        self._size = 0
        self._lock = _thread.allocate_lock()
        self._bell = _thread.allocate_lock()
        self._bell.acquire()
        self._started = False

    @property
    def full(self) -> bool:
        """Whether to take no more."""
        return self._size > LIMIT

    @property
    def empty(self) -> bool:
        """Whether all was written."""
        return self._size == 0

    def write(self, data: bytes | int) -> None:
        """Hand over bytes, or a file descriptor whose whole file is to be copied and which is then closed."""
        if self.broken:
            if isinstance(data, int):
                os.close(data)
            return
        with self._lock:
            self._queue.append(data)
            self._size += _size(data)
            if not self._started:
                self._started = True
                _thread.start_new_thread(self._run, ())
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it rings already

    def flush(self, timeout: float) -> None:
        """Wait until all was written, ``timeout`` seconds at the most."""
        end = time.monotonic() + timeout
        while not self.empty and not self.broken and time.monotonic() < end:
            time.sleep(0.002)

    def _run(self) -> None:
        while True:
            self._bell.acquire()
            while self._queue:
                with self._lock:
                    batch = self._take()
                size = sum(map(_size, batch))
                if self.broken:
                    for file in batch:
                        if isinstance(file, int):
                            os.close(file)
                else:
                    self._write(batch)
                with self._lock:
                    was_full = self.full
                    self._size -= size
                if was_full and not self.full:
                    self._relieved()

    def _take(self) -> list[bytes | int]:
        """Take what can be written in one go: a file, or many small pieces."""
        batch: list[bytes | int] = [self._queue.popleft()]
        size = _size(batch[0])
        while self._queue and isinstance(batch[-1], bytes) and isinstance(self._queue[0], bytes) and size < _CHUNK:
            size += len(self._queue[0])
            batch.append(self._queue.popleft())
        return batch

    def _write(self, batch: list[bytes | int]) -> None:
        try:
            if isinstance(batch[0], int):
                self._copy(batch[0])
            else:
                self._write_all(b"".join(batch))  # type: ignore[arg-type]
        except OSError:
            self.broken = True
            self._relieved()

    def _copy(self, source: int) -> None:
        try:
            offset = 0
            while data := os.pread(source, _CHUNK, offset):
                self._write_all(data)
                offset += len(data)
        finally:
            os.close(source)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:  # whoever started us made it non-blocking
                select.select([], [self.fd], [], 1.0)


class Console:
    """Standard output and error of a minion, its messages, and the progress line at the bottom of a terminal."""

    def __init__(self, relieved: Callable[[], None], *, quiet: bool = False) -> None:
        """Open both; where they are the same file, one outlet keeps their order."""
        self.quiet = quiet
        self.out = self.err = Outlet(2, relieved)
        if not _same_file(1, 2):
            self.out = Outlet(1, relieved)
        self.terminal = _is_terminal(2)
        self._line = b""

    def write(self, fd: int, data: bytes | int) -> None:
        """Write to standard output (1) or error (2), above the progress line."""
        outlet = self.out if fd == 1 else self.err
        if not self._line or (outlet is not self.err and not _is_terminal(1)):
            outlet.write(data)
        else:
            self.err.write(_ERASE)
            outlet.write(data)
            self.err.write(self._line)

    def say(self, text: str) -> None:
        """Write one message of ours, unless we are to be quiet."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Write one message of ours that must be seen."""
        self.write(2, f"minionize: {_harmless(text)}\n".encode("utf-8", "backslashreplace"))

    def progress(self, text: str) -> None:
        """Draw the progress line anew on a terminal, where an empty text takes it away; in a log, say it."""
        if not self.terminal:
            self.say(text)
            return
        line = text.encode("utf-8", "backslashreplace")
        if line != self._line:
            self.err.write(_ERASE + line)
            self._line = line

    @property
    def full(self) -> bool:
        """Whether a reader has fallen so far behind that children should wait."""
        return self.out.full or self.err.full

    @property
    def broken(self) -> bool:
        """Whether nobody reads our standard output any more."""
        return self.out.broken

    def close(self, timeout: float) -> bool:
        """Take the progress line away and write what is left, ``timeout`` seconds at the most; says whether nothing is."""
        if self._line:
            self.progress("")
        end = time.monotonic() + timeout
        for outlet in (self.out, self.err):
            outlet.flush(max(0.0, end - time.monotonic()))
        return all(outlet.empty or outlet.broken for outlet in (self.out, self.err))


def _harmless(text: str) -> str:
    """Show control characters, which may be somebody else's (a message in a stream), but for the ends of our lines."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _size(data: bytes | int) -> int:
    return LIMIT // 16 if isinstance(data, int) else len(data)  # open files are dearer than bytes


def _same_file(one: int, other: int) -> bool:
    try:
        first, second = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
