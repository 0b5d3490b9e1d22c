"""What a reporter is: it takes event lines, in batches, from the minion's main loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import Self

    from minionize.console import Console
    from minionize.settings import Settings


class Reporter(Protocol):
    """Takes events. What it raises is shown once and never fails a task."""

    @classmethod
    def from_settings(cls, settings: Settings, minion: str, console: Console) -> Self:
        """Make the reporter of a minion; raises UsageError where it cannot work at all."""
        ...

    def report(self, lines: str) -> None:
        """Record whole lines of JSON, each with its newline."""
        ...

    def beat(self) -> None:
        """Show that the minion lives; called every ``events.HEARTBEAT`` seconds."""
        ...

    def close(self) -> None:
        """Let go."""
        ...
