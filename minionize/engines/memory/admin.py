"""List, retry, release, remove, drain: what people do to a queue in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.errors import UsageError
from minionize.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minionize.engines.memory.queue import MemoryQueue, Record, Session
    from minionize.model import Control, State


class MemoryAdmin:
    """The half of the engine that people use."""

    where: str
    _books: MemoryQueue
    _session: Session
    _max_crashes: int

    def get(self, id: str) -> Entry | None:
        """Find a task by its id or by the beginning of it; raises UsageError where several have it."""
        with self._books.lock:
            self._books.next_due()
            record = self._find(id)
            return None if record is None else self._entry(record)

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Put dead tasks back as if new; says how many."""
        with self._books.lock:
            dead = [record for record in self._named(ids) if record.state == "dead"]
            for record in dead:
                self._books.revive(record)
            return len(dead)

    def release(self, ids: Sequence[str] | None = None) -> int:
        """Give back held tasks: those named, or (None) what lost minions hold, whose crash then counts."""
        with self._books.lock:
            if ids is None:
                return self._books.reclaim(self._session, self._max_crashes)
            held = [record for record in self._named(ids) if record.state == "leased"]
            for record in held:
                self._books.give_back(record)
            return len(held)

    def remove(self, ids: Sequence[str] | None = None) -> int:
        """Take tasks (None: all) off the books; says how many."""
        with self._books.lock:
            if ids is None:
                count = self._books.clear()
            else:
                records = self._named(ids)
                for record in records:
                    self._books.drop(record)
                count = len(records)
            self._books.signal()  # that may have been the end
            return count

    def control(self, drain: Control | None) -> None:
        """Ask all minions of this queue to leave, or (None) take that back."""
        with self._books.lock:
            self._books.drain = drain
            self._books.signal()

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave."""
        with self._books.lock:
            return self._books.drained()

    def _named(self, ids: Sequence[str] | None) -> list[Record]:
        if ids is None:
            return list(self._books.records.values())
        found = {id: self._find(id) for id in ids}
        unknown = [id for id, record in found.items() if record is None]
        if unknown:
            raise UsageError(f"there is no task {', '.join(unknown)} in this queue ({self.where})")
        return list({record.serial: record for record in found.values() if record is not None}.values())

    def _find(self, id: str) -> Record | None:
        records = self._books.records
        if id in records:
            return records[id]
        found = [other for other in records if other.startswith(id)]
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} tasks have an id that begins with {id!r}: {', '.join(found[:5])}\n  Type more of it."
            )
        return records[found[0]] if found else None

    def _entry(self, record: Record) -> Entry:
        due = None
        if record.state == "delayed":
            due = self._books.wall() + record.due - self._books.clock()
        return Entry(
            record.id,
            record.param,
            record.state or "pending",
            record.attempt,
            record.delivery,
            record.crashes,
            due=due,
            minion=record.minion,
            host=record.host,
            since=record.since,
            ended=record.ended,
            failure=record.failure,
            result=record.result,
        )

    def list(self, state: State | None = None, limit: int | None = None) -> Iterator[Entry]:
        """List tasks, oldest first, of one state or of all, as they are now."""
        entries: list[Entry] = []
        with self._books.lock:
            self._books.next_due()
            for record in self._books.records.values():
                if limit is not None and len(entries) >= limit:
                    break
                if state in (None, record.state):
                    entries.append(self._entry(record))
        return iter(entries)
