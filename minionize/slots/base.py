"""What the loop of a minion asks of its slots, whatever runs in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minionize.model import Task
    from minionize.policy import Stopped
    from minionize.slots.ended import Ended, Successes


class Running(Protocol):
    """A slot in which something runs: since when (monotonic and epoch seconds), and whether that was announced."""

    index: int
    start: float
    epoch: float
    announced: bool

    @property
    def task(self) -> Task:
        """What runs."""


class Readable(Protocol):
    """A descriptor that the loop reads."""

    def read(self) -> object:
        """Take what is there."""


class Slots(Protocol):
    """All slots of a minion. Nothing here waits, but for ``close``."""

    @property
    def idle(self) -> int:
        """Slots in which nothing runs."""

    @property
    def ahead(self) -> int:
        """Tasks that wait in slots behind others."""

    @property
    def next(self) -> int:
        """The slot in which the next task starts, where there is room."""

    @property
    def stirred(self) -> bool:
        """Whether there is something to reap besides what a SIGCHLD told."""

    @property
    def running(self) -> Mapping[int, Running]:
        """The slots in which something runs."""

    @property
    def readers(self) -> Mapping[int, Readable]:
        """What the loop reads for us, by file descriptor."""

    def room(self, waiting: int, mean: float | None) -> int:
        """Say how many tasks may be started now, of which ``waiting`` wait; ``mean`` is how long one takes, in seconds."""

    def start(self, task: Task) -> Ended | bool:
        """Run a task. True: it runs; False: whether it can be run, only its end will tell. Raises what preparing it raises."""

    def flush(self) -> None:
        """Send what was started."""

    def stop_all(self, why: Stopped) -> None:
        """Ask all that runs to end: SIGTERM to each process group, SIGKILL after the grace."""

    def kill_all(self) -> None:
        """End all that runs, now."""

    def lose(self, task: Task, why: Stopped) -> bool:
        """Stop a task that is no longer ours; says whether it was here."""

    def withdraw(self) -> list[Task]:
        """Take back the tasks that wait in slots, and have not begun."""

    def returned(self) -> list[Task]:
        """Give the tasks that were started in vain, and have not begun."""

    def suspend(self) -> None:
        """Stop all that runs; its time limits stand still."""

    def resume(self) -> None:
        """Let all that runs go on, and its time with it."""

    def tick(self, now: float) -> float:
        """Do what is due at ``now``; says when something is due next (both monotonic)."""

    def reap(self) -> Iterator[Ended | Successes]:
        """Take the tasks that have ended."""

    def listen(self, on: bool) -> None:
        """Read what the tasks write, or leave them to wait."""

    def close(self, *, sweep: bool) -> None:
        """Start nothing any more. What escaped from its task is left alone, or, with ``sweep``, for the warden to end."""
