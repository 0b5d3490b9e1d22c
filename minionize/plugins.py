"""Find engines, reporters and launchers by name: first what comes with minionize, then entry points of installed packages.

Entry points are in the groups ``minionize.engines``, ``minionize.reporters`` and ``minionize.launchers``. Reading them is slow (every installed
package is looked at), so it is done only for a name that is not ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from minionize.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["engine", "reporter", "launcher"]

#: What comes with minionize: where each is, as ``module:attribute``.
BUILT_IN: dict[Kind, dict[str, str]] = {
    "engine": {
        "sqlite": "minionize.engines.sqlite:SqliteEngine",
        "spool": "minionize.engines.spool:SpoolEngine",
        "execo": "minionize.engines.execo:ExecoEngine",
        "redis": "minionize.engines.redis:RedisEngine",
        "google": "minionize.engines.google:GoogleEngine",
        "pulsar": "minionize.engines.pulsar:PulsarEngine",
    },
    "reporter": {
        "json": "minionize.reporters.json:JsonReporter",
        "stdout": "minionize.reporters.stdout:StdoutReporter",
        "null": "minionize.reporters.null:NullReporter",
    },
    "launcher": {
        "local": "minionize.launchers.local:LocalLauncher",
        "slurm": "minionize.launchers.slurm:SlurmLauncher",
        "oar": "minionize.launchers.oar:OarLauncher",
        "ssh": "minionize.launchers.ssh:SshLauncher",
    },
}

#: What is called of each: an entry point that lacks one of these names something else.
METHODS: dict[Kind, tuple[str, ...]] = {
    "engine": ("from_settings", "put", "exchange", "renew", "counts", "wake", "close"),
    "reporter": ("from_settings",),
    "launcher": ("from_settings", "available", "script", "commands", "submit", "status", "stop", "drain"),
}

#: Names that users may give although no module of that name is loaded: the file engine is a reader in front of another.
ELSEWHERE: dict[Kind, tuple[str, ...]] = {"engine": ("file",), "reporter": (), "launcher": ()}


class Client(NamedTuple):
    """A package that only an extra brings: ``distribution`` is what pip calls it."""

    distribution: str
    extra: str


#: By the name of the module that is imported.
CLIENTS: dict[str, Client] = {
    "pandas": Client("pandas", "pandas"),
    "redis": Client("redis", "redis"),
    "execo_engine": Client("execo", "execo"),
    "execo": Client("execo", "execo"),
    "google": Client("google-cloud-pubsub", "google"),
    "grpc": Client("google-cloud-pubsub", "google"),
    "pulsar": Client("pulsar-client", "pulsar"),
    "textual": Client("textual", "top"),
    "textual_serve": Client("textual-serve", "top"),
}


def find(kind: Kind, name: str, said: str = "") -> Any:
    """Return the class or function of that name.

    ``said`` is how its user said it (``MINION_ENGINE="reddis" (./.env)``), for the error. Raises UsageError for a name
    that nothing has and for a plug-in that cannot be loaded, MissingExtra where one of our extras would help.
    """
    place = BUILT_IN[kind].get(name)
    if place is not None:
        return _load_built_in(kind, name, place)
    points = _entry_points(kind)
    if name in points:
        return _load_entry_point(kind, points[name])
    raise UsageError(_unknown(kind, name, said, points))


def names(kind: Kind) -> list[str]:
    """List every name that is known here: ours first, then those of installed packages."""
    return _known(kind, _entry_points(kind))


def missing_extra(needs: str, error: ModuleNotFoundError) -> MissingExtra | None:
    """Make the error that names the extra to install; None where the missing module is none of our clients.

    ``needs`` says who needs it: ``the engine "pulsar"``.
    """
    client = CLIENTS.get((error.name or "").partition(".")[0])
    if client is None:
        return None
    return MissingExtra(
        f"{needs} needs the package {client.distribution}, which is not installed.\n  pip install 'minionize[{client.extra}]'"
    )


def _load_built_in(kind: Kind, name: str, place: str) -> Any:
    from importlib import import_module

    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        missing = missing_extra(f'the {kind} "{name}"', error)
        if missing is None:
            raise
        raise missing from error


def _entry_points(kind: Kind) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=f"minionize.{kind}s")}


def _load_entry_point(kind: Kind, point: EntryPoint) -> Any:
    owner = f" of the package {point.dist.name} {point.dist.version}" if point.dist else ""
    what = f'the {kind} "{point.name}"{owner}'
    try:
        found = point.load()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise UsageError(f"{what} cannot be loaded: {why}\n  It is {point.value}") from error
    lacking = [name for name in METHODS[kind] if not callable(getattr(found, name, None))]
    if lacking:
        raise UsageError(f"{what} is no {kind}: it has no {', '.join(lacking)}\n  It is {point.value}")
    return found


def _known(kind: Kind, points: dict[str, EntryPoint]) -> list[str]:
    ours = [*BUILT_IN[kind], *ELSEWHERE[kind]]
    return ours + sorted(set(points) - set(ours))


def _unknown(kind: Kind, name: str, said: str, points: dict[str, EntryPoint]) -> str:
    from difflib import get_close_matches

    known = _known(kind, points)
    article = "an" if kind[0] in "aeiou" else "a"
    close = get_close_matches(name, known, n=1)
    hint = f' Did you mean "{close[0]}"?' if close else ""
    quoted = f'"{name}"'
    return f"{said or quoted} is not {article} {kind}.{hint}\n  {kind.capitalize()}s: {', '.join(known)}"
