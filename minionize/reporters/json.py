"""Record events in a directory, one append-only file of JSON Lines per minion: what ``minion-status`` reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minionize.errors import UsageError
from minionize.settings import table

if TYPE_CHECKING:
    from typing import Self

    from minionize.console import Console
    from minionize.settings import Settings


class JsonReporter:
    """Appends to ``DIRECTORY/<minion>.jsonl``. A line that could not be written whole is taken back."""

    def __init__(self, directory: str, minion: str) -> None:
        """Make the directory and the file; raises UsageError where that cannot be done."""
        self.path = os.path.join(directory, f"{minion}.jsonl")
        try:
            os.makedirs(directory, exist_ok=True)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise UsageError(
                f"cannot write events to {directory}: {error.strerror}.\n"
                f"  Elsewhere:  REPORTER_JSON_DIRECTORY=/path     not at all:  MINION_REPORTER=null"
            ) from error
        self._size = os.fstat(self._fd).st_size

    @classmethod
    def from_settings(cls, settings: Settings, minion: str, console: Console) -> Self:
        """Write where REPORTER_JSON_DIRECTORY says."""
        return cls(settings[table.REPORT_DIRECTORY], minion)

    def report(self, lines: str) -> None:
        """Append them with one write; raises OSError where the disk does not take them all."""
        data = lines.encode("utf-8", "backslashreplace")
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def beat(self) -> None:
        """Touch the file."""
        os.utime(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
