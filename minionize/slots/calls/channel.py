"""What the minion and the child of one slot say to each other.

Tasks travel in batches, in memory that both see, and are begun one by one: the child takes a *token* from a pipe before each.
The minion takes tokens back from the same pipe, so that the kernel decides, for every task, whether it was begun or withdrawn.
What became of a task is a record in a second pipe, which outlives the child. So whenever a child dies, it is known which
task it died of, which ones it had done, and which ones it never saw.

A child that finds output in its pipes after a task waits for the minion to have read that (``go``) before it begins the next:
so what is in the pipes is always one task's.
"""

from __future__ import annotations

import os
import select
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.slots.calls.current import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minionize.model import Task

#: What a record says: the call returned, or what it raised; or the child is ready for the first one, or never will be.
DONE, FAILED, EXITED, RETRY, DEAD, INTERRUPTED, UNFIT, UNREADABLE, READY, UNREADY = range(10)

#: Batches that may be on their way to a child at once: one that it works on, and the next.
BATCHES = 2

_HEAD = Struct("<IBB4dQ")
_SIZES = Struct("<QQ")
_WAKE = Struct("<H")
_READ = 1 << 16
#: Bytes of a batch above which its memory is given back.
_LARGE = 1 << 20


class Record(NamedTuple):
    """What became of a call. Times are seconds: ``start`` since the epoch, ``ended`` on the monotonic clock; ``rss`` is bytes."""

    kind: int
    printed: int
    start: float
    took: float
    cpu: float
    ended: float
    rss: int
    body: bytes


class Channel:
    """The pipes of one slot, and its memory. They are made before the helper, and serve every child of the slot in turn."""

    __slots__ = ("_partial", "batches", "errors", "go", "index", "output", "results", "tokens")

    def __init__(self, index: int) -> None:
        """Make them; raises OSError where there are too many files."""
        self.index = index
        self.tokens, self.results, self.go = (_pipe() for _ in range(3))
        self.output, self.errors = (os.pipe2(os.O_CLOEXEC) for _ in range(2))
        self.batches = [os.memfd_create("minionize", os.MFD_CLOEXEC) for _ in range(BATCHES)]
        self._partial = b""

    @property
    def pipes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Those of standard output and error."""
        return self.output, self.errors

    # ------------------------------------------------------------------ the minion's side

    def send(self, sequence: int, tasks: Sequence[Task]) -> None:
        """Give a batch to the child; raises OSError where there is no room for it."""
        params = "\0".join([task.param for task in tasks]).encode("utf-8", "surrogateescape")
        file = self.batches[sequence % BATCHES]
        data = b"".join((params, names(tasks)))
        if os.fstat(file).st_size > _LARGE:  # what was large once is not kept
            os.ftruncate(file, 0)
        _put(file, _SIZES.pack(len(params), len(data)) + data)
        os.write(self.tokens[1], bytes((sequence,)) * len(tasks))

    def withdraw(self) -> int:
        """Take back what the child has not begun; says how many tasks."""
        count = 0
        while tokens := _take(self.tokens[0]):
            count += len(tokens)
        return count

    def records(self) -> Iterator[tuple[tuple[Any, ...], bytes]]:
        """Take what has become of tasks: for each record the size of its body and the other fields of Record; and its body."""
        while data := _take(self.results[0]):
            data = self._partial + data
            at, end = 0, len(data)
            while at + _HEAD.size <= end:
                head = _HEAD.unpack_from(data, at)
                body = at + _HEAD.size
                if body + head[0] > end:
                    break
                at = body + head[0]
                yield head, data[body:at]
            self._partial = data[at:]

    def let_go(self) -> None:
        """Let the child go on: its output was read."""
        os.write(self.go[1], b".")

    def forget(self) -> None:
        """Clear what a child that has died left half said."""
        self._partial = b""
        _take(self.go[0])

    def close(self) -> None:
        """Close what the minion has of it, but for the pipes of the output."""
        for fd in (*self.tokens, *self.results, *self.go, *self.batches):
            os.close(fd)

    # ------------------------------------------------------------------ the child's side

    def leave_to_minion(self) -> None:
        """Close, in the helper, what only the minion has: then a child sees the minion go."""
        for fd in (self.tokens[1], self.results[0], self.go[1]):
            os.close(fd)

    def drop(self) -> None:
        """Close, in a child, what is another one's."""
        for fd in (self.tokens[0], self.results[1], self.go[0], *self.output, *self.errors, *self.batches):
            os.close(fd)

    def take_token(self, before: Callable[[], None]) -> int:
        """Wait for leave to begin a task, and do something before that takes time; -1: the minion has gone."""
        try:
            token = os.read(self.tokens[0], 1)
        except BlockingIOError:
            before()
            token = self._wait_for(self.tokens[0])
        return token[0] if token else -1

    def read(self, sequence: int) -> tuple[bytes, bytes]:
        """Read a batch: the params, as JSON with NULs between, and the names of the tasks."""
        file = self.batches[sequence % BATCHES]
        data = os.pread(file, _READ, 0)
        middle, end = (_SIZES.size + size for size in _SIZES.unpack_from(data))
        while len(data) < end:
            data += os.pread(file, end - len(data), len(data))
        return data[_SIZES.size : middle], data[middle:end]

    def wait_until_read(self) -> bool:
        """Wait until the minion has read the output; False: it has gone."""
        return bool(self._wait_for(self.go[0]))

    @staticmethod
    def _wait_for(fd: int) -> bytes:
        while True:
            try:
                return os.read(fd, 1)
            except BlockingIOError:
                _poll(fd, select.POLLIN)


class Reply:
    """The child's end of the records, and what wakes the minion to read them."""

    __slots__ = ("_fd", "_index", "_wake")

    def __init__(self, channel: Channel, wake: int) -> None:
        """Write the records of that channel; ``wake`` is where the minion listens."""
        self._fd, self._wake, self._index = channel.results[1], wake, _WAKE.pack(channel.index)

    def record(
        self, kind: int, body: bytes, printed: bool, start: float, took: float, cpu: float, ended: float, rss: int
    ) -> None:
        """Write a record; waits where the minion is behind. ``body`` is JSON text."""
        data = _HEAD.pack(len(body), kind, printed, start, took, cpu, ended, rss) + body
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                self.wake()
                _poll(self._fd, select.POLLOUT)

    def wake(self) -> None:
        """Wake the minion."""
        try:
            os.write(self._wake, self._index)
        except BlockingIOError:
            pass  # it has so many reasons to wake that none is missing


def woken(data: bytes) -> set[int]:
    """Read which slots woke the minion."""
    return {index for (index,) in _WAKE.iter_unpack(data)}


def _pipe() -> tuple[int, int]:
    """Make a pipe neither end of which ever blocks: both sides read some of them, and must not get stuck in turn."""
    return os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)


def _take(fd: int) -> bytes:
    try:
        return os.read(fd, _READ)
    except BlockingIOError:
        return b""


def _poll(fd: int, events: int) -> None:
    poller = select.poll()
    poller.register(fd, events)
    poller.poll()


def _put(fd: int, data: bytes) -> None:
    at = 0
    while at < len(data):
        at += os.pwrite(fd, data[at:] if at else data, at)
