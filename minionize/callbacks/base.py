"""What a callback is: it says what a slot is to launch for a task, and reads what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minionize.model import Task
    from minionize.policy import Ending


class Launch(NamedTuple):
    """What a slot is to run: the arguments (the first one is the program's path), and variables besides the usual ones."""

    argv: list[bytes]
    environment: Mapping[bytes, bytes] = {}


class Callback:
    """What a minion does with its tasks. Subclass one of its kinds rather than this."""

    #: What events and screens show as the command.
    command: Sequence[str] = ()

    def setup(self) -> None:
        """Prepare, once, before the first param is taken; what this raises ends the minion."""

    def teardown(self) -> None:
        """Clean up, once, when the minion leaves."""

    def prepare(self, task: Task, slot: int) -> Launch:
        """Say what to launch; raises BadParam where the param makes no command line, Dead, Retry or Interrupted."""
        raise NotImplementedError

    def conclude(self, task: Task, ending: Ending) -> None:
        """Look at what came of it; may raise Dead, Retry or Interrupted to say what becomes of the task."""
