"""The callback that runs a container per task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize import place
from minionize.callbacks.base import Launch
from minionize.callbacks.container import argv, image, orphans, runtime, sight, trouble
from minionize.callbacks.process import ProcessCallback, encode
from minionize.errors import BadParam, CommandNotFound, Dead, Interrupted
from minionize.params.template import Template, display
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.callbacks.container.runtime import Runtime
    from minionize.model import Entry, Identity, NewTask, Task
    from minionize.policy import Ending
    from minionize.settings import Settings

_MEMORY = "give containers more memory, or run fewer at once (-j)"


class ContainerCallback(ProcessCallback):
    """Runs one container of an image per task.

    ``command`` is what it runs, with the words of a param in it as on the command line of ``minionize``; none: the image's
    own, with the param appended. Or subclass it and define ``to_cmd(param)``, as of a ProcessCallback.

    ``mounts`` are ``HERE:THERE`` or ``HERE:THERE:ro``, ``gpus`` and ``network`` are as the runtime reads them (``{slot}``
    in ``gpus`` is the slot's number), ``options`` are further words of its command line. ``runtime`` is podman, docker or
    apptainer; None: the first of them on PATH.
    """

    def __init__(
        self,
        image: str,
        command: Sequence[str] = (),
        *,
        runtime: str | None = None,
        mounts: Sequence[str] = (),
        gpus: str | None = None,
        network: str | None = None,
        options: Sequence[str] = (),
        template: bool = True,
        described: str = "mounts",
    ) -> None:
        """Take what to run; whether it is there is looked at later. Raises UsageError for a mount or an option that cannot be."""
        self.image, self.command = image, [image, *command]
        self._template = Template(command, enabled=template)
        self._wanted, self._gpus, self._network, self._options = runtime, gpus, network, argv.checked(options)
        self._mounts = sight.mounts(mounts, described)
        self._uid = ""
        self._found: Runtime | None = None
        self._streak = trouble.Streak("the runtime")
        self._begin: list[bytes] = []  # of every command line
        self._count = 0
        self._has_run = False  # a container, with its command in it

    @classmethod
    def from_settings(cls, settings: Settings, words: Sequence[str]) -> ContainerCallback:
        """Make the one of a command line: ``minionize --image IMAGE [-- COMMAND [ARG...]]``."""
        mounts, options = settings[table.MOUNTS], settings[table.CONTAINER_OPTIONS]
        return cls(
            settings[table.IMAGE] or "",
            words,
            runtime=settings[table.RUNTIME],
            mounts=[entry for entry in (mounts or "").split(",") if entry.strip()],
            gpus=settings[table.GPUS],
            network=settings[table.NETWORK],
            options=options or (),
            template=not settings[table.TEMPLATE],
            described=settings.describe(table.MOUNTS),
        )

    # ------------------------------------------------------------------ before the first task

    def enlist(self, me: Identity, *, quiet: bool = False) -> None:
        """Find the runtime, remove what dead minions left, pull the image; raises CommandNotFound, UsageError."""
        self._uid = me.uid
        found = self._checked()
        sight.check_path(place.scratch(me.uid), "\n  Elsewhere:  TMPDIR=/path")
        orphans.remove(found, me)
        image.ensure(found, self.image, quiet=quiet)
        words = [*self._verb(), *argv.bookkeeping(found, me.uid, orphans.signature(me), place.scratch(me.uid))]
        self._begin = [found.path, *map(encode, words)]
        self._streak = trouble.Streak(found.name)
        self.container_commands = argv.commands(found, me.uid)

    def examine(self) -> str:
        """Say which runtime and image would be used."""
        found = self._checked()
        here = "is here" if image.is_here(found, self.image) else "is not here: it would be pulled"
        lines = [f"{found.version} ({found.path.decode('utf-8', 'replace')})", f"the image {self.image} {here}"]
        if found.has_containers and not found.init:
            lines.append("there is no init to put before commands (catatonit): most will not heed SIGTERM")
        return "\n".join(lines)

    def _checked(self) -> Runtime:
        """Give the runtime, once what containers are to see is there and can be written for it."""
        found = self._known()
        sight.check(self._mounts)
        if self._gpus is not None:
            sight.gpus(found.kind, self._gpus)
        return found

    def _known(self) -> Runtime:
        if self._found is None:
            self._found = runtime.known(runtime.find(self._wanted, self.image))
        return self._found

    def _verb(self) -> list[str]:
        found = self._known()
        return [
            *argv.verb(found, command=len(self.command) > 1 or self._is_defined()),
            *argv.options(found, self._mounts, self._network, self._options),
        ]

    # ------------------------------------------------------------------ a task

    def show(self, task: NewTask | Entry) -> str:
        """Write the command line, as it would be in the first slot, without what only a running minion knows."""
        return display([encode(self._known().name), *map(encode, self._verb()), *self._end(task, 0)])

    def prepare(self, task: Task, slot: int) -> Launch:
        """Say which container to run; raises HostTrouble where the runtime has just failed."""
        self._streak.hold()
        end = self._end(task, slot)
        if not self._known().has_containers:
            return Launch([*self._begin, *end])
        self._count += 1
        name = encode(argv.name(self._uid, self._count))
        return Launch([*self._begin, b"--name", name, *end], argv.CLIENT, name)

    def _end(self, task: Task | NewTask | Entry, slot: int) -> list[bytes]:
        """Write what is the task's own: options, the image, the command."""
        found = self._known()
        options, command = self._say(task, slot)
        if self._gpus is not None:
            options = [*sight.gpus(found.kind, self._gpus.replace("{slot}", str(slot))), *options]
        try:
            for word in (*command, task.param.encode()):
                word.decode()
        except UnicodeError as error:
            raise BadParam("the param is not UTF-8, and what is not gets lost on the way into a container.") from error
        where = self.image if found.has_containers else image.local(self.image)
        return [*map(encode, (*options, where)), *command]

    def _say(self, task: Task | NewTask | Entry, slot: int) -> tuple[list[str], list[bytes]]:
        """Give a task's options and its command."""
        if self._is_defined():
            return [], self._argv(task.param)
        return [], self._template.render(task.param, slot, task.id)

    def _is_defined(self) -> bool:
        return type(self).to_cmd is not ProcessCallback.to_cmd

    # ------------------------------------------------------------------ what came of it

    def review(self, task: Task, ending: Ending) -> str | None:
        """Explain what failed; raises, and asks nobody, where that was no failure of the task's own.

        Interrupted, or HostUnfit once there were many: the runtime failed. CommandNotFound, or Dead once others ran: the
        image has no such command.
        """
        what, words = trouble.cause(self._known().kind, ending) if ending.exit else ("", "")
        if what == "missing":
            command = display(self._say(task, 0)[1][:1]) or "of its own"
            reason = f"the image {self.image} has no such command: {command}   ({words})"
            raise Dead(reason) if self._has_run else CommandNotFound(reason, 126 if "ermission" in words else 127)
        if what == "broken":
            return self._blame_runtime(task, words)
        self._streak.end()
        self._has_run = True
        return self.conclude(task, ending) or (_MEMORY if ending.exit == 137 else None)

    def _blame_runtime(self, task: Task, words: str) -> str:
        self._streak.add(words, has_run=self._has_run)
        if self._streak.count == 1 and self._has_run and task.delivery - task.attempt >= trouble.PATIENCE:
            return words  # it runs others: this is a failure like any other
        raise Interrupted(f"{self._known().name} did not run it: {words}")
