"""Before minions are launched: whether there is a queue that all of them reach, and a command to run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from minionize import place
from minionize.app import open_engine
from minionize.choice import engine_name
from minionize.cli.program import choose, program
from minionize.errors import CommandNotFound, EngineUnavailable, LaunchRefused, NoQueue, UsageError
from minionize.settings import launching, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.launchers.base import Launcher
    from minionize.settings import Settings

_SHARED = """\
  A directory that all of them see:  minion-queue copy --from sqlite --to spool, then MINION_ENGINE=spool (in .env, say).
  A server:                          MINION_ENGINE=redis"""


class Queue(NamedTuple):
    """The queue of a launch: what people are shown, and its path where it has one (empty: none)."""

    where: str
    engine: str
    path: str = ""


def look_at_queue(
    name: str, launcher: Launcher, settings: Settings, words: Sequence[str], say: Callable[[str], None]
) -> Queue:
    """Return what the queue is; raises NoQueue and the like, LaunchRefused where that launcher's minions cannot share it.

    What may be wrong there, or only here, is said.
    """
    here = _is_here(launcher.hosts())
    queue = _queue(settings, say, here=here is True)
    if not here and queue.path and place.is_local(place.filesystem(queue.path)):
        _refuse_disk(name, queue, say, unsure=here is None, later=launcher.looks_for_queue)
    _check_command(settings, words, say, sure=here is True and not settings[launching.BEFORE])
    return queue


def _is_here(hosts: frozenset[str] | None) -> bool | None:
    """Tell whether minions run on this machine only; None where nobody knows."""
    if hosts is None:
        return None
    name = place.identity().host
    return hosts <= {name, name.partition(".")[0], "localhost", "127.0.0.1", "::1"}


def _queue(settings: Settings, say: Callable[[str], None], *, here: bool) -> Queue:
    engine = engine_name(settings)
    if engine == "file" and settings[table.FILE_PATH] is None:
        raise UsageError("standard input cannot be shared by minions elsewhere.\n  Name a file:  FILE_PATH=params.txt")
    try:
        opened = open_engine(settings)
    except NoQueue:
        if engine == "file" and os.path.exists(settings[table.FILE_PATH]):
            return Queue(settings[table.FILE_PATH], engine, settings[table.FILE_PATH])  # a minion makes it
        if not settings[table.SERVICE]:
            raise
        say("there is no queue yet; --service waits for it.")
        return Queue(f"a queue that is to come ({engine})", engine)
    except EngineUnavailable as error:
        if here:
            raise
        say(f"from here: {error}")
        return Queue(engine, engine)
    try:
        return Queue(f"{opened.where} ({engine})", engine, getattr(opened, "path", ""))
    finally:
        opened.close()


def _refuse_disk(name: str, queue: Queue, say: Callable[[str], None], *, unsure: bool, later: bool) -> None:
    """Refuse a file of SQLite that other machines cannot see; of directories be suspicious only: they may be exported."""
    kind = place.filesystem(queue.path)
    if queue.engine in ("sqlite", "file") and not unsure:
        raise LaunchRefused(
            f"the queue {queue.where} is a file on this machine's own disk ({kind}), and minions of {name} run on others.\n{_SHARED}"
        )
    if not later:
        say(
            f"{queue.where} is on a file system of type {kind}: other machines may not see it. Minions that do not, end"
            " with code 2."
        )


def _check_command(settings: Settings, words: Sequence[str], say: Callable[[str], None], *, sure: bool) -> None:
    """See whether the command exists: elsewhere it may, here or after ``--before`` it must."""
    chosen = choose(settings, words)
    if chosen is None or chosen.kind != "command":
        return  # what looks at the others imports, or fetches, more than a look is worth
    callback = program(settings, words)
    try:
        if callback is not None:
            callback.examine()
    except CommandNotFound as error:
        if sure:
            raise
        say(f"here: {error}")
