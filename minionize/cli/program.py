"""What ``minionize`` is to run: a command, a command in a container, or a Python function.

The strongest place that says one of them decides: words of the command line are stronger than a function from the
environment, and than the ``command`` of ``.minionize.yml``. An image says where, a command what: these two go together,
wherever each comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from minionize.errors import UsageError
from minionize.settings import table
from minionize.settings.read import DEFAULT, FILE, FLAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.callbacks.base import Callback
    from minionize.settings import Settings


class Program(NamedTuple):
    """What is to be run, the words of its command, and where it stands, as `Settings.source` says it."""

    kind: Literal["function", "image", "command"]
    words: Sequence[str]
    source: str


def program(settings: Settings, words: Sequence[str]) -> Callback | None:
    """Make the callback of a command line and its settings; None where nothing says what to run.

    Raises UsageError where one place says two things that exclude each other.
    """
    chosen = choose(settings, words)
    if chosen is None:
        return None
    if chosen.kind == "function":
        from minionize.callbacks.func import load

        return load(settings[table.PYTHON], settings.describe(table.PYTHON))
    if chosen.kind == "image":
        from minionize.callbacks.container import ContainerCallback

        return ContainerCallback.from_settings(settings, chosen.words)
    from minionize.callbacks.process import Command

    return Command(chosen.words, template=not settings[table.TEMPLATE])


def choose(settings: Settings, words: Sequence[str]) -> Program | None:
    """Say what is to be run; None where nothing says it. Raises UsageError as :func:`program` does."""
    project = settings.project
    command = FLAG if words else FILE if project.command else DEFAULT
    function, image = settings.strength(table.PYTHON), settings.strength(table.IMAGE)
    if function and function == max(command, image):
        raise UsageError(f"{settings.describe(table.PYTHON)} and {_other(settings, words)}: a minion runs one of them.")
    if function > max(command, image):
        return Program("function", (), settings.source(table.PYTHON))
    source = "command line" if words else project.command or settings.source(table.IMAGE)
    if command == FILE:
        words = project.words()
    if image:
        return Program("image", words, source)
    return Program("command", words, source) if words else None


def _other(settings: Settings, words: Sequence[str]) -> str:
    """Name what excludes the function: the image, where that is as strong, else the command."""
    if settings.strength(table.IMAGE) == settings.strength(table.PYTHON):
        return settings.describe(table.IMAGE)
    return "a command" if words else f"command ({settings.project.command})"
