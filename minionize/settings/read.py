"""Find the values of settings: flag > environment > ``.env`` > default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from minionize.errors import UsageError
from minionize.masks import MASK, mask
from minionize.settings.dotenv_file import DotEnv, read_dotenv
from minionize.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minionize.settings.setting import Setting

T = TypeVar("T")

#: What a minion gives its children: a minion inside a minion finds these in its environment, and they set nothing.
GIVEN_TO_CHILDREN = frozenset(
    {
        "MINION_PARAM",
        "MINION_PARAM_FILE",
        "MINION_TASK_ID",
        "MINION_ATTEMPT",
        "MINION_ID",
        "MINION_SLOT",
        "MINION_RESULT_FILE",
    }
)


class _Layers(NamedTuple):
    """Where values come from, strongest first."""

    given: Mapping[str, str]
    flags: Mapping[str, str]
    environ: Mapping[str, str]
    dotenv: DotEnv


class _Found(NamedTuple):
    text: str | None
    source: str
    value: Any


class Settings:
    """The values of settings, and where each came from.

    ``rows`` are all settings that are known here, ``warnings`` what users should hear: variables that look like
    settings and are none, lines of ``.env`` that cannot be read. Any row may be asked for, also one that is not in
    ``rows``: an engine from elsewhere finds its own.
    """

    __slots__ = ("_found", "_layers", "rows", "warnings")

    def __init__(self, layers: _Layers, rows: tuple[Setting[Any], ...]) -> None:
        """Read every row at once, so that a bad value is found before anything is done; raises UsageError."""
        self._layers = layers
        self.rows = rows
        self._found: dict[Setting[Any], _Found] = {row: _find(row, layers) for row in rows}
        self.warnings = layers.dotenv.warnings + tuple(_unknown(layers, {row.name for row in rows}))

    def __getitem__(self, row: Setting[T]) -> T:
        """Return the value; None where it is unset and has no default. Raises UsageError for a bad one."""
        return cast("T", self._of(row).value)

    def text(self, row: Setting[Any]) -> str | None:
        """Return the value as its user wrote it (None: unset). It may be secret: see :meth:`shown`."""
        return self._of(row).text

    def source(self, row: Setting[Any]) -> str:
        """Tell where the value came from: ``flag --timeout``, ``environment``, ``./.env``, ``default``, ``call``."""
        return self._of(row).source

    def shown(self, row: Setting[Any]) -> str | None:
        """Return the text of the value as people may see it."""
        return _shown(row, self._of(row).text)

    def describe(self, row: Setting[Any]) -> str:
        """Name the setting, its value and its source, for messages: ``MINION_ENGINE="reddis" (./.env)``."""
        found = self._of(row)
        return f"{row.name} (unset)" if found.text is None else _describe(row, found.text, found.source)

    def with_(self, **texts: str) -> Settings:
        """Return the same settings with these in front of all others, by name: ``with_(MINION_SLOTS="4")``."""
        names = {row.name for row in self.rows}
        for name in texts:
            if name not in names:
                raise UsageError(f"{name} is not a setting{_nearest(name, names)}")
        return Settings(self._layers._replace(given={**self._layers.given, **texts}), self.rows)

    def with_rows(self, extra: Iterable[Setting[Any]]) -> Settings:
        """Return the same settings, knowing the rows that a plug-in declares as well."""
        return Settings(self._layers, _joined(self.rows, extra))

    def _of(self, row: Setting[Any]) -> _Found:
        found = self._found.get(row)
        if found is None:
            found = self._found[row] = _find(row, self._layers)
        return found


def load(
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: str = ".",
    *,
    extra: Iterable[Setting[Any]] = (),
) -> Settings:
    """Find the values of all settings; raises UsageError for a bad value or an unreadable ``.env``.

    ``flags`` maps names of settings to texts, ``environ`` defaults to the process's, ``.env`` is looked for in
    ``directory``. Known are the rows of the table, those that the chosen plug-ins declare, and ``extra``.
    """
    from minionize.settings.declared import declared

    if environ is None:
        environ = os.environ
    settings = Settings(_Layers({}, flags or {}, environ, read_dotenv(directory)), _joined(TABLE, extra))
    rows = declared(settings)
    return settings.with_rows(rows) if rows else settings


def _joined(rows: tuple[Setting[Any], ...], extra: Iterable[Setting[Any]]) -> tuple[Setting[Any], ...]:
    return tuple(dict.fromkeys((*rows, *extra)))


def _find(row: Setting[Any], layers: _Layers) -> _Found:
    text, source = _look_up(row, layers)
    if text is None:
        return _Found(None, source, None)
    try:
        return _Found(text, source, row.kind.parse(text))
    except ValueError:
        # from None: what the parser says holds the value, which may be secret.
        raise UsageError(f"{_describe(row, text, source)} is not allowed: {row.kind.allowed}") from None


def _look_up(row: Setting[Any], layers: _Layers) -> tuple[str | None, str]:
    name = row.name
    if name in layers.given:
        return layers.given[name], "call"
    if name in layers.flags:
        return layers.flags[name], f"flag {_flag(row)}"
    # VARIABLE= is how a shell takes a variable back: it brings the default, and hides what .env says.
    if name in layers.environ:
        text, source = layers.environ[name], "environment"
    else:
        text, source = layers.dotenv.values.get(name, ""), layers.dotenv.path
    return (text, source) if text else (row.default, "default")


def _flag(row: Setting[Any]) -> str:
    return next((flag for flag in row.flags if flag.startswith("--")), row.name)


def _shown(row: Setting[Any], text: str | None) -> str | None:
    return text if text is None else MASK if row.secret else mask(text)


def _describe(row: Setting[Any], text: str, source: str) -> str:
    from json import dumps

    return f"{row.name}={dumps(_shown(row, text), ensure_ascii=False)} ({source})"


def _unknown(layers: _Layers, names: set[str]) -> Iterable[str]:
    known = names | GIVEN_TO_CHILDREN
    for source, variables in (("environment", layers.environ), (layers.dotenv.path, layers.dotenv.values)):
        for name in variables:
            if name.startswith("MINION_") and name not in known:
                yield f"{name} ({source}) is not a setting, and ignored{_nearest(name, names)}"


def _nearest(name: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    # Without the prefix that nearly all have: it would make any two of them look alike.
    bare = {known.removeprefix("MINION_"): known for known in sorted(names)}
    close = get_close_matches(name.removeprefix("MINION_"), bare, n=1)
    return f". Did you mean {bare[close[0]]}?" if close else ""
