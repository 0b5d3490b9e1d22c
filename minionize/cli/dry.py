"""``minionize --dry-run``: the command lines of pending params; nothing is taken, nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from minionize.errors import BadParam, UsageError
from minionize.params.template import Template, display
from minionize.settings import table

if TYPE_CHECKING:
    from minionize.engines.base import Admin
    from minionize.settings import Settings

#: Command lines that are shown, unless all are asked for.
SHOWN = 10


def show_commands(settings: Settings, words: list[str], *, everything: bool) -> int:
    """Print what would be run; returns 2 where a param makes no command line."""
    from minionize.app import open_engine

    template = Template(words, enabled=not settings[table.TEMPLATE])
    engine = open_engine(settings)
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
