"""Completion for bash, zsh and fish, made from a command's own parser.

The scripts are static: a TAB starts no Python. Made here rather than by a library, because the first word of ``minionize``
that is no option is a command, whose own completion has to go on from there.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Literal, NamedTuple

from minionize.plugins import BUILT_IN, ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

Shell = Literal["bash", "zsh", "fish"]
#: What stands where a value is wanted. ``command``: a program and its own arguments.
What = Literal["", "words", "files", "directories", "command"]

_LONGEST = 72
_FILES = {"FILE": "files", "PATH": "files", "REPORT_DIR": "directories", "COMMAND [ARG...]": "command"}
_ENGINES = (*BUILT_IN["engine"], *ELSEWHERE["engine"])
#: Values of settings that may be other things too.
_KNOWN = {
    "MINION_ENGINE": _ENGINES,
    "MINION_REPORTER": tuple(BUILT_IN["reporter"]),
    "MINION_OUTPUT": ("live", "grouped", "none"),
    "source": _ENGINES,
    "target": _ENGINES,
    "to": tuple(BUILT_IN["launcher"]),
}


class Value(NamedTuple):
    """What is completed for a value: these words, or names of a kind; ``name`` is what help calls it."""

    name: str
    what: What
    words: tuple[str, ...] = ()
    optional: bool = False
    many: bool = False


class Option(NamedTuple):
    """An option: how it is spelt, what it does, and its value (None: it takes none)."""

    flags: tuple[str, ...]
    help: str
    value: Value | None


class Command(NamedTuple):
    """A command, or a verb of one."""

    name: str
    help: str
    options: tuple[Option, ...]
    positional: Value | None
    verbs: tuple[Command, ...] = ()

    @property
    def function(self) -> str:
        """The name of the shell function that completes it."""
        return "_" + self.name.replace("-", "_")

    @property
    def flags(self) -> list[str]:
        """Every spelling of every option."""
        return [flag for option in self.options for flag in option.flags]

    @property
    def flags_with_value(self) -> list[str]:
        """Those that take the next word, always."""
        return [flag for o in self.options if o.value is not None and not o.value.optional for flag in o.flags]


def script(parser: argparse.ArgumentParser, shell: Shell) -> str:
    """Make the script that a shell reads to complete a command."""
    from minionize.cli import completion_bash, completion_fish, completion_zsh

    makers = {"bash": completion_bash.script, "zsh": completion_zsh.script, "fish": completion_fish.script}
    return makers[shell](described(parser, parser.prog, ""))


def described(parser: argparse.ArgumentParser, name: str, help: str) -> Command:
    """Read what there is to complete off a parser."""
    options: list[Option] = []
    positional: Value | None = None
    verbs: tuple[Command, ...] = ()
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            verbs = tuple(_verbs(action))
        elif action.option_strings:
            options.append(Option(tuple(action.option_strings), _help(parser, action), _value(action)))
        else:
            positional = _value(action)
    return Command(name, help, tuple(options), positional, verbs)


def _verbs(action: argparse._SubParsersAction[argparse.ArgumentParser]) -> Iterator[Command]:
    helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
    for name, parser in action.choices.items():
        yield described(parser, name, helps.get(name, ""))


def _value(action: argparse.Action) -> Value | None:
    if action.nargs == 0:
        return None
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    words = tuple(map(str, action.choices or _KNOWN.get(action.dest, ())))
    what = "words" if words else _FILES.get(name, "")
    many = action.nargs in ("*", "+", argparse.REMAINDER)
    return Value(name, what, words, action.nargs == "?", many)  # type: ignore[arg-type]


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Write the help of an option as a menu has room for."""
    text = parser._get_formatter()._expand_help(action) if action.help else ""  # noqa: SLF001
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3].rstrip() + "..."
