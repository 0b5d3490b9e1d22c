"""From settings to a plan: which command, with which variables, where, for how long."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from minionize.errors import LaunchRefused, UsageError
from minionize.launchers import records
from minionize.launchers.base import Plan
from minionize.settings import launching, table
from minionize.settings.read import DEFAULT, ENVIRONMENT
from minionize.settings.setting import LAUNCHING
from minionize.settings.setting import words as duration_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.launchers.base import Launcher
    from minionize.settings import Settings

#: Where programs are found anyway.
_USUAL = ("/bin", "/usr/bin", "/usr/local/bin")


def make(name: str, launcher: Launcher, settings: Settings, words: Sequence[str]) -> Plan:
    """Make the plan of a launch; raises LaunchRefused where a secret would have to be written down."""
    id = records.new_id()
    directory = _here()
    program = _minionize(settings)
    folder = os.path.dirname(program[0])
    return Plan(
        id=id,
        name=settings[launching.NAME],
        size=settings[launching.COUNT] or launcher.default_count(),
        directory=directory,
        logs=os.path.join(directory, settings[launching.LOGS], id),
        argv=(*program, *(("--", *words) if words else ())),
        exports=_exports(name, launcher, settings),
        path="" if folder in _USUAL else folder,
        before=settings[launching.BEFORE] or "",
        slots=settings[table.SLOTS_],
        walltime=settings[launching.WALLTIME],
    )


def _here() -> str:
    """Name this directory as the user does: where a home is a link, compute nodes may know only the link."""
    named = os.environ.get("PWD", "")
    try:
        return named if os.path.isabs(named) and os.path.samefile(named, ".") else os.getcwd()
    except OSError as error:
        raise UsageError("the current directory was deleted: minions could not start in it.") from error


def _minionize(settings: Settings) -> tuple[str, ...]:
    """Find the command that minions are: that of the interpreter which was named, else that of this one."""
    interpreter = settings[launching.INTERPRETER]
    if interpreter is None:
        for beside in (sys.argv[0], sys.executable):
            path = os.path.join(os.path.dirname(os.path.abspath(beside)), "minionize")
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return (path,)
    return (interpreter or sys.executable, "-m", "minionize.cli.minionize")


def _exports(name: str, launcher: Launcher, settings: Settings) -> dict[str, str]:
    """Choose what minions must be told: flags and variables of this shell. What stands in a file here, they read themselves."""
    exports, rows = {}, {row.name: row for row in settings.rows}
    for row in rows.values():
        text = settings.text(row)
        ours = row.name.startswith(LAUNCHING) or row is table.DRY
        if ours or text is None or settings.strength(row) < ENVIRONMENT:
            continue
        if settings.shown(row) == text:
            exports[row.name] = text
        elif not launcher.passes_environment or settings.strength(row) > ENVIRONMENT:
            raise LaunchRefused(
                f"{settings.describe(row)} is secret: it is not written into a script, and {name} does not pass on what is"
                " in this shell.\n  Put it into .env here, which minions read, for your eyes only:  chmod 600 .env"
            )
    wanted = launcher.defaults()
    walltime = settings[launching.WALLTIME]
    if walltime is not None and not launcher.keeps_time:
        wanted[table.LIFETIME.name] = duration_words(walltime)
    exports |= {key: text for key, text in wanted.items() if key not in rows or settings.strength(rows[key]) == DEFAULT}
    return exports
