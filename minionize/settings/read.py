"""Find the values of settings: flag > environment > ``.env`` > ``.minionize.yml`` > default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from minionize.errors import UsageError
from minionize.masks import MASK, mask
from minionize.settings.dotenv_file import DotEnv, read_dotenv
from minionize.settings.project import Project, read_project
from minionize.settings.setting import LAUNCHING
from minionize.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minionize.settings.setting import Setting

T = TypeVar("T")

#: How strong a value is: the places where it can come from, the weakest first.
DEFAULT, FILE, DOTENV, ENVIRONMENT, FLAG, CALL = range(6)

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
    project: Project


class _Said(NamedTuple):
    """A text, where it came from, how strong it is there, and what its setting is called there."""

    text: str | None
    source: str
    strength: int
    name: str


class _Found(NamedTuple):
    said: _Said
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
        self.warnings = (
            *layers.dotenv.warnings,
            *layers.project.warnings,
            *_unknown(layers, {row.name for row in rows}),
            *self._secrets_in_the_open(),
        )

    def __getitem__(self, row: Setting[T]) -> T:
        """Return the value; None where it is unset and has no default. Raises UsageError for a bad one."""
        return cast("T", self._of(row).value)

    def text(self, row: Setting[Any]) -> str | None:
        """Return the value as its user wrote it (None: unset). It may be secret: see :meth:`shown`."""
        return self._of(row).said.text

    def source(self, row: Setting[Any]) -> str:
        """Tell where the value came from.

        ``flag --timeout``, ``environment``, ``./.env``, ``./.minionize.yml:3``, ``default``, ``call``.
        """
        return self._of(row).said.source

    def strength(self, row: Setting[Any]) -> int:
        """Tell how strong the value is: that of a flag is stronger than that of a file. ``DEFAULT``: nobody set it."""
        return self._of(row).said.strength

    @property
    def project(self) -> Project:
        """What ``.minionize.yml`` says."""
        return self._layers.project

    def shown(self, row: Setting[Any]) -> str | None:
        """Return the text of the value as people may see it."""
        return _shown(row, self._of(row).said.text)

    def describe(self, row: Setting[Any]) -> str:
        """Name the setting, its value and its source, for messages: ``MINION_ENGINE="reddis" (./.env)``."""
        said = self._of(row).said
        return f"{row.name} (unset)" if said.text is None else _describe(row, said)

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

    def _secrets_in_the_open(self) -> Iterable[str]:
        for row, (said, _) in self._found.items():
            if said.strength == FILE and said.text != _shown(row, said.text):
                yield f"{_describe(row, said)} is a secret, and that file is one that people share: put it into .env"


def load(
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: str = ".",
    *,
    extra: Iterable[Setting[Any]] = (),
) -> Settings:
    """Find the values of all settings; raises UsageError for a bad value, and for a file that is there and cannot be read.

    ``flags`` maps names of settings to texts, ``environ`` defaults to the process's, ``.env`` and ``.minionize.yml`` are
    looked for in ``directory``. Known are the rows of the table, those that the chosen plug-ins declare, and ``extra``.
    """
    from minionize.settings.declared import check_keys, declared

    if environ is None:
        environ = os.environ
    layers = _Layers({}, flags or {}, environ, read_dotenv(directory), read_project(directory))
    settings = Settings(layers, _joined(TABLE, extra))
    rows = declared(settings)
    if rows:
        settings = settings.with_rows(rows)
    check_keys(settings)
    return settings


def _joined(rows: tuple[Setting[Any], ...], extra: Iterable[Setting[Any]]) -> tuple[Setting[Any], ...]:
    return tuple(dict.fromkeys((*rows, *extra)))


def _find(row: Setting[Any], layers: _Layers) -> _Found:
    said = _look_up(row, layers)
    if not said.text and said.strength < FLAG:
        # VARIABLE= is how a shell takes a variable back: it brings the default, and hides what is weaker.
        said = _Said(row.default, "default", DEFAULT, row.name)
    if said.text is None:
        return _Found(said, None)
    try:
        return _Found(said, row.kind.parse(said.text))
    except ValueError:
        # from None: what the parser says holds the value, which may be secret.
        raise UsageError(f"{_describe(row, said)} is not allowed: {row.kind.allowed}") from None


def _look_up(row: Setting[Any], layers: _Layers) -> _Said:
    name = row.name
    if name in layers.given:
        return _Said(layers.given[name], "call", CALL, name)
    if name in layers.flags:
        return _Said(layers.flags[name], f"flag {_flag(row)}", FLAG, name)
    if name in layers.environ:
        return _Said(layers.environ[name], "environment", ENVIRONMENT, name)
    if name in layers.dotenv.values:
        return _Said(layers.dotenv.values[name], layers.dotenv.path, DOTENV, name)
    found = layers.project.find(row)
    return _Said(found.text, found.source, FILE, found.key) if found else _Said(None, "default", DEFAULT, name)


def _flag(row: Setting[Any]) -> str:
    return next((flag for flag in row.flags if flag.startswith("--")), row.name)


def _shown(row: Setting[Any], text: str | None) -> str | None:
    return text if text is None else MASK if row.secret else mask(text)


def _describe(row: Setting[Any], said: _Said) -> str:
    from json import dumps

    return f"{said.name}={dumps(_shown(row, said.text), ensure_ascii=False)} ({said.source})"


def _unknown(layers: _Layers, names: set[str]) -> Iterable[str]:
    known = names | GIVEN_TO_CHILDREN
    launches = any(name.startswith(LAUNCHING) for name in names)
    for source, variables in (("environment", layers.environ), (layers.dotenv.path, layers.dotenv.values)):
        for name in variables:
            if name.startswith("MINION_") and name not in known and not (name.startswith(LAUNCHING) and not launches):
                yield f"{name} ({source}) is not a setting, and ignored{_nearest(name, names)}"


def _nearest(name: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    # Without the prefix that nearly all have: it would make any two of them look alike.
    bare = {known.removeprefix("MINION_"): known for known in sorted(names)}
    close = get_close_matches(name.removeprefix("MINION_"), bare, n=1)
    return f". Did you mean {bare[close[0]]}?" if close else ""
