"""The rows that plug-ins declare: an engine or a reporter from elsewhere has settings of its own.

It lists them in a class attribute, ``settings: tuple[Setting, ...]``. They are variables, without flags; the first one of an
engine says where its queue is. They are known, shown and checked as ours are, where that plug-in is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minionize import plugins
from minionize.errors import UsageError
from minionize.settings.setting import Setting
from minionize.settings.table import ENGINE, REPORTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.settings.read import Settings


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
    return tuple(_declared(settings))


def _declared(settings: Settings) -> Iterator[Setting[Any]]:
    choices: tuple[tuple[plugins.Kind, str | None], ...] = (
        ("engine", settings[ENGINE]),
        ("reporter", settings[REPORTER]),
    )
    for kind, name in choices:
        if name is None or name in plugins.BUILT_IN[kind] or name in plugins.ELSEWHERE[kind]:
            continue
        try:
            found = plugins.find(kind, name)
        except UsageError:
            continue
        yield from rows_of(found)
