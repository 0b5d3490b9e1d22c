"""Finding tasks, and changing those that lie in chunks or are held by somebody.

A chunk that nobody holds is claimed as minions claim it, and given back as another one. A minion that holds a task is asked
by mail, which it reads with every exchange and renewal; the mail of one that is lost is read by who takes it over.
"""

from __future__ import annotations

import os
import time
from json import dumps, loads
from typing import TYPE_CHECKING

from minionize.engines.spool import files, look
from minionize.engines.spool.history import History, log_of
from minionize.engines.spool.holder import Change
from minionize.engines.spool.market import offers
from minionize.errors import UsageError
from minionize.model import Control
from minionize.policy import DRAIN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minionize.engines.spool.chunk import Line
    from minionize.engines.spool.holder import Held, Holder
    from minionize.engines.spool.market import Offer
    from minionize.engines.spool.names import Chunk
    from minionize.engines.spool.tree import Tree
    from minionize.model import Entry

_DRAIN = "drain"


def find(tree: Tree, now: float, id: str) -> Entry | None:
    """Find a task by its id or the beginning of it; raises UsageError where several have it."""
    found: dict[str, Entry] = {}
    for entry in look.entries(tree, now):
        if entry.id == id:
            return entry
        if entry.id.startswith(id):
            found[entry.id] = entry
    if len(found) > 1:
        few = ", ".join(sorted(found)[:2])
        raise UsageError(f"{id} is the beginning of more than one task id: {few}")
    return next(iter(found.values()), None)


def named(tree: Tree, now: float, ids: Sequence[str]) -> dict[str, Entry]:
    """Find all that are named; raises UsageError where there is no such task."""
    wanted = set(ids)
    whole = {entry.id: entry for entry in look.entries(tree, now) if entry.id in wanted}  # one look for all of these
    found = [(id, whole.get(id) or find(tree, now, id)) for id in ids]
    unknown = [id for id, entry in found if entry is None]
    if unknown:
        raise UsageError(f"there is no task {', '.join(unknown)} in {tree.path}.\n  See them:  minion-queue list")
    return {entry.id: entry for _, entry in found if entry is not None}


def drained(tree: Tree) -> Control | None:
    """Tell who asked the minions to leave."""
    data = files.read(tree.at(_DRAIN))
    try:
        who, at = loads(data) if data else (None, 0.0)
    except ValueError:
        return None
    return None if who is None or time.time() - at > DRAIN_MEMORY else Control(who, at)


def control(tree: Tree, drain: Control | None) -> None:
    """Ask all minions to leave, or take that back."""
    if drain is None:
        files.remove(tree.at(_DRAIN))
        return
    new = tree.at("tmp", f"{_DRAIN}-{os.urandom(6).hex()}")
    files.write(new, dumps(drain).encode())
    os.rename(new, tree.at(_DRAIN))


def ask(tree: Tree, word: str, ids: Sequence[str]) -> int:
    """Write to the minions that hold these tasks; says how many tasks there are."""
    asked: set[str] = set()
    wanted = set(ids)
    for token in look.tokens(tree):
        if not token.held and not token.backlog:
            continue
        past = History(log_of(tree, token), wanted)
        mine: list[str] = []
        for path, chunk in offers(tree.at("minions", token.minion)):
            found = [line for line in look.lines(path, chunk) if line.id in wanted]
            mine += [line.id for line, _ in past.remains(chunk, found)]
        if mine:
            name = os.urandom(6).hex()
            files.write(tree.at("tmp", name), "\n".join([word, *mine]).encode())
            if files.take(tree.at("tmp", name), tree.at("minions", token.minion, f"mail-{name}")):
                asked.update(mine)
            else:
                files.remove(tree.at("tmp", name))
    return len(asked)


class Editor:
    """Changes what lies in chunks that nobody holds: takes them, and gives back others in their place."""

    def __init__(self, holder: Holder) -> None:
        """Work for this minion, or what stands for one."""
        self._holder, self._tree = holder, holder.tree

    def retry(self, ids: set[str] | None) -> int:
        """Put dead tasks (None: all) back as if new; says how many."""
        return sum(
            self._retry(chunk, held, rest) for chunk, held, rest in self._chosen(offers(self._tree["dead"]), ids)
        )

    def _retry(self, chunk: Chunk, chosen: list[Held], rest: list[Held]) -> int:
        lines = [held.line._replace(attempt=1, crashes=0, failure="") for held in chosen]
        new = self._holder.new_chunk("r", self._holder.clock.now(), len(lines))
        self._holder.commit(Change(out=chosen + rest, give=[(new, lines), *_again(chunk, rest)]))
        return len(chosen)

    def remove(self, ids: set[str], done: int) -> int:
        """Take tasks out of all chunks, and ``done`` of them out of the count of done ones; says how many."""
        count = done
        for where in (look.waiting(self._tree), offers(self._tree["dead"])):
            for chunk, chosen, rest in self._chosen(where, ids):
                self._holder.commit(Change(out=chosen + rest, give=_again(chunk, rest)))
                count += len(chosen)
        if done:
            self._holder.commit(Change(done=-done))
        return count

    def _chosen(self, where: Iterable[Offer], ids: set[str] | None) -> Iterator[tuple[Chunk, list[Held], list[Held]]]:
        """Claim the chunks that hold a named task; gives each with those that are named, and the others."""
        for path, chunk in list(where):
            if ids is not None and not any(line.id in ids for line in look.lines(path, chunk)):
                continue
            if self._holder.take(path, chunk):
                taken = [held for held in self._holder.backlog if held.chunk == chunk.name]
                chosen = [held for held in taken if ids is None or held.line.id in ids]
                yield chunk, chosen, [held for held in taken if held not in chosen]


def _again(chunk: Chunk, rest: list[Held]) -> list[tuple[Chunk, list[Line]]]:
    """Give back what is left of a chunk, in its place; the smaller count makes another name."""
    return [(chunk._replace(tasks=len(rest)), [held.line for held in rest])] if rest else []
