"""The lines of the ``file`` engine: from standard input as they come, or from a file, all at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minionize.errors import BadParam
from minionize.model import NewTask
from minionize.params.files import Feed, LineReader, lines
from minionize.params.ids import number
from minionize.params.jsontext import encode

if TYPE_CHECKING:
    from collections.abc import Iterator


class StandardInput:
    """Tasks from the lines of a file descriptor, read when they are asked for; a task's id is its line's number."""

    def __init__(self, fd: int, decoder: str) -> None:
        """Read from ``fd`` by the decoder that FILE_DECODER names."""
        self._feed = Feed(fd)
        self._reader = LineReader(decoder, "standard input")
        self._bell, self._ringer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._line = 0
        #: Nothing more will come.
        self.ended = False

    def read(self, limit: int, wait: float) -> list[NewTask]:
        """Read up to ``limit`` tasks, waiting up to ``wait`` seconds for a first one."""
        raw = self._feed.read(limit, wait, self._bell)
        self._hush()
        tasks = []
        for line in raw:
            self._line += 1
            text = self._reader.feed(line)
            if isinstance(text, BadParam):
                tasks.append(self._unreadable(text, line))
            elif text is not None:
                tasks.append(NewTask(str(self._line), text))
        if self._feed.ended and not self.ended:
            self.ended = True
            rest = self._reader.end() if self._line else None
            if rest is not None:
                tasks.append(self._unreadable(rest, b""))
        return tasks

    def wake(self) -> None:
        """Cut short the wait of a read, now or the next one. Any thread may call it."""
        try:
            os.write(self._ringer, b".")
        except BlockingIOError:
            pass  # it rings already

    def _hush(self) -> None:
        try:
            os.read(self._bell, 4096)
        except BlockingIOError:
            pass

    def _unreadable(self, error: BadParam, line: bytes) -> NewTask:
        return NewTask(str(self._line), encode(line.decode("utf-8", "surrogateescape")), error=str(error))


def read_file(path: str, decoder: str) -> Iterator[NewTask]:
    """Read the tasks of a file; raises BadParam, naming the line, at the first that is none, UsageError without the file."""
    return number(_texts(path, decoder))


def _texts(path: str, decoder: str) -> Iterator[str]:
    with open(path, "rb") as file:
        for text in lines(decoder, file, path):
            if isinstance(text, BadParam):
                raise text
            yield text
