"""Our file beside execo's: a line an exchange, appended, and read by all.

A line is a JSON list of changes (see ``books``), whole or not at all: one that has no end was being written when its
writer died, and the next writer cuts it off. When the file has grown to several times what its content needs, it is
written anew, and replaced in one step. Every method wants the lock of the directory to be held.
"""

from __future__ import annotations

import os
from json import JSONDecodeError, dumps, loads
from typing import TYPE_CHECKING, Any

from minionize.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What the first line says, and the version of all that follows.
FORMAT = "minionize-execo"
VERSION = 1
#: Bytes from which on it is written anew, and how often larger than after the last time it may become.
_SMALL, _GROWTH = 1 << 20, 4
#: Bytes read at a time.
_CHUNK = 1 << 20

Change = list[Any]


class Journal:
    """The file, open, and how far it was read."""

    def __init__(self, path: str) -> None:
        """Name the file; it is made by the first write."""
        self.path = path
        self._fd = -1
        self._position = 0
        self._base = 0  # its size when it was last written anew, as far as we know

    def read(self) -> tuple[bool, list[list[Change]]]:
        """Return the lines that have come since the last read; True: from the beginning, for it is another file."""
        anew = self._reopen()
        if self._fd < 0:
            return anew, []
        if anew:
            self._check()
        lines = self._lines()
        if anew:
            self._base = self._position
        return anew, lines

    def append(self, changes: list[Change], *, sync: bool) -> None:
        """Write a line; with ``sync`` it is on the disk, or at the file server, when this returns."""
        if self._fd < 0:
            self.write_anew([])
        text = _line(changes)
        try:
            self._write(text)
            if sync:
                os.fsync(self._fd)
        except BaseException:
            self._cut()
            raise
        self._position += len(text)

    @property
    def has_grown(self) -> bool:
        """Whether it is time to write it anew."""
        return self._position > max(_SMALL, self._base * _GROWTH)

    def shrink(self, changes: Iterable[Change]) -> bool:
        """Replace all lines by one where there is room for it beside them; else that is tried again a third later."""
        try:
            self.write_anew(changes)
        except OSError:
            self._base = self._position * 4 // (3 * _GROWTH)
            return False
        return True

    def write_anew(self, changes: Iterable[Change]) -> None:
        """Replace all lines by one."""
        new = self.path + ".new"
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            text = _line({"format": FORMAT, "version": VERSION}) + _line(list(changes))
            _write_all(fd, text)
            os.fsync(fd)
            os.rename(new, self.path)
        except BaseException:
            os.close(fd)
            _remove(new)
            raise
        self.close()
        self._fd, self._position, self._base = fd, len(text), len(text)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._position = -1, 0

    def forget(self) -> None:
        """Read from the beginning the next time."""
        self.close()

    def _reopen(self) -> bool:
        """Open the file that is there now; says whether that is another one than before."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            had = self._fd >= 0
            self.close()
            return had
        if self._fd >= 0:
            ours = os.fstat(self._fd)
            if (ours.st_dev, ours.st_ino) == (status.st_dev, status.st_ino) and status.st_size >= self._position:
                return False
            self.close()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        return True

    def _lines(self) -> list[list[Change]]:
        """Read what is behind the last line read, and cut off what is no line."""
        content = self._content()
        if not content:
            return []
        end = content.rfind(b"\n") + 1
        texts = content[:end].split(b"\n")[:-1]
        lines = []
        for number, text in enumerate(texts):
            try:
                lines.append(loads(text))
            except (JSONDecodeError, UnicodeDecodeError) as error:
                # A machine that lost its power may leave zeros where a line was about to be; nobody acted on it.
                if number < len(texts) - 1:
                    raise self._damaged() from error
                end -= len(text) + 1
        self._position += end
        if end < len(content):
            os.ftruncate(self._fd, self._position)
        return lines

    def _content(self) -> bytes:
        parts, at = [], self._position
        while part := os.pread(self._fd, _CHUNK, at):
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def _write(self, text: bytes) -> None:
        os.lseek(self._fd, self._position, os.SEEK_SET)
        _write_all(self._fd, text)

    def _cut(self) -> None:
        """Take back what was written of a line; where even that fails, the next reader does."""
        try:
            os.ftruncate(self._fd, self._position)
        except OSError:
            pass

    def _check(self) -> None:
        """Raise EngineError unless this is a journal that we can read, and step behind its first line."""
        line, end, _ = os.pread(self._fd, 200, 0).partition(b"\n")
        try:
            header = loads(line)
        except (JSONDecodeError, UnicodeDecodeError):
            header = None
        if not end or not isinstance(header, dict) or header.get("format") != FORMAT:
            self.close()
            raise self._damaged()
        version = header.get("version")
        if version != VERSION:
            self.close()
            raise EngineError(
                f"{self.path} was written by a newer minionize (format {version}, this one knows {VERSION}).\n"
                f"  pip install --upgrade minionize"
            )
        self._position = len(line) + 1

    def _damaged(self) -> EngineError:
        return EngineError(
            f"{self.path} is damaged, or no journal of minionize. It was left as it is.\n"
            f"  To go on without it (attempts, dead letters and results are forgotten then, what is done stays done):\n"
            f"  mv {self.path} {self.path}.bad"
        )


def _line(content: Any) -> bytes:
    return dumps(content, separators=(",", ":")).encode() + b"\n"


def _write_all(fd: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(fd, view) :]


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
