"""Failed tasks one by one, each with its group, its param and its stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minionize.status.executions import number_in, text_in
from minionize.status.failures import describe
from minionize.status.groups import group_of
from minionize.status.words import param_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minionize.events import Event
    from minionize.status.model import Failed, FailureGroup, Status
    from minionize.status.read import EventFiles


class FailedTask:
    """A task whose last execution failed. Its event is read when it is asked for what only that has."""

    __slots__ = ("_event", "_files", "group", "task")
    group: FailureGroup
    task: Failed

    def __init__(self, group: FailureGroup, task: Failed, files: EventFiles) -> None:
        """Take a task of a group."""
        self.group, self.task, self._files = group, task, files
        self._event: Event | None = None

    @property
    def error(self) -> str:
        """The cause, which its group shares."""
        return describe(self.group.cause)

    @property
    def outcome(self) -> str:
        """``failed`` or ``timeout``."""
        return "timeout" if self.group.cause.kind == "timeout" else "failed"

    def get(self, name: str) -> Any:
        """Return a field of its event, or what the queue keeps of it; None where that is gone."""
        if self._event is None:
            self._event = self._found() or {}
        return self._event.get(name)

    def number(self, name: str) -> float | None:
        """Return a field that is a number; None where it is none."""
        self.get(name)
        return number_in(self._event or {}, name)

    def text(self, name: str) -> str | None:
        """Return a field that is a text; None where it is none, or empty."""
        self.get(name)
        return text_in(self._event or {}, name)

    def _found(self) -> Event | None:
        if self.task.stored is not None:
            entry, failure = self.task.stored, self.task.stored.failure
            return {**failure._asdict(), "param": param_value(entry.param), "attempt": entry.attempt}
        return self._files.event(self.task.row) if self.task.row is not None else None


def failed_tasks(status: Status, files: EventFiles) -> Iterator[FailedTask]:
    """Yield every failed task, group by group, newest first."""
    for group in status.failures:
        for task in group.tasks:
            yield FailedTask(group, task, files)


def regrouped(tasks: Iterable[FailedTask]) -> tuple[FailureGroup, ...]:
    """Make the groups of some of the failed tasks: they keep their numbers, all else is said of these tasks alone."""
    kept: dict[int, tuple[FailureGroup, list[Failed]]] = {}
    for one in tasks:
        kept.setdefault(one.group.number, (one.group, []))[1].append(one.task)
    total = sum(len(chosen) for _, chosen in kept.values())
    return tuple(group_of(group.number, group.cause, chosen, total) for group, chosen in kept.values())
