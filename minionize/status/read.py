"""Follow a directory of event files: each refresh reads only what was appended since the one before."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import groupby
from json import JSONDecoder
from typing import TYPE_CHECKING, Any
from zlib import crc32

from minionize.status import original
from minionize.status.ledger import Ledger, MinionRecord
from minionize.status.words import as_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from minionize.events import Event
    from minionize.status.cache import Cache

SUFFIX = ".jsonl"
_decode = JSONDecoder().raw_decode


class File:
    """How far a file of events was read. The last line that was read begins at ``last`` and has the checksum ``sum``."""

    __slots__ = ("inode", "last", "minion", "mtime", "number", "offset", "path", "sum")

    def __init__(self, path: str, number: int, inode: int) -> None:
        """Nothing of it was read yet; ``mtime`` is in nanoseconds."""
        self.path, self.number, self.inode = path, number, inode
        self.offset = self.last = self.sum = self.mtime = 0
        self.minion: MinionRecord | None = None

    def goes_on(self, lines: BinaryIO) -> bool:
        """Tell whether the last line that was read still stands where it did; the file is then at what is new."""
        lines.seek(self.last)
        return crc32(lines.read(self.offset - self.last)) == self.sum


class EventFiles:
    """The events of a directory. ``unreadable`` counts lines that are no event, ``refused`` files we may not read.

    ``newest_heartbeat`` is the newest mtime there is: a clock that all files share, whatever ours says.
    """

    def __init__(self, directory: str, cache: Cache | None = None) -> None:
        """Read nothing yet; a directory that does not exist has no events. A ``cache`` saves reading old events again."""
        self.directory, self._cache = directory, cache
        self._forget()

    def _forget(self) -> None:
        self.ledger = Ledger()
        self.unreadable = 0
        self.refused: list[str] = []
        self.newest_heartbeat = 0.0
        self._files: dict[str, File] = {}
        self._by_number: list[File] = []
        self._not_kept = 0  # bytes that were read since the cache was written

    def refresh(self) -> None:
        """Read what is new. A file that became shorter, another one, or is gone: everything is read again."""
        try:
            found = self._scan()
        except OSError:  # what was read before is still known
            self.refused = [self.directory]
            return
        if self._files.keys() - dict(found) or any(self._was_replaced(name, stat) for name, stat in found):
            self._forget()
        if self._cache and not self._files:
            self._recall(self._cache, found)
        self.refused = []
        for name, stat in found:
            file = self._files.get(name)
            if file is None:
                path = os.path.join(self.directory, name)
                file = self._files[name] = File(path, len(self._by_number), stat.st_ino)
                self._by_number.append(file)
            if stat.st_size > file.offset and not self._read(file):
                self._forget()
                self.refresh()
                return
            file.mtime = stat.st_mtime_ns
            if file.minion is not None:
                file.minion.heartbeat = max(file.minion.heartbeat, stat.st_mtime)
            self.newest_heartbeat = max(self.newest_heartbeat, stat.st_mtime)
        if self._cache and self._cache.is_worth(self._not_kept, sum(file.offset for file in self._by_number)):
            self._cache.keep(self.directory, self._by_number, self.ledger, self.unreadable)
            self._not_kept = 0

    def _recall(self, cache: Cache, found: list[tuple[str, os.stat_result]]) -> None:
        kept = cache.recall(self.directory, found)
        if kept:
            self.ledger, self.unreadable, self._by_number = kept.ledger, kept.unreadable, kept.files
            self._files = {os.path.basename(file.path): file for file in kept.files}

    def _scan(self) -> list[tuple[str, os.stat_result]]:
        """List the files of events by name; raises OSError where there is a directory that may not be read."""
        try:
            with os.scandir(self.directory) as entries:
                named = [entry for entry in entries if _is_ours(entry.name) and entry.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = {}
        for entry in sorted(named, key=lambda entry: entry.name, reverse=True):
            with suppress(OSError):  # it was removed since, or is a link to nothing
                stat = entry.stat()
                found[stat.st_dev, stat.st_ino] = entry.name, stat  # one file with two names is one file
        return sorted(found.values(), key=lambda item: item[0])

    def _was_replaced(self, name: str, stat: os.stat_result) -> bool:
        file = self._files.get(name)
        return file is not None and (stat.st_size < file.offset or stat.st_ino != file.inode)

    def _read(self, file: File) -> bool:
        """Read what is new; tells whether it is: False where the file was written anew, in its place."""
        before = file.offset
        try:
            with open(file.path, "rb") as lines:
                if not file.goes_on(lines):
                    return False
                for line in lines:
                    if not line.endswith(b"\n"):
                        break  # it is being written: the next refresh will find it whole
                    self._add(file, line)
                    file.last, file.sum = file.offset, crc32(line)
                    file.offset += len(line)
        except OSError:
            self.refused.append(file.path)
        self._not_kept += file.offset - before
        return True

    def _add(self, file: File, line: bytes) -> None:
        try:
            event = _event(line)
            file.minion = self.ledger.add(event, line, file.number, file.offset)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            self.unreadable += 1

    def lines(self, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield rows with their lines; quick where rows are in order. What is gone is left out."""
        for number, together in groupby(rows, self.ledger.file.__getitem__):
            with suppress(OSError), open(self._by_number[number].path, "rb") as file:
                for row in together:
                    file.seek(self.ledger.offset[row])
                    yield row, file.readline()

    def event(self, row: int) -> Event | None:
        """Read the ``task_end`` of a row again, numbers as typed; None where it is gone."""
        for _, line in self.lines([row]):
            return event_of(line)
        return None


def event_of(line: bytes, decode: Callable[[bytes], Any] = as_typed) -> Event | None:
    """Read the line of a ``task_end`` again, one of 0.3.x as ours would be; None where that is not what stands there."""
    try:
        event = decode(line)
        if not isinstance(event, dict):
            return None
        if "type" not in event:
            return original.task_end(event)
        return event if event["type"] == "task_end" else None
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None


def _is_ours(name: str) -> bool:
    return name.endswith(SUFFIX) or original.is_file_name(name)


def _event(line: bytes) -> Event:
    """Do what ``json.loads`` does, without its guess at the encoding: a third faster. Raises ValueError."""
    text = line.decode("utf-8", "surrogatepass")
    event, end = _decode(text)
    if text[end:].strip():
        raise ValueError(text)
    return event  # type: ignore[no-any-return]  # what is no object is found out by the ledger
