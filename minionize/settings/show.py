"""What ``minionize --show-config`` prints: every setting and the command, and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.masks import mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.settings.read import Settings

#: What stands for a setting that has no value.
UNSET = "-"


def show(settings: Settings, words: Sequence[str] = ()) -> str:
    """Write one line per setting, and for the command: name, value, source, in columns. Secrets are masked.

    ``words`` are those of the command line, which are stronger than the directory's.
    """
    lines = [(row.name, _one_line(settings.shown(row)), settings.source(row)) for row in settings.rows]
    if words:
        lines.append(("command", _one_line(_command(words)), "command line"))
    elif settings.project.command:
        lines.append(("command", _one_line(_command(settings.project.words())), settings.project.command))
    name = max(len(line[0]) for line in lines)
    # One long path must not push every source off the screen.
    value = min(40, max(len(line[1]) for line in lines))
    return "".join(f"{line[0]:{name}}  {line[1]:{value}}  {line[2]}\n" for line in lines)


def _command(words: Sequence[str]) -> str:
    from shlex import join

    return mask(join(words))


def _one_line(text: str | None) -> str:
    """Quote what a line of a table cannot hold: line ends, bytes that are no text."""
    if not text:
        return UNSET
    return text if text.isprintable() else repr(text)
