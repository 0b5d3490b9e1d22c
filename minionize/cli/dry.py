"""``minionize --dry-run``: the command lines of pending params; nothing is taken, nothing runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from minionize import place
from minionize.errors import BadParam, NoQueue, UsageError
from minionize.params.template import Template, display
from minionize.settings import table

if TYPE_CHECKING:
    from minionize.engines.base import Admin, Engine
    from minionize.settings import Settings

#: Command lines that are shown, unless all are asked for.
SHOWN = 10


def show_commands(settings: Settings, words: list[str], *, everything: bool) -> int:
    """Print what would be run; returns 2 where a param makes no command line."""
    template = Template(words, enabled=not settings[table.TEMPLATE])
    engine = _open(settings)
    code = 0
    try:
        if "list" not in engine.traits.admin:
            raise UsageError(f"the queue ({engine.where}) cannot list its params without taking them.")
        for shown, entry in enumerate(cast("Admin", engine).list("pending")):
            if shown == SHOWN and not everything:
                print(f"... {(engine.counts().pending or 0) - SHOWN} more; -v prints all")
                break
            try:
                print(display(template.render(entry.param, 0, entry.id)))
            except BadParam as error:
                print(f"# {entry.id}: {error}")
                code = 2
    finally:
        engine.close()
    return code


def _open(settings: Settings) -> Engine:
    """Open the queue; a file whose lines no minion has put into one yet is looked at in memory."""
    from minionize.app import engine_name, open_engine

    try:
        return open_engine(settings)
    except NoQueue:
        path = settings[table.FILE_PATH]
        if engine_name(settings) != "file" or path is None or not os.path.exists(path):
            raise
        from minionize.engines.memory import MemoryEngine, MemoryQueue
        from minionize.params.source import read_file

        engine = MemoryEngine(MemoryQueue(where=path), place.identity())
        engine.put(read_file(path, settings[table.FILE_DECODER]))
        return engine
