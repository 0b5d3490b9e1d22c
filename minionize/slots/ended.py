"""What slots hand back: executions that are over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minionize.model import Task
    from minionize.policy import Ending


class Ended:
    """An execution that is over, and the slot it was in."""

    __slots__ = ("ending", "error", "slot", "task")

    def __init__(self, slot: int, task: Task, ending: Ending, error: Exception | None = None) -> None:
        """Keep them; ``error`` is what was raised in its place: Retry, Dead, Interrupted, or why it never began."""
        self.slot, self.task, self.ending, self.error = slot, task, ending, error


#: An execution that succeeded: its task, start (epoch seconds), duration and CPU time (seconds), memory (bytes) and result.
Success = tuple["Task", float, float, float, int, "str | None"]


class Successes:
    """Executions in one slot that all succeeded, in the order in which they ended: there may be a great many."""

    __slots__ = ("all", "slot")

    def __init__(self, slot: int) -> None:
        """Begin with none."""
        self.slot = slot
        self.all: list[Success] = []
