"""What one run of the bench measures, and where."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.peers import Original


class Plan(NamedTuple):
    """What every theme is told. ``rounds`` is None where each theme has its own number of them; peers are in ``cache``."""

    directory: str
    cache: str
    original: Original
    quick: bool = False
    rounds: int | None = None

    def times(self, usual: int, quick: int) -> int:
        """Say how many rounds."""
        return self.rounds or (quick if self.quick else usual)

    @contextmanager
    def place(self) -> Iterator[str]:
        """Make an empty directory that is removed at the end of the block."""
        directory = tempfile.mkdtemp(dir=self.directory)
        try:
            yield directory
        finally:
            shutil.rmtree(directory)


def params(path: str, count: int) -> str:
    """Write the numbers from 1 to ``count`` to a file, one a line; returns its path."""
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{number}\n" for number in range(1, count + 1))
    return path
