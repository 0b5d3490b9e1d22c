"""What a queue says of itself at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from minionize.model import STATES

if TYPE_CHECKING:
    from minionize.engines.base import Admin, Engine
    from minionize.model import Control, Counts, Entry, State

#: Longer lists of tasks are not asked for: events tell enough.
LISTED = 10_000


class Books(NamedTuple):
    """Counts, and the tasks that are held or dead (None: the engine cannot list them, or there are too many).

    ``notes`` are what the engine says that a user should know, a sentence each.
    """

    engine: str
    queue: str
    where: str
    counts: Counts
    exact: bool = True
    verbs: frozenset[str] = frozenset()
    leased: tuple[Entry, ...] | None = None
    dead: tuple[Entry, ...] | None = None
    drained: Control | None = None
    notes: tuple[str, ...] = ()


def ask(engine: Engine) -> Books:
    """Read the books of an open queue; raises EngineUnavailable."""
    traits, counts = engine.traits, engine.counts()
    admin = cast("Admin", engine)

    def listed(state: State, count: int | None) -> tuple[Entry, ...] | None:
        # A broker lists its dead letters by taking them: that is for people who ask, not for a screen every two seconds.
        looks_only = "list" in traits.admin and traits.listed.issuperset(STATES)
        if not looks_only or (count or 0) > LISTED:
            return None
        return () if count == 0 else tuple(admin.list(state, LISTED))

    return Books(
        engine=type(engine).__name__.removesuffix("Engine").lower(),
        queue=engine.queue,
        where=engine.where,
        counts=counts,
        exact=traits.counts == "exact",
        verbs=traits.admin,
        leased=listed("leased", counts.leased),
        dead=listed("dead", counts.dead),
        drained=admin.drained() if "control" in traits.admin else None,
        notes=tuple(engine.notes),
    )
