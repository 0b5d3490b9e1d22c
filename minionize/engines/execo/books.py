"""What the journal's lines make: tasks, minions and leases. Whoever reads the same lines has the same books.

A change is a list: a verb and what it is about; each verb is a method here. Tasks are known by their number, which is
their place in the line and is never used again. The books also remember what changed since the last ``ok``, which a
writer adds when the ParamSweeper's files say the same as the books: without it, the writer died in between.
"""

from __future__ import annotations

import time
from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.model import Control, Failure, Identity
from minionize.policy import DRAIN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minionize.engines.execo.journal import Change

FRESH, WAITING, LEASED, DONE, DEAD = range(5)


class Record:
    """A task on the books.

    ``key`` finds it in the sweep. ``minion`` holds it or held it last; ``settled`` is the last delivery that was settled,
    and ``settler`` by whom. ``kept``: for execo it is in progress, on our behalf; ``foreign``: it is in progress for
    somebody who uses the ParamSweeper without us.
    """

    __slots__ = (
        *("attempt", "crashes", "delivery", "due", "ended", "error", "failure", "foreign", "id", "kept", "key"),
        *("minion", "n", "param", "result", "settled", "settler", "since", "state"),
    )

    def __init__(
        self, n: int, id: str, param: str, key: str, attempt: int, crashes: int, due: float, error: str
    ) -> None:
        self.n, self.id, self.param, self.key, self.error = n, id, param, key, error
        self.attempt, self.crashes, self.due, self.delivery = attempt, crashes, due, 0
        self.state = FRESH if attempt == 1 and not crashes and not due else WAITING
        self.kept = self.foreign = False
        self.minion: int | None = None
        self.settler: int | None = None
        self.settled = 0
        self.since: float | None = None
        self.ended: float | None = None
        self.failure: list[Any] | None = None
        self.result: str | None = None


class Minion:
    """A minion that took something: who it is, until when its lease lasts (None: it has none), what it holds."""

    __slots__ = ("deadline", "held", "me")

    def __init__(self, me: Identity) -> None:
        self.me = me
        self.deadline: float | None = None
        self.held: dict[int, Record] = {}


class Open(NamedTuple):
    """What changed since the last ``ok``: tasks taken, and given up to execo, by number; the keys of what was dropped."""

    taken: set[int]
    freed: set[int]
    dropped: set[str]


class Books:
    """The tasks of a queue, and its minions."""

    def __init__(self) -> None:
        """Begin with none."""
        self.queue = ""
        self.next = 1
        self.records: dict[int, Record] = {}
        self.by_id: dict[str, Record] = {}
        self.by_key: dict[str, Record] = {}
        self.minions: list[Minion] = []
        self.minion_of: dict[str, int] = {}
        self.live: dict[int, Minion] = {}  # those that have a lease
        self.drain: Control | None = None
        self.counts = [0] * 5
        self.foreign: set[int] = set()
        self.kept: set[int] = set()
        self.seen: list[Any] | None = None  # what execo's files looked like when they were last known to agree
        self.open: Open | None = None  # None: the last line was an ``ok``
        self.stale = False  # there may be more in execo's files than a ParamSweeper that is open knows
        self._fresh: deque[Record] = deque()
        self._waiting: list[tuple[float, int]] = []

    def apply(self, changes: Iterable[Change]) -> None:
        """Make these changes."""
        for verb, *about in changes:
            if verb != "ok" and self.open is None:
                self.open = Open(set(), set(), set())
            getattr(self, f"_{verb}")(*about)

    # ------------------------------------------------------------------ looking

    def fresh(self) -> Iterator[Record]:
        """Go through the tasks that were never handed out, in the order they were put."""
        line = self._fresh
        while line and line[0].state != FRESH:
            line.popleft()
        return (record for record in line if record.state == FRESH)

    def due(self, now: float) -> Iterator[Record]:
        """Go through those that were given back and are due, the longest due first; nothing may change meanwhile."""
        seen: list[tuple[float, int]] = []
        last = -1
        try:
            while self._waiting and self._waiting[0][0] <= now:
                entry = heappop(self._waiting)
                if self._is_current(entry) and entry[1] != last:
                    last = entry[1]
                    seen.append(entry)
                    yield self.records[last]
        finally:
            for entry in seen:
                heappush(self._waiting, entry)

    def next_due(self) -> float | None:
        """Tell when the first one that was given back is due."""
        while self._waiting and not self._is_current(self._waiting[0]):
            heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def delayed(self, now: float) -> int:
        """Count those that were given back and are not due yet."""
        if not self.counts[WAITING]:
            return 0
        return len({n for due, n in self._waiting if due > now and self._is_current((due, n))})

    def drained(self) -> Control | None:
        """Tell who asked the minions to leave, unless that is forgotten."""
        return None if self.drain is None or time.time() - self.drain.at > DRAIN_MEMORY else self.drain

    def left(self) -> int:
        """Count what is not settled."""
        return self.counts[FRESH] + self.counts[WAITING] + self.counts[LEASED]

    def _is_current(self, entry: tuple[float, int]) -> bool:
        record = self.records.get(entry[1])
        return record is not None and record.state == WAITING and record.due == entry[0]

    # ------------------------------------------------------------------ writing anew

    def all(self) -> Iterator[Change]:
        """Say all of it as changes, for a journal that is written anew."""
        yield ["queue", self.queue]
        for minion in self.minions:
            yield ["minion", *minion.me, minion.deadline]
        for r in self.records.values():
            key = None if r.key == r.param else r.key
            marks = [r.kept, r.foreign, r.minion, r.settler, r.settled]
            story = [r.attempt, r.crashes, r.due, r.error, r.state, r.delivery, r.since, r.ended, r.failure, r.result]
            yield ["record", r.n, r.id, r.param, key, *story, *marks]
        yield ["number", self.next]
        if self.drain is not None:
            yield ["drain", *self.drain]

    # ------------------------------------------------------------------ verbs: tasks

    def _queue(self, queue: str) -> None:
        self.queue = queue

    def _number(self, n: int) -> None:
        self.next = n

    def _task(
        self,
        id: str,
        param: str,
        key: str | None,
        attempt: int = 1,
        crashes: int = 0,
        due: float = 0.0,
        error: str = "",
    ) -> None:
        record = Record(self.next, id, param, param if key is None else key, attempt, crashes, due, error)
        self.next += 1
        self._add(record)
        self.stale = True

    def _record(
        self,
        n: int,
        id: str,
        param: str,
        key: str | None,
        attempt: int,
        crashes: int,
        due: float,
        error: str,
        state: int,
        delivery: int,
        since: float | None,
        ended: float | None,
        failure: list[Any] | None,
        result: str | None,
        kept: bool,
        foreign: bool,
        minion: int | None,
        settler: int | None,
        settled: int,
    ) -> None:
        record = Record(n, id, param, param if key is None else key, attempt, crashes, due, error)
        record.state, record.delivery, record.since, record.ended = state, delivery, since, ended
        record.failure, record.result, record.minion = failure, result, minion
        record.settler, record.settled = settler, settled
        self._add(record)
        self._keep(record, kept)
        self._mark(record, foreign)
        if state == LEASED and minion is not None:
            self.minions[minion].held[n] = record

    def _take(self, minion: int, at: float, tasks: list[int]) -> None:
        holder = self.minions[minion]
        for n in tasks:
            record = self.records[n]
            self._move(record, LEASED)
            record.delivery += 1
            record.minion, record.since = minion, at
            holder.held[n] = record
            self._keep(record, True)
            self._mark(record, False)
        self._touched.taken.update(tasks)

    def _done(self, minion: int | None, at: float, tasks: list[int]) -> None:
        for n in tasks:
            self._end(self.records[n], DONE, minion, at)

    def _result(self, n: int, text: str) -> None:
        self.records[n].result = text

    def _dead(self, n: int, minion: int | None, at: float, failure: list[Any]) -> None:
        record = self.records[n]
        record.failure = failure
        self._end(record, DEAD, minion, at)
        self._keep(record, True)

    def _back(self, n: int, due: float) -> None:
        """Give back what is taken from its holder, or what that gives back as if it had never had it."""
        self._wait(self.records[n], due)

    def _nack(self, n: int, minion: int, at: float, due: float, charge: int, failure: list[Any] | None) -> None:
        record = self.records[n]
        self._wait(record, due)
        record.settler, record.settled, record.ended = minion, record.delivery, at
        record.attempt += charge
        record.failure = failure or record.failure

    def _crash(self, n: int, at: float, due: float, crashes: int, failure: list[Any] | None) -> None:
        """Give back what a lost minion held; with a failure, that was once too often."""
        record = self.records[n]
        record.crashes = crashes
        if failure is None:
            self._wait(record, due)
        else:
            record.failure = failure
            self._end(record, DEAD, None, at)

    def _free(self, tasks: list[int]) -> None:
        """Let others take them."""
        for n in tasks:
            self._keep(self.records[n], False)
            self._mark(self.records[n], False)
        self._touched.freed.update(tasks)
        self.stale = True

    def _retry(self, n: int, due: float) -> None:
        record = self.records[n]
        record.attempt, record.crashes = 1, 0
        self._wait(record, due)

    def _drop(self, tasks: list[int]) -> None:
        for n in tasks:
            record = self.records.pop(n)
            self._let_go(record)
            self.counts[record.state] -= 1
            self._touched.dropped.add(record.key)
            del self.by_id[record.id]
            if self.by_key.get(record.key) is record:
                del self.by_key[record.key]
            self.kept.discard(n)
            self.foreign.discard(n)
            record.state = DONE  # the line it stands in passes over it
        self.stale = True

    def _foreign(self, taken: list[int], left: list[int]) -> None:
        for n in taken:
            self._mark(self.records[n], True)
        for n in left:
            self._mark(self.records[n], False)

    # ------------------------------------------------------------------ verbs: minions

    def _minion(
        self,
        uid: str,
        host: str,
        pid: int,
        start: int,
        boot: str,
        namespace: str,
        preemptible: bool,
        deadline: float | None = None,
    ) -> None:
        self.minion_of[uid] = len(self.minions)
        self.minions.append(Minion(Identity(uid, host, pid, start, boot, namespace, preemptible)))
        self._lease(len(self.minions) - 1, deadline)

    def _lease(self, minion: int, deadline: float | None) -> None:
        self.minions[minion].deadline = deadline
        if deadline is None:
            self.live.pop(minion, None)
        else:
            self.live[minion] = self.minions[minion]

    def _drain(self, who: str | None, at: float) -> None:
        self.drain = None if who is None else Control(who, at)

    def _ok(self, seen: list[Any] | None) -> None:
        self.seen, self.open = seen, None

    # ------------------------------------------------------------------ moving

    @property
    def _touched(self) -> Open:
        if self.open is None:
            self.open = Open(set(), set(), set())
        return self.open

    def _add(self, record: Record) -> None:
        self.records[record.n] = record
        self.by_id[record.id] = self.by_key[record.key] = record
        self.counts[record.state] += 1
        if record.state == FRESH:
            self._fresh.append(record)
        elif record.state == WAITING:
            heappush(self._waiting, (record.due, record.n))

    def _move(self, record: Record, state: int) -> None:
        self._let_go(record)
        self.counts[record.state] -= 1
        self.counts[state] += 1
        record.state = state

    def _wait(self, record: Record, due: float) -> None:
        self._move(record, WAITING)
        record.due = due
        heappush(self._waiting, (due, record.n))

    def _end(self, record: Record, state: int, minion: int | None, at: float) -> None:
        self._move(record, state)
        record.settler, record.settled, record.ended = minion, record.delivery, at
        if state == DONE:
            self._keep(record, False)
        self._mark(record, False)

    def _let_go(self, record: Record) -> None:
        if record.state == LEASED and record.minion is not None:
            self.minions[record.minion].held.pop(record.n, None)

    def _keep(self, record: Record, kept: bool) -> None:
        record.kept = kept
        (self.kept.add if kept else self.kept.discard)(record.n)

    def _mark(self, record: Record, foreign: bool) -> None:
        record.foreign = foreign
        (self.foreign.add if foreign else self.foreign.discard)(record.n)


def unpack(failure: list[Any] | None) -> Failure | None:
    """Read a failure as the journal has it."""
    return None if failure is None else Failure(*failure)
