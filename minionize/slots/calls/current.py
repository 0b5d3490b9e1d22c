"""Which task a function is being called for: there is one at a time in a process."""

from __future__ import annotations

from json import dumps, loads
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.model import Task


class CurrentTask(NamedTuple):
    """A task, as its function may ask: the id is the same in all attempts; both numbers count from 1."""

    id: str
    attempt: int
    delivery: int


class Batch:
    """The params that came together, and how many of them were begun."""

    __slots__ = ("at", "names", "params")

    def __init__(self) -> None:
        """Begin with none."""
        self.at = 0
        self.params: list[Any] = []
        self.names = b""  # read only when somebody asks

    def open(self, params: list[Any], names: bytes) -> None:
        """Take the next batch; ``names`` is what :func:`names` wrote."""
        self.at, self.params, self.names = 0, params, names


#: That of this process.
BATCH = Batch()


def names(tasks: Sequence[Task]) -> bytes:
    """Write what the tasks are called."""
    return dumps([(task.id, task.attempt, task.delivery) for task in tasks]).encode()


def current_task() -> CurrentTask | None:
    """Return the task that the calling function was called for; None where it was called by other means."""
    if not BATCH.at or not BATCH.names:
        return None
    return CurrentTask(*loads(BATCH.names)[BATCH.at - 1])
