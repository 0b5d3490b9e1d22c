"""Record events on standard output, among the output of the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from minionize.console import Console
    from minionize.settings import Settings


class StdoutReporter:
    """Prints every event: one JSON object a line."""

    def __init__(self, console: Console) -> None:
        """Take the minion's console."""
        self._console = console

    @classmethod
    def from_settings(cls, settings: Settings, minion: str, console: Console) -> Self:
        """Make one."""
        return cls(console)

    def report(self, lines: str) -> None:
        """Print them."""
        self._console.write(1, lines.encode("utf-8", "backslashreplace"))

    def beat(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""
