"""``minionize --doctor``: is everything there that a minion needs? The first thing to ask for in a bug report."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from minionize import __version__, place
from minionize.errors import MinionizeError
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.settings import Settings


def examine(settings: Settings, words: list[str]) -> int:
    """Print a line per check; returns 0 where all is well, else 1."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", lambda: f"{sys.version.split()[0]}, minionize {__version__}"),
        ("host", _host),
        ("settings", lambda: _files(settings)),
        ("queue", lambda: _queue(settings)),
        ("command", lambda: _command(settings, words)),
        ("reports", lambda: _reports(settings)),
        ("clock", lambda: _clock(settings[table.REPORT_DIRECTORY])),
    ]
    well = True
    for name, check in checks:
        try:
            print(f"ok    {name:9}{_below(check())}")
        except (MinionizeError, OSError) as error:
            well = False
            print(f"FAIL  {name:9}{_below(str(error))}")
    return 0 if well else 1


def _below(text: str) -> str:
    return text.replace("\n", "\n" + " " * 15)


def _host() -> str:
    job = place.job()
    where = f", {job['scheduler']} job {job.get('id', '')}" if job else ""
    return f"{place.identity().host}, {place.cpus()} CPUs{where}"


def _files(settings: Settings) -> str:
    here = [path for path in (settings.project.path, "./.env") if os.path.isfile(path)]
    return f"{' and '.join(here) or 'no file'}, and the environment: --show-config prints all"


def _queue(settings: Settings) -> str:
    from minionize.app import open_engine
    from minionize.choice import engine_name

    name = engine_name(settings)
    begin = time.perf_counter()
    if name == "file" and settings[table.FILE_PATH] is None:
        return "standard input"
    engine = open_engine(settings)
    try:
        counts = engine.counts()
    finally:
        engine.close()
    took = (time.perf_counter() - begin) * 1000
    books = ", ".join(f"{value} {state}" for state, value in zip(counts._fields, counts, strict=True) if value)
    books = books or ("it cannot tell what is in it" if counts.pending is None else "empty")
    path = getattr(engine, "path", None)
    if path and not os.access(path, os.W_OK):
        raise OSError(f"{path} can be read, but not written: no minion can take anything from it")
    kind = f", on {place.filesystem(path)}" if path and not engine.notes else ""
    return "\n".join([f"{name} at {engine.where}{kind}: {books} (in {took:.0f} ms)", *engine.notes])


def _command(settings: Settings, words: list[str]) -> str:
    from minionize.cli.program import choose, program

    chosen, callback = choose(settings, words), program(settings, words)
    if chosen is None or callback is None:
        return "none given: minionize --doctor ./simulate checks that too"
    return callback.examine() if words else f"{callback.examine()}   ({chosen.source})"


def _reports(settings: Settings) -> str:
    if settings[table.REPORTER] != "json":
        return f"MINION_REPORTER={settings[table.REPORTER]}: minion-status will know the counts only"
    directory = settings[table.REPORT_DIRECTORY]
    parent = _parent(directory)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        raise OSError(f"{directory} cannot be written: {parent} is not a directory of yours")
    free = os.statvfs(parent)
    return f"{directory}, {free.f_bavail * free.f_frsize / 1e9:.1f} GB free"


def _parent(directory: str) -> str:
    """Find the directory, or the nearest one above it that exists."""
    while not os.path.exists(directory):
        directory = os.path.dirname(os.path.abspath(directory))
    return directory


def _clock(directory: str) -> str:
    """Compare this host's clock with that of the file system that holds the reports: others read it there."""
    from tempfile import TemporaryFile

    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    try:
        with TemporaryFile(dir=_parent(directory)) as file:
            drift = os.fstat(file.fileno()).st_mtime - time.time()
    except OSError:  # which the check of the reports has said
        return now
    return (
        now
        if abs(drift) < 1
        else f"{now}, {abs(drift):.0f} s {'behind' if drift > 0 else 'ahead of'} the file server's"
    )
