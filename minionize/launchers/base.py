"""What a launcher is: it starts many minions somewhere, all alike, and can be asked about them later.

A launcher from elsewhere is an entry point in the group ``minionize.launchers`` that names a subclass of :class:`Launcher`.
Its name becomes a word of ``minion-launch``; one that is called like a verb (``list``, ``status``, ``stop``, ``drain``) is
reached by ``--to``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from minionize.settings import Settings
    from minionize.settings.setting import Setting

#: ``pending``: it waits for its place. ``unknown``: nobody can say.
State = Literal["pending", "running", "ended", "unknown"]
#: What ``submit`` returns and the others are given: JSON, in the words of its launcher. ``job`` is what people are shown.
Handle = dict[str, Any]


class Plan(NamedTuple):
    """A launch that is about to be: ``size`` minions, each of them ``argv`` in ``directory``, with these variables.

    ``slots`` is None for as many as there are CPUs, ``walltime`` (seconds) where nobody bounds it, ``path`` a directory to
    find programs in first (empty: none). ``before`` are lines of shell. ``logs`` is for what minions say, and ours alone.
    ``queue`` is a path that has to be there (empty: the queue is no path, or is to come).
    """

    id: str
    name: str
    size: int
    directory: str
    logs: str
    argv: tuple[str, ...]
    exports: Mapping[str, str]
    path: str = ""
    before: str = ""
    slots: int | None = 1
    walltime: float | None = None
    queue: str = ""


class Element(NamedTuple):
    """One minion of a launch, as its scheduler sees it: ``number`` is its index there, ``job`` what it is called there.

    ``exit`` is the exit code, ``note`` a reason in the scheduler's words. ``key`` finds the minion's own events: its job and
    index as :func:`minionize.place.job` names them, or the boot id, pid and start time of its process.
    """

    number: int
    state: State
    job: str = ""
    host: str = ""
    exit: int | None = None
    note: str = ""
    key: tuple[str, ...] = ()


class Command(NamedTuple):
    """A command that a launcher runs, where (empty: here), and what it reads."""

    argv: tuple[str, ...]
    directory: str = ""
    input: str | None = None


class Launcher:
    """The way to one place. Every failure is a LaunchError, in the words of who refused, and with what to try."""

    #: One line for ``minion-launch --help``.
    help: ClassVar[str] = ""
    #: Its rows of the settings, beside those that all launchers have.
    settings: ClassVar[tuple[Setting[Any], ...]] = ()
    #: Whether what it starts is paid for: then ``minion-launch`` only shows it, until it is given ``--apply``.
    spends_money: ClassVar[bool] = False
    #: Whether minions find this process's environment around them, without being told.
    passes_environment: bool = False
    #: The place's own command that lists what runs there: for launches of which nobody knows what became of them.
    overview: ClassVar[str] = "ps -fu $USER"
    #: Whether it looks for the plan's queue where minions are to run, before it starts any.
    looks_for_queue: ClassVar[bool] = False
    #: Whether it ends minions when their walltime is over, and tells them; else they are told when they start.
    keeps_time: ClassVar[bool] = False

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make one; raises UsageError where a setting that it needs is missing."""
        return cls()

    def available(self) -> str:
        """Say why it cannot be used here; empty where it can, as far as can be told without asking anybody."""
        return ""

    def default_count(self) -> int:
        """Say how many minions there are to be where nobody said it."""
        return 1

    def hosts(self) -> frozenset[str] | None:
        """Name the machines where minions may run; None where nobody can say."""
        return None

    def defaults(self) -> dict[str, str]:
        """Return values for settings of minions that nobody has set, as this place needs them: ``MINION_GRACE``, say."""
        return {}

    def script(self, plan: Plan) -> str:
        """Write what would be submitted. Secrets are not in it."""
        raise NotImplementedError

    def commands(self, plan: Plan) -> list[Command]:
        """Return the commands that would be run, for people to see."""
        raise NotImplementedError

    def submit(self, plan: Plan) -> Handle:
        """Start it; raises LaunchRefused or UsageError where nothing was, any other LaunchError where something may have been.

        Where only a part was started the handle says so, in ``failed``: a list of sentences.
        """
        raise NotImplementedError

    def recall(self, id: str, logs: str, count: int) -> Handle | None:
        """Look for a launch whose ``submit`` was cut off, by its id and its logs; None where it is not known there."""
        return None

    def status(self, handle: Handle, count: int) -> list[Element]:
        """Ask what has become of each minion, in the order of their numbers."""
        raise NotImplementedError

    def stop(self, handle: Handle, *, kill: bool = False) -> None:
        """End them all: they give their tasks back first, unless ``kill``."""
        raise NotImplementedError

    def drain(self, handle: Handle) -> None:
        """Let them finish what they run, and leave; what has not begun, never begins."""
        raise NotImplementedError

    def by_hand(self, handle: Handle) -> str:
        """Return the command of the place's own that ends the launch: for where no record of it could be kept."""
        return ""
