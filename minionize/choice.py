"""Which engine: the one that was named, or whose path was; else that of the queue which is here; else what suits the place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minionize import place
from minionize.errors import UsageError
from minionize.settings import table

if TYPE_CHECKING:
    from minionize.settings import Settings
    from minionize.settings.setting import Setting

#: The engines whose queue is a path, and the setting that says which.
PATHS: dict[str, Setting[str]] = {
    "sqlite": table.SQLITE_PATH,
    "spool": table.SPOOL_DIR,
    "execo": table.EXECO_DIRECTORY,
}


def engine_name(settings: Settings) -> str:
    """Say which engine; raises UsageError where the queues of two are here and none was named."""
    named = settings[table.ENGINE]
    if named:
        return str(named)
    pointed = [name for name, row in PATHS.items() if settings.source(row) != "default"]
    if len(pointed) == 1:
        return pointed[0]
    here = [name for name, row in PATHS.items() if _is_queue(name, settings[row])]
    if len(here) > 1:
        queues = " and ".join(f"{settings[PATHS[name]]} ({name})" for name in here)
        which = "     or     ".join(f"MINION_ENGINE={name} ..." for name in here)
        raise UsageError(f"there is more than one queue here: {queues}.\n  Say which:  {which}")
    if here:
        return here[0]
    return "sqlite" if place.is_local(place.filesystem(".")) else "spool"


def _is_queue(engine: str, path: str) -> bool:
    """Tell whether a queue of that engine may be there; what exactly it is, the engine says."""
    if engine == "sqlite":
        return os.path.isfile(path)
    if engine == "spool":
        return os.path.isdir(path)
    try:
        return os.stat(os.path.join(path, "done")).st_uid == os.geteuid()  # pickles of others are not even looked at
    except OSError:
        return False
