"""Run a program once per task."""

from __future__ import annotations

import os
from json import loads
from typing import TYPE_CHECKING, Any

from minionize import place
from minionize.callbacks.base import Callback, Launch
from minionize.errors import BadParam, CommandNotFound
from minionize.params.template import Template, display

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.model import Entry, NewTask, Task


class ProcessCallback(Callback):
    """Runs what ``to_cmd`` makes of a param.

    A list is the program and its arguments; a string is split like a command line. With ``shell = True`` on the class, a
    string is run by ``/bin/sh`` as it is: then quoting params is yours to do.
    """

    shell = False

    def to_cmd(self, param: Any) -> str | Sequence[str]:
        """Make the command line of a param, which is the Python value of its JSON."""
        raise NotImplementedError

    def examine(self) -> str:
        """Name the class: what it runs, only its params tell."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def show(self, task: NewTask | Entry) -> str:
        """Write the command line."""
        return display(self._argv(task.param))

    def prepare(self, task: Task, slot: int) -> Launch:
        """Turn what ``to_cmd`` returns into arguments."""
        argv = self._argv(task.param)
        return Launch([which(argv[0]), *argv[1:]])

    def _argv(self, param: str) -> list[bytes]:
        command = self.to_cmd(loads(param))
        if isinstance(command, str):
            if self.shell:
                return [b"/bin/sh", b"-c", encode(command)]
            from shlex import split

            try:
                command = split(command)
            except ValueError as error:
                raise BadParam(f"to_cmd made no command line: {error}: {command}") from error
        if not command:
            raise BadParam("to_cmd made an empty command line")
        return [encode(str(word)) for word in command]


class Command(ProcessCallback):
    """Runs a command line whose words may be templates: what ``minionize COMMAND [ARG...]`` does."""

    def __init__(self, words: Sequence[str], *, template: bool = True) -> None:
        """Take the words; whether the command exists is looked at in ``setup``."""
        self.command = list(words)
        self._template = Template(words, enabled=template)
        self._path = b""

    def setup(self) -> None:
        """Find the command, unless it is for the params to name; raises CommandNotFound."""
        if self._template.program is not None:
            try:
                self._path = which(self._template.program)
            except CommandNotFound as error:
                raise CommandNotFound(f"{error}\n  Nothing was taken from the queue.", error.exit_code) from error

    def examine(self) -> str:
        """Say where the command is."""
        return os.fsdecode(which(self._template.program)) if self._template.program else "each param names its own"

    def show(self, task: NewTask | Entry) -> str:
        """Write the command line, as it would be in the first slot."""
        return display(self._template.render(task.param, 0, task.id))

    def prepare(self, task: Task, slot: int) -> Launch:
        """Fill in the template."""
        argv = self._template.render(task.param, slot, task.id)
        if not argv or not argv[0]:
            raise BadParam("the param names no command: it is empty")
        argv[0] = self._path or which(argv[0])
        return Launch(argv)


def which(name: bytes) -> bytes:
    """Find a program as a shell does; raises CommandNotFound (127; 126 where it is there but cannot be executed)."""
    shown = name.decode("utf-8", "backslashreplace")
    found = None
    directories = [b""] if b"/" in name else os.environb.get(b"PATH", os.fsencode(os.defpath)).split(b":")
    for directory in directories:
        path = os.path.join(directory, name) if directory else name if b"/" in name else b"./" + name
        if not name or os.path.isdir(path) or not os.path.exists(path):
            found = found or (path if name and os.path.isdir(path) and b"/" in name else None)
            continue
        if os.access(path, os.X_OK):
            return path
        found = path
    if found is None:
        where = f"looked in {place.here()}" if b"/" in name else "looked along PATH"
        words = "\n  Is that the whole command? Leave its words apart:  minionize echo {}" if b" " in name else ""
        raise CommandNotFound(f"command not found: {shown}   ({where}){words}" if name else "the command is empty")
    kind = "a directory" if os.path.isdir(found) else "not executable"
    cure = "" if os.path.isdir(found) else f"\n  chmod +x {os.fsdecode(found)}"
    raise CommandNotFound(f"{shown} is {kind}{cure}", 126)


def encode(word: str) -> bytes:
    """Make an argument of a word; raises BadParam for one with a NUL."""
    encoded = os.fsencode(word)
    if b"\0" in encoded:
        raise BadParam("an argument holds a NUL character, which no program can be given.")
    return encoded
