"""The rows that plug-ins declare: an engine or a reporter from elsewhere has settings of its own.

It lists them in a class attribute, ``settings: tuple[Setting, ...]``. They are variables, without flags; the first one of an
engine says where its queue is. They are known, shown and checked as ours are, where that plug-in is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minionize import plugins
from minionize.errors import UsageError
from minionize.masks import mask
from minionize.settings.setting import LAUNCHING, Setting
from minionize.settings.table import ENGINE, REPORTER

if TYPE_CHECKING:
    from minionize.settings.read import Settings

#: The settings that choose plug-ins.
_CHOICES: tuple[tuple[plugins.Kind, Setting[str]], ...] = (("engine", ENGINE), ("reporter", REPORTER))


def rows_of(plugin: Any) -> tuple[Setting[Any], ...]:
    """Return the rows that an engine or a reporter declares; raises UsageError where they are no settings."""
    rows = getattr(plugin, "settings", ())
    if not isinstance(rows, tuple) or not all(isinstance(row, Setting) for row in rows):
        raise UsageError(
            f"{plugin.__module__}.{plugin.__qualname__}.settings is not a tuple of minionize.settings.Setting"
        )
    return rows


def declared(settings: Settings) -> tuple[Setting[Any], ...]:
    """Return the rows that the chosen engine and the chosen reporter declare, where these are plug-ins.

    One that cannot be found or loaded declares none: who wants to use it says what is wrong.
    """
    rows: list[Setting[Any]] = []
    for kind, row in _CHOICES:
        found = _plug_in(kind, settings[row])
        rows += rows_of(found) if found else ()
    return tuple(rows)


def check_keys(settings: Settings) -> None:
    """Raise UsageError where ``.minionize.yml`` has a key that is no setting, of ours or of a plug-in.

    Those of ``minion-launch`` are left to it. Those of a plug-in that the file names are known also where a flag, say,
    chooses another one. If a plug-in cannot be loaded, that is the error: the key may be its own.
    """
    project = settings.project
    if not project.unknown(settings.rows):
        return
    from minionize.settings import launching

    rows = [*settings.rows, *launching.TABLE]
    for kind, row in _CHOICES:
        _plug_in(kind, settings[row], settings.describe(row))
        said = project.find(row)
        found = said and _plug_in(kind, said.text, f'{said.key}="{mask(said.text)}" ({said.source})')
        rows += rows_of(found) if found else ()
    for key in project.unknown(rows):
        if key.startswith(LAUNCHING.lower()):  # of a launcher from elsewhere
            continue
        raise project.refuse(key, rows)


def _plug_in(kind: plugins.Kind, name: str | None, said: str = "") -> Any:
    """Find a plug-in; None for what is ours, and for what is none, unless it is given how its user said it."""
    if not name or name in plugins.BUILT_IN[kind] or name in plugins.ELSEWHERE[kind]:
        return None
    try:
        return plugins.find(kind, name, said)
    except UsageError:
        if said:
            raise
        return None
