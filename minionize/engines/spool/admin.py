"""Put, list, retry, release, remove, drain: what people do to the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.engines.spool import editing, files, look, putting
from minionize.engines.spool.session import Session
from minionize.engines.spool.tree import make

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minionize.model import Control, Counts, Entry, NewTask, Put, State

#: The largest param, in bytes of JSON text.
PARAM_LIMIT = 64 * 1024 * 1024


class SpoolAdmin(Session):
    """The half of the engine that people use, by ``minion-queue`` and ``minion-status``."""

    def put(self, new: Iterable[NewTask]) -> Put:
        """Add tasks, all or none; see :meth:`minionize.engines.base.Engine.put`."""
        with files.Translated(self.path):
            return putting.put(self._tree, self._me, self._clock, new, PARAM_LIMIT)

    def counts(self) -> Counts:
        """Read the books."""
        with files.Translated(self.path):
            return look.counts(self._tree, self._clock.now())

    def list(self, state: State | None = None, limit: int | None = None) -> Iterator[Entry]:
        """List tasks, of one state or of all, fresh ones in the order in which they were put."""
        left = (1 << 62) if limit is None else limit
        with files.Translated(self.path):
            for entry in look.entries(self._tree, self._clock.now(), state):
                if left <= 0:
                    return
                left -= 1
                yield entry

    def get(self, id: str) -> Entry | None:
        """Find a task by its id or the beginning of it; raises UsageError where several have it."""
        with files.Translated(self.path):
            return editing.find(self._tree, self._clock.now(), id)

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Put dead tasks back as if new."""
        return self._safely(lambda: editing.Editor(self._holder).retry(self._named(ids)))

    def release(self, ids: Sequence[str] | None = None) -> int:
        """Give back held tasks: those named, by asking who holds them, or all that are held by lost minions."""
        if ids is None:
            return self._safely(lambda: self._recovery.sweep(thorough=True))
        with files.Translated(self.path):
            found = editing.named(self._tree, self._clock.now(), ids)
            return editing.ask(self._tree, "release", [id for id, entry in found.items() if entry.state == "leased"])

    def remove(self, ids: Sequence[str] | None = None) -> int:
        """Take tasks off the books; who holds one is asked to drop it."""
        return self._safely(self._clear) if ids is None else self._safely(lambda: self._remove(ids))

    def control(self, drain: Control | None) -> None:
        """Ask all minions of this queue to leave, or take that back."""
        with files.Translated(self.path):
            editing.control(self._tree, drain)

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave."""
        with files.Translated(self.path):
            return editing.drained(self._tree)

    def _named(self, ids: Sequence[str] | None) -> set[str] | None:
        return None if ids is None else set(editing.named(self._tree, self._clock.now(), ids))

    def _remove(self, ids: Sequence[str]) -> int:
        found = editing.named(self._tree, self._clock.now(), ids)
        look.forget(self._tree, ((entry.state, id) for id, entry in found.items()))
        done = sum(entry.state == "done" for entry in found.values())
        count = editing.Editor(self._holder).remove(set(found), done)
        return count + (editing.ask(self._tree, "cancel", list(found)) if count < len(found) else 0)

    def _clear(self) -> int:
        """Put an empty queue in the place of this one, in one step; minions find that theirs is gone."""
        count = sum(value or 0 for value in look.counts(self._tree, self._clock.now()))
        old = f"{self._tree.root}-{self._me.uid}-old"
        make(self._tree.root, old)
        files.remove_tree(old)
        self._lose()
        return count
