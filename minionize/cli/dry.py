"""``minionize --dry-run``: the command lines of pending params; nothing is taken, nothing runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from minionize.errors import BadParam, NoQueue, UsageError
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.callbacks.base import Callback
    from minionize.engines.base import Admin
    from minionize.model import Entry, NewTask
    from minionize.settings import Settings

#: Command lines that are shown, unless all are asked for.
SHOWN = 10


def show_commands(settings: Settings, callback: Callback, *, everything: bool) -> int:
    """Print what would be run; returns 2 where a param makes no command line."""
    code, shown = 0, -1
    for shown, task in enumerate(_pending(settings)):
        if shown == SHOWN and not everything:
            print("... and more; -v prints all")
            break
        try:
            print(callback.show(task))
        except BadParam as error:
            print(f"# {task.id}: {str(error).partition(chr(10))[0]}")
            code = 2
    if shown < 0:
        print("# nothing is pending")
    return code


def _pending(settings: Settings) -> Iterator[Entry | NewTask]:
    """Give the pending tasks of the queue, or of a file whose lines no minion has put into one yet."""
    from minionize.app import open_engine
    from minionize.choice import engine_name

    path = settings[table.FILE_PATH]
    try:
        engine = open_engine(settings)
    except NoQueue:
        if engine_name(settings) != "file" or path is None or not os.path.exists(path):
            raise
        from minionize.params.source import read_file

        yield from read_file(path, settings[table.FILE_DECODER])
        return
    try:
        if "list" not in engine.traits.admin or "pending" not in engine.traits.listed:
            raise UsageError(f"the queue ({engine.where}) cannot list its params without taking them.")
        yield from cast("Admin", engine).list("pending")
    finally:
        engine.close()
