"""What ``.minionize.yml`` says of a directory: settings, under the names of their flags, and what to run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.errors import UsageError
from minionize.settings.setting import CODES, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minionize.settings.setting import Setting
    from minionize.settings.yaml_file import Entry

NAME = ".minionize.yml"
COMMAND = "command"
#: Words that only a shell makes something of: a program would get them as arguments, unnoticed.
_OF_SHELLS = frozenset(("|", "||", "|&", "&", "&&", ";", "<", ">", ">>", "2>", "2>>", "2>&1", "&>"))
#: Words of everyday for keys, and the flags that they stand for.
ALIASES = {"attempts": "max_attempts", "mounts": "mount", "function": "python"}


class Said(NamedTuple):
    """A value of the file: under which key, what, and where."""

    key: str
    text: str
    source: str


class Project:
    """The keys of a directory's ``.minionize.yml``; none where there is no such file.

    What is wrong with a value is said when it is asked for: a stronger one, from a flag, repairs it for one run.
    """

    __slots__ = ("_entries", "exists", "path", "warnings")

    def __init__(
        self, path: str, entries: Iterable[Entry] = (), warnings: tuple[str, ...] = (), *, exists: bool
    ) -> None:
        """Take what was read; raises UsageError where a key stands twice."""
        self.path, self.warnings, self.exists = path, warnings, exists
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            first = self._entries.setdefault(_plain(entry.key), entry)
            if first is not entry:
                raise self._twice(first, entry)

    @property
    def command(self) -> str | None:
        """Where the file says what to run: its name and the line; None where it does not."""
        entry = self._entries.get(COMMAND)
        return None if entry is None else self._source(entry)

    def words(self) -> tuple[str, ...]:
        """Return the words of its command; raises UsageError where they are none."""
        entry = self._entries[COMMAND]
        words = self._value(entry)
        if isinstance(words, str):
            from shlex import split

            try:
                words = tuple(split(words))
            except ValueError as error:
                raise self._wrong(entry, f"is no command line: {error}") from None
            if word := next((word for word in words if word in _OF_SHELLS), ""):
                cure = (
                    f"For a shell:  {COMMAND}: [sh, -c, '...']     As an argument:  {COMMAND}: [./simulate, '{word}']"
                )
                raise self._wrong(entry, f"holds {word}, and no shell runs it.\n  {cure}")
        if not words:
            raise self._wrong(entry, "is empty.\n  Say what to run:  command: ./simulate {seed}")
        return words

    def find(self, row: Setting[Any]) -> Said | None:
        """Return what the file says of a setting; raises UsageError where that is no text, or is said twice."""
        if not self._entries:
            return None
        entries = [self._entries[key] for key in sorted(_keys(row)) if key in self._entries]
        if not entries:
            return None
        if len(entries) > 1:
            raise self._twice(*sorted(entries, key=lambda entry: entry.line)[:2])
        (entry,) = entries
        value = self._value(entry)
        # The end of a block's last line is how it was typed, and no part of any setting.
        text = value.rstrip("\n") if isinstance(value, str) else self._joined(entry, value, row)
        return Said(entry.key, text, self._source(entry))

    def unknown(self, rows: Iterable[Setting[Any]]) -> list[str]:
        """List the keys that are none of these settings."""
        if not self._entries:
            return []
        known = {key for row in rows for key in _keys(row)} | {COMMAND}
        return [key for key in self._entries if key not in known]

    def refuse(self, key: str, rows: Iterable[Setting[Any]]) -> UsageError:
        """Make the error that says of a key that it is unknown, with the nearest one."""
        from difflib import get_close_matches

        names = {COMMAND: COMMAND}
        for row in rows:
            names |= dict.fromkeys({*_keys(row), *(flag.lstrip("-") for flag in row.flags)}, _name(row))
        close = get_close_matches(key, names, n=1)
        hint = f" Did you mean {names[close[0]]}?" if close else ""
        cure = "\n  Keys are long flags without their dashes, variables of engines, and command:  minionize --help"
        return self._wrong(self._entries[key], f"is not a setting.{hint}{cure}")

    def _value(self, entry: Entry) -> str | tuple[str, ...]:
        if entry.wrong:
            raise self._wrong(entry, entry.wrong)
        return entry.value

    def _joined(self, entry: Entry, values: tuple[str, ...], row: Setting[Any]) -> str:
        if row.kind is WORDS:
            from shlex import join

            return join(values)
        between = _between(row)
        if between is None:
            raise self._wrong(entry, "takes one value, no list")
        if between == "," and any("," in value for value in values):
            raise self._wrong(entry, "takes no item with a comma in it: make it two")
        return between.join(values)

    def _source(self, entry: Entry) -> str:
        return f"{self.path}:{entry.line}"

    def _wrong(self, entry: Entry, what: str) -> UsageError:
        return UsageError(f"{self._source(entry)}: {entry.key} {what}")

    def _twice(self, first: Entry, second: Entry) -> UsageError:
        same = "" if first.key == second.key else f", as {first.key}"
        return self._wrong(second, f"stands there already, in line {first.line}{same}. Take one of them away")


def read_project(directory: str) -> Project:
    """Read ``.minionize.yml`` in the directory; raises UsageError where it is there and cannot be read."""
    path = os.path.join(directory, NAME)
    if not os.path.lexists(path):
        other = os.path.join(directory, ".minionize.yaml")
        warnings = (f"{other} is not read: the name is {NAME}",) if os.path.lexists(other) else ()
        return Project(path, warnings=warnings, exists=False)
    from minionize.settings import yaml_file

    found = yaml_file.read_text(path)
    if found is None:
        return Project(path, exists=False)
    return Project(path, yaml_file.parse(found.text, path), found.warnings, exists=True)


def _name(row: Setting[Any]) -> str:
    """Return the key of a setting that people are told: its long flag's name, or that of its variable."""
    return next((flag[2:] for flag in row.flags if flag.startswith("--")), row.name)


def _keys(row: Setting[Any]) -> set[str]:
    """Return all keys of a setting: also its variable may stand there, and a word of everyday."""
    keys = {_plain(row.name), *(_plain(flag[2:]) for flag in row.flags if flag.startswith("--"))}
    return keys | {alias for alias, key in ALIASES.items() if key in keys}


def _between(row: Setting[Any]) -> str | None:
    """Return what stands between several values of a setting in its variable; None where it takes one."""
    if row.may_repeat or row.kind is CODES:
        return ","
    from minionize.settings import launching

    return "," if row is launching.HOSTS else launching.BETWEEN.get(row.name)


def _plain(key: str) -> str:
    return key.lower().replace("-", "_")
