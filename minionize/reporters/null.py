"""Record nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from minionize.console import Console
    from minionize.settings import Settings


class NullReporter:
    """Drops every event: ``minion-status`` then knows the queue's counts and nothing else."""

    @classmethod
    def from_settings(cls, settings: Settings, minion: str, console: Console) -> Self:
        """Make one."""
        return cls()

    def report(self, lines: str) -> None:
        """Drop them."""

    def beat(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""
