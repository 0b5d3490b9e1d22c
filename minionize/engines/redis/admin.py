"""Put, list, retry, release, remove, drain: what people do to the queue."""

from __future__ import annotations

import os
import re
import time
from itertools import islice
from json import loads
from typing import TYPE_CHECKING, Any

from minionize.engines.redis.messages import entry_of, has_name, json_of
from minionize.engines.redis.store import Store
from minionize.engines.staging import Staged, bytes_of, text_of
from minionize.errors import EngineUnavailable, UsageError
from minionize.model import Control, Put

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minionize.model import Entry, NewTask, State

#: The largest param, in bytes of JSON text: the server does nothing else while it copies one.
LIMIT = 16 * 1024 * 1024
#: A put travels in batches of so many tasks, or so many bytes.
_BATCH = 500
_BATCH_BYTES = 1 << 20
_PAGE = 500
#: An answer begins with so few rows, and grows up to so many bytes: a dead letter may have megabytes.
_FIRST_PAGE = 10
_PAGE_BYTES = 1 << 22


class RedisAdmin(Store):
    """The half of the engine that people use, by ``minion-queue`` and ``minion-status``."""

    # ------------------------------------------------------------------ put

    def put(self, new: Iterable[NewTask]) -> Put:
        """Add tasks.

        They are collected before the first is sent, so that a source that fails adds nothing. A server that fails in the
        middle leaves what was added: the same put once more adds the rest.
        """
        with Staged(new, LIMIT, "redis") as staged:
            added, known = 0, dict[str, int]()
            for words in _batches(staged, self._shift):
                try:
                    count, states, woken = self._call("put", *words)
                except EngineUnavailable as error:
                    raise staged.broke_off(error, added, "The same put again adds the others only.") from error
                added += count
                for state, number in zip(states[::2], states[1::2], strict=True):
                    known[text_of(state)] = known.get(text_of(state), 0) + number
                self._wake(woken)
        return Put(added, known)

    # ------------------------------------------------------------------ looking

    def list(self, state: State | None = None, limit: int | None = None) -> Iterator[Entry]:
        """List tasks of one state or of all, oldest first: those that are done, dead ones, then the others."""
        left = -1 if limit is None else limit
        if left == 0:
            return
        for row in self._rows(state):
            entry = entry_of(row, self._decode)
            if state in (None, entry.state):
                yield entry
                left -= 1
                if left == 0:
                    return

    def get(self, id: str) -> Entry | None:
        """Find a task by its id or by the beginning of it; raises UsageError where several have it."""
        found = self._find(id)
        rows = [] if found is None else self._call("describe", bytes_of(found[0]), found[1])[0]
        return entry_of(rows[0], self._decode) if rows else None

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave."""
        (drain,) = self._call("drained")
        return Control(**loads(drain)) if drain else None

    def _rows(self, state: State | None) -> Iterator[Sequence[Any]]:
        """Read, page by page, what may be in that state: others may change it meanwhile."""
        if state in (None, "done"):
            yield from self._done()
        if state in (None, "dead"):
            yield from self._dead()
        if state in (None, "pending"):
            yield from self._walk(state or "")
        elif state == "leased":
            yield from self._described(self._held_by_anybody())
        elif state == "delayed":
            yield from self._described(iter(sorted(self._waiting(), key=_order)))

    def _done(self) -> Iterator[Sequence[Any]]:
        after: Any = 0
        while after != b"":
            after, rows = self._call("done", after, _PAGE)
            yield from rows

    def _dead(self) -> Iterator[Sequence[Any]]:
        after, count = b"-", _FIRST_PAGE
        while page := self._wire.command("XRANGE", f"{self._stream}:dead", after, "+", "COUNT", count):
            rows = [(b"dead", place, fields) for place, fields in page]
            yield from rows
            after, count = b"(" + page[-1][0], _fitting(count, rows)

    def _described(self, places: Iterator[bytes]) -> Iterator[Sequence[Any]]:
        count = _FIRST_PAGE
        while page := list(islice(places, count)):
            rows = self._call("describe", *(word for place in page for word in ("", place)))[0]
            yield from rows
            count = _fitting(count, rows)

    def _walk(self, state: str) -> Iterator[Sequence[Any]]:
        after = "-"
        while True:
            last, rows = self._call("walk", state, after, _PAGE)
            yield from rows
            if not last:
                return
            after = f"({text_of(last)}"

    def _held_by_anybody(self) -> Iterator[bytes]:
        after = b"-"
        while page := self._wire.command("XPENDING", self._stream, self._group, after, "+", _PAGE):
            yield from (one[0] for one in page)
            after = b"(" + page[-1][0]

    def _waiting(self) -> Iterator[bytes]:
        for line in ("waiting", "suspects"):
            yield from self._wire.command("ZRANGEBYSCORE", f"{self._stream}:{line}", "-inf", "+inf")

    # ------------------------------------------------------------------ finding

    def _find(self, id: str) -> tuple[str, bytes] | None:
        """Find the full id and the place of a task by its id or a unique beginning of it."""
        place = self._wire.command("HGET", f"{self._stream}:ids", bytes_of(id))
        if place:
            return id, place
        found = self._foreign(id)
        if id in found:
            return id, found[id]
        found |= self._beginning(id)  # this looks through all ids
        if len(found) > 1:
            some = ", ".join(sorted(found)[:5])
            raise UsageError(f"{len(found)} tasks have an id that begins with {id}: {some}\n  Type more of it.")
        return next(iter(found.items()), None)

    def _beginning(self, id: str) -> dict[str, bytes]:
        pattern = bytes_of(re.sub(r"([*?\[\]\\])", r"\\\1", id)) + b"*"
        found: dict[str, bytes] = {}
        cursor = -1
        while cursor:
            words = ("HSCAN", f"{self._stream}:ids", max(0, cursor), "MATCH", pattern, "COUNT", 1000)
            raw, page = self._wire.command(*words)
            cursor = int(raw)
            found.update((text_of(name), place) for name, place in zip(page[::2], page[1::2], strict=True))
        return found

    def _foreign(self, id: str) -> dict[str, bytes]:
        """Find tasks that others published: their ids are entries of the stream."""
        ms, dash, sequence = id.partition("-")
        if not ms.isdigit() or len(ms) > 13 or (sequence and not sequence.isdigit()):
            return {}
        low, high = (ms, ms) if dash else (ms.ljust(13, "0"), ms.ljust(13, "9"))
        page = sequence and self._wire.command("XRANGE", self._stream, id, id)
        page = page or self._wire.command("XRANGE", self._stream, low, high, "COUNT", _PAGE)
        entries = {text_of(entry): fields for entry, fields in page}
        return {
            entry: entry.encode() for entry, fields in entries.items() if entry.startswith(id) and not has_name(fields)
        }

    # ------------------------------------------------------------------ changing

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Put dead tasks back as if new."""
        if ids is not None:
            return self._changed("retry", 0, *(place for _, place in self._named(ids)))
        total = 0
        while count := self._changed("retry", _PAGE):
            total += count
        return total

    def release(self, ids: Sequence[str] | None = None) -> int:
        """Give back held tasks: those named, or all that are held by lost minions."""
        if ids is not None:
            entries = [place for _, place in self._named(ids) if place[:1] not in b"+-"]
            return self._changed("release", self._max_crashes, "named", *entries)
        here = self._wire.command("HVALS", f"{self._stream}:here:{self._view}")
        total, gone = 0, self._gone_from(here)
        while count := self._changed("release", self._max_crashes, "lost", *gone):
            total += count
        return total + self._line_up_strays()

    def _line_up_strays(self) -> int:
        """Give back what nobody holds although it was handed out: somebody meddled with the consumer group."""
        total, after = 0, "-"
        while True:
            last, count, woken = self._call("strays", after, _PAGE)
            self._wake(woken)
            total += int(count)
            if not last:
                return total
            after = f"({text_of(last)}"

    def remove(self, ids: Sequence[str] | None = None) -> int:
        """Take tasks off the books."""
        if ids is not None:
            return self._changed("remove", *(word for id, place in self._named(ids) for word in (bytes_of(id), place)))
        uuid = os.urandom(16).hex()
        count = self._changed("clear", uuid)
        # Ids and deliveries begin anew, so what is recorded from now on belongs to another queue than what was before.
        self.queue = uuid
        return count

    def control(self, drain: Control | None) -> None:
        """Ask all minions of this queue to leave, or take that back."""
        (woken,) = self._call("control", json_of(drain._asdict()) if drain else "")
        self._wake(woken)

    def _changed(self, name: str, *words: Any) -> int:
        """Run a script that changes the books; says how many tasks it changed."""
        count, woken = self._call(name, *words)
        self._wake(woken)
        return int(count)

    def _named(self, ids: Sequence[str]) -> Sequence[tuple[str, bytes]]:
        found = {id: self._find(id) for id in ids}
        unknown = [id for id, place in found.items() if place is None]
        if unknown:
            raise UsageError(f"there is no task {', '.join(unknown)} in {self.where}.\n  See them:  minion-queue list")
        return list(dict.fromkeys(place for place in found.values() if place is not None))


def _fitting(count: int, rows: Sequence[Sequence[Any]]) -> int:
    """Tell how many rows to ask for after these, so that the answer is not too large."""
    size = 1 + sum(len(word) for row in rows for word in row[2])
    return max(1, min(_PAGE, count * 8, count * _PAGE_BYTES // size))


def _order(entry: bytes) -> tuple[int, int]:
    ms, _, sequence = entry.partition(b"-")
    return int(ms), int(sequence)


def _batches(staged: Staged, shift: Any) -> Iterator[list[Any]]:
    """Make the words of each call."""
    words: list[Any] = [_now(shift)]
    size = 0
    for task in staged:
        param = bytes_of(task.param)
        words += (bytes_of(task.id), param, task.attempt, task.crashes, int(task.due * 1000))
        size += len(param)
        if len(words) > _BATCH * 5 or size > _BATCH_BYTES:
            yield words
            words, size = [_now(shift)], 0
    if len(words) > 1:
        yield words


def _now(shift: Any) -> int:
    return int((time.time() + shift()) * 1000)
