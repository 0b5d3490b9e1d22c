"""Put, list, retry, release, remove, drain: what people do to the queue."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from minionize.engines.execo.books import DEAD, DONE, FRESH, LEASED, WAITING, unpack
from minionize.engines.execo.store import Store
from minionize.engines.execo.values import key_of, natural, wrap
from minionize.errors import UsageError
from minionize.model import Entry, Put

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minionize.engines.execo.books import Record
    from minionize.model import Control, NewTask, State

_STATES: dict[int, State] = {DONE: "done", DEAD: "dead"}


class ExecoAdmin(Store):
    """The half of the engine that people use, by ``minion-queue`` and ``minion-status``."""

    # ------------------------------------------------------------------ put

    def put(self, new: Iterable[NewTask]) -> Put:
        """Add tasks to the sweep, all or none."""
        tasks = list(new)  # a source that raises does so here, before anything is added
        return self._turn(lambda: self._put(tasks), exact=True)

    def _put(self, tasks: Sequence[NewTask]) -> Put:
        books = self._books
        known: dict[str, int] = {}
        added: dict[str, NewTask] = {}
        now = self._clock()
        for task in tasks:
            record = books.by_id.get(task.id)
            if record is not None:
                state = self._state(record, now)
                known[state] = known.get(state, 0) + 1
            else:
                added.setdefault(task.id, task)
        if added:
            self._add(list(added.values()), now)
        return Put(len(added), known)

    def _add(self, tasks: Sequence[NewTask], now: float) -> None:
        wall = time.time()
        items = self._stand_ins(tasks)
        for task, item in zip(tasks, items, strict=True):
            key = key_of(item)
            due = now + task.due - wall if task.due > wall else 0.0
            story = task.attempt, task.crashes, due, task.error
            self._do(["task", task.id, task.param, None if key == task.param else key, *story])
        self._plan.sweep = [*self._items.values(), *items]

    def _stand_ins(self, tasks: Sequence[NewTask]) -> list[Any]:
        """Make what stands for these tasks in the sweep: natural values where no other one is, or was, equal to them."""
        make, known, found = self._sweeper.hashable_dict, self._numbers, []
        seen: set[Any] = set()
        for task in tasks:
            item = natural(task.param, make)
            if item is not None and (item in known or item in seen):
                item = None
            seen.add(item)
            found.append(item)
        seen.discard(None)
        free = self._sweeper.untouched(seen) if seen else seen
        return [
            make(wrap(task.id, task.param)) if item is None or item not in free else item
            for task, item in zip(tasks, found, strict=True)
        ]

    # ------------------------------------------------------------------ looking

    def get(self, id: str) -> Entry | None:
        """Find a task by its id or by the beginning of it; raises UsageError where several have it."""

        def find() -> Entry | None:
            record = self._find(id)
            return None if record is None else self._entry(record, self._clock())

        return self._turn(find, exact=True)

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave."""
        return self._turn(self._drained)

    def _find(self, id: str) -> Record | None:
        books = self._books.by_id
        if id in books:
            return books[id]
        found = [other for other in books if other.startswith(id)]
        if len(found) > 1:
            raise UsageError(f"{id} is the beginning of more than one task id: {', '.join(found[:5])}")
        return books[found[0]] if found else None

    def _state(self, record: Record, now: float) -> State:
        if record.state in (FRESH, WAITING):
            return "leased" if record.foreign else "delayed" if record.due > now else "pending"
        return _STATES.get(record.state, "leased")

    def _entry(self, record: Record, now: float) -> Entry:
        minion = None if record.minion is None else self._books.minions[record.minion].me
        state = self._state(record, now)
        return Entry(
            id=record.id,
            param=record.param,
            state=state,
            attempt=record.attempt,
            delivery=record.delivery,
            crashes=record.crashes,
            due=time.time() + record.due - now if state == "delayed" else None,
            minion=minion.uid if minion else None,
            host=minion.host if minion else None,
            since=record.since,
            ended=record.ended,
            failure=unpack(record.failure),
            result=record.result,
        )

    # ------------------------------------------------------------------ changing

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Put dead tasks back as if new."""

        def act() -> int:
            dead = [record for record in self._named(ids) if record.state == DEAD]
            now = self._clock()
            self._do(*(["retry", record.n, now] for record in dead))
            return len(dead)

        return self._turn(act, exact=True)

    def release(self, ids: Sequence[str] | None = None) -> int:
        """Give back held tasks: those named, or what lost minions hold and all that is in progress for nobody we know.

        The latter is what another program took from the ParamSweeper, or left behind when it crashed: execo cannot tell.
        """
        lost = self._lost_minions() if ids is None else []

        def act() -> int:
            now = self._clock()
            count = self._reclaim(now, lost) if ids is None else 0
            named = self._named(ids)
            held = [record for record in named if record.state == LEASED and ids is not None]
            self._do(*(["back", record.n, now] for record in held))
            others = [record for record in named if record.foreign]
            self._free(others)
            return count + len(held) + len(others)

        return self._turn(act, exact=True)

    def remove(self, ids: Sequence[str] | None = None) -> int:
        """Take tasks off the books, and out of the sweep."""

        def act() -> int:
            named = self._named(ids)
            self._remove(named)
            if ids is None:
                # Ids and deliveries begin anew, so what is recorded from now on belongs to another queue.
                self._do(["queue", os.urandom(16).hex()])
            return len(named)

        return self._turn(act, exact=True)

    def control(self, drain: Control | None) -> None:
        """Ask all minions of this queue to leave, or take that back."""
        who, at = drain or (None, 0.0)
        self._turn(lambda: self._do(["drain", who, at]))

    def _remove(self, records: Sequence[Record]) -> None:
        if not records:
            return
        self._do(["drop", [record.n for record in records]])
        for record in records:
            item = self._items.pop(record.n, None)
            if record.kept or record.foreign:
                self._plan.free.append(item)
        self._plan.sweep = list(self._items.values())

    def _named(self, ids: Sequence[str] | None) -> list[Record]:
        if ids is None:
            return list(self._books.records.values())
        found = {id: self._find(id) for id in ids}
        unknown = [id for id, record in found.items() if record is None]
        if unknown:
            raise UsageError(f"there is no task {', '.join(unknown)} in {self.path}.\n  See them:  minion-queue list")
        return list({record.n: record for record in found.values() if record is not None}.values())

    def _drained(self) -> Control | None:
        return self._books.drained()

    def _list_now(self, state: State | None, limit: int | None) -> list[Entry]:
        now = self._clock()
        entries: list[Entry] = []
        for record in self._books.records.values():
            if limit is not None and len(entries) >= limit:
                break
            if state in (None, self._state(record, now)):
                entries.append(self._entry(record, now))
        return entries

    def list(self, state: State | None = None, limit: int | None = None) -> Iterator[Entry]:
        """List tasks, oldest first, of one state or of all, as they are now."""
        return iter(self._turn(lambda: self._list_now(state, limit), exact=True))
