"""What a callback is: it says what is to be done for a task, and looks at what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minionize.model import Entry, Identity, NewTask, Task
    from minionize.policy import Ending


class Launch(NamedTuple):
    """What a slot is to run: the arguments (the first one is the program's path), and variables besides the usual ones.

    Where that is but the client of a container, which outlives it, ``container`` is its name.
    """

    argv: list[bytes]
    environment: Mapping[bytes, bytes] = {}
    container: bytes = b""


class Callback:
    """What a minion does with its tasks. Subclass one of its kinds rather than this."""

    #: What its slots hold: a program each, a call in a child process each, or one call in the minion itself.
    launches: Literal["programs", "calls", "inline"] = "programs"
    #: What events and screens show as the command.
    command: Sequence[str] = ()

    #: What is done about containers, which outlive their clients, by the words of :mod:`minionize.slots.containers`.
    container_commands: Mapping[bytes, Sequence[bytes]] = {}

    def enlist(self, me: Identity, *, quiet: bool = False) -> None:
        """Get ready to be the callback of this minion, before ``setup``, which is for whoever subclasses; what this raises ends it.

        ``quiet``: it is to say nothing but warnings.
        """

    def setup(self) -> None:
        """Prepare, once, before the first param is taken; what this raises ends the minion."""

    def teardown(self) -> None:
        """Clean up, once, when the minion leaves."""

    def examine(self) -> str:
        """Say what would be run, for ``--doctor``; raises a MinionizeError where that cannot be."""
        raise NotImplementedError

    def show(self, task: NewTask | Entry) -> str:
        """Write what a task would run, for ``--dry-run``; raises BadParam where its param makes no command line."""
        raise NotImplementedError

    def prepare(self, task: Task, slot: int) -> Launch:
        """Say what to launch; raises BadParam where the param makes no command line, Dead, Retry or Interrupted."""
        raise NotImplementedError

    def review(self, task: Task, ending: Ending) -> str | None:
        """Look at what came of it as a kind of callback, and then ``conclude``, which is for whoever subclasses."""
        return self.conclude(task, ending)

    def conclude(self, task: Task, ending: Ending) -> str | None:
        """Look at what came of it; may return words to add to the reason of a failure.

        May raise Dead, Retry or Interrupted to say what becomes of the task; CommandNotFound or HostUnfit to end the minion,
        which gives it back.
        """
        return None
