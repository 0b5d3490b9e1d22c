"""Follow a directory of event files: each refresh reads only what was appended since the one before."""

from __future__ import annotations

import os
from json import loads
from typing import TYPE_CHECKING

from minionize.status.ledger import Ledger, MinionRecord
from minionize.status.words import as_typed

if TYPE_CHECKING:
    from minionize.events import Event

SUFFIX = ".jsonl"


class _File:
    __slots__ = ("inode", "minion", "number", "offset", "path")

    def __init__(self, path: str, number: int, inode: int) -> None:
        self.path, self.number, self.inode, self.offset = path, number, inode, 0
        self.minion: MinionRecord | None = None


class EventFiles:
    """The events of a directory. ``unreadable`` counts lines that are no event, ``refused`` files we may not read.

    ``newest_heartbeat`` is the newest mtime there is: a clock that all files share, whatever ours says.
    """

    def __init__(self, directory: str) -> None:
        """Read nothing yet; a directory that does not exist has no events."""
        self.directory = directory
        self._forget()

    def _forget(self) -> None:
        self.ledger = Ledger()
        self.unreadable = 0
        self.refused: list[str] = []
        self.newest_heartbeat = 0.0
        self._files: dict[str, _File] = {}
        self._by_number: list[_File] = []

    def refresh(self) -> None:
        """Read what is new. A file that became shorter or another one: everything is read again."""
        found = self._scan()
        if any(self._was_replaced(name, stat) for name, stat in found):
            self._forget()
        self.refused = []
        for name, stat in found:
            file = self._files.get(name)
            if file is None:
                path = os.path.join(self.directory, name)
                file = self._files[name] = _File(path, len(self._by_number), stat.st_ino)
                self._by_number.append(file)
            if stat.st_size > file.offset:
                self._read(file)
            if file.minion is not None:
                file.minion.heartbeat = max(file.minion.heartbeat, stat.st_mtime)
            self.newest_heartbeat = max(self.newest_heartbeat, stat.st_mtime)

    def _scan(self) -> list[tuple[str, os.stat_result]]:
        try:
            with os.scandir(self.directory) as entries:
                named = [entry for entry in entries if entry.name.endswith(SUFFIX) and entry.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = []
        for entry in named:
            try:
                found.append((entry.name, entry.stat()))
            except OSError:  # it was removed since, or is a link to nothing
                continue
        return sorted(found, key=lambda item: item[0])

    def _was_replaced(self, name: str, stat: os.stat_result) -> bool:
        file = self._files.get(name)
        return file is not None and (stat.st_size < file.offset or stat.st_ino != file.inode)

    def _read(self, file: _File) -> None:
        try:
            with open(file.path, "rb") as lines:
                lines.seek(file.offset)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break  # it is being written: the next refresh will find it whole
                    self._add(file, line)
                    file.offset += len(line)
        except OSError:
            self.refused.append(file.path)

    def _add(self, file: _File, line: bytes) -> None:
        try:
            event = loads(line)
            file.minion = self.ledger.add(event, line, file.number, file.offset)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            self.unreadable += 1

    def event(self, row: int) -> Event | None:
        """Read the ``task_end`` of a row again, numbers as typed; None where it is gone."""
        file = self._by_number[self.ledger.file[row]]
        try:
            with open(file.path, "rb") as lines:
                lines.seek(self.ledger.offset[row])
                event = as_typed(lines.readline())
        except (OSError, ValueError, RecursionError):
            return None
        return event if isinstance(event, dict) else None
