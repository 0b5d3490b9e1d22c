"""The container callback of minionize 0.3: ``to_kwargs`` gives keyword arguments of docker-py's ``containers.run``."""

from __future__ import annotations

import os
from json import loads
from typing import TYPE_CHECKING, Any

from minionize.callbacks.container.callback import ContainerCallback
from minionize.callbacks.container.keywords import UnknownKeyword, translate
from minionize.errors import BadParam

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minionize.model import Entry, NewTask, Task


class DockerCallback(ContainerCallback):
    """Runs one container per task, as ``to_kwargs`` says; by the runtime's command line, which need not be docker's.

    Keywords that the command line has as well are translated (``command``, ``environment``, ``volumes``, ``mem_limit``, ...); any other is
    an error that names it. What a container prints is passed on as that of a program is, and it is always removed.
    """

    def to_kwargs(self, param: Any) -> Mapping[str, Any]:
        """Make the keyword arguments of a param; not defined: the param itself, which must be an object."""
        keywords: Mapping[str, Any] = param
        return keywords

    def _say(self, task: Task | NewTask | Entry, slot: int) -> tuple[list[str], list[bytes]]:
        found = self.to_kwargs(loads(task.param))
        if not isinstance(found, dict):
            raise BadParam(f"to_kwargs must make a dict, and made {type(found).__name__}")
        keywords = dict(found)
        command = _words(keywords.pop("command", None))
        entrypoint = _words(keywords.pop("entrypoint", None))
        options = translate(self._known().kind, keywords)
        if entrypoint:
            if not self._known().has_containers:
                raise UnknownKeyword("entrypoint", "apptainer")
            options += ["--entrypoint", entrypoint[0]]
        return options, [os.fsencode(word) for word in (*entrypoint[1:], *command)]

    def _is_defined(self) -> bool:
        return True


def _words(command: str | Sequence[object] | None) -> list[str]:
    """Read a command as docker-py does: a string is split like a command line."""
    if not isinstance(command, str):
        return [str(word) for word in command or ()]
    from shlex import split

    try:
        return split(command)
    except ValueError as error:
        raise BadParam(f"the command is no command line: {error}: {command}") from error
