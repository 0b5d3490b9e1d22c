"""What minions and people have in common: counting, and what is taken back from lost minions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minionize import processes
from minionize.engines.execo.turns import LOOK, Turns
from minionize.model import Counts, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minionize.engines.execo.books import Record
    from minionize.engines.execo.journal import Change
    from minionize.model import Identity


class Store(Turns):
    """The queue, open for one minion or one person."""

    def __init__(
        self,
        path: str,
        me: Identity,
        *,
        lease: float,
        max_crashes: int,
        create: bool,
        clock: Callable[[], float] | None,
    ) -> None:
        """Open the sweep in ``path``; raises NoQueue where there is none and ``create`` is not given."""
        self._me, self._lease, self._max_crashes = me, lease, max_crashes
        self._looked = -LOOK
        self._last, self._patient_until = time.time(), 0.0
        super().__init__(path, create=create, clock=clock)

    def counts(self) -> Counts:
        """Read the books."""
        return self._turn(self._count, exact=True)

    # ------------------------------------------------------------------ lost minions

    def _lost_minions(self) -> list[int]:
        """Look, once a second, which minions' processes are gone, and end what they may have left running here."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return []
        self._looked = now
        lost = [
            number
            for number, minion in self._books.live.items()
            if minion.me.uid != self._me.uid and processes.is_gone(minion.me, self._me)
        ]
        for number in lost:
            processes.kill_all(self._books.minions[number].me.uid)
        return lost

    def _was_away(self) -> bool:
        """Tell whether we had no turn for so long, a moment ago, that others may have been kept from renewing as we were.

        A file server that hangs stops everybody; the first one to go on must not take the others for lost.
        """
        now = time.time()
        if now - self._last > self._lease * 2 / 3:
            self._patient_until = now + self._lease / 3
        self._last = now
        return now < self._patient_until

    def _reclaim(self, now: float, lost: Iterable[int], *, patient: bool = False) -> int:
        """Take back what lost minions hold: those seen to be gone and, unless ``patient``, those whose lease is over.

        Says how many tasks.
        """
        books, count = self._books, 0
        gone = set(lost) & books.live.keys()
        if not patient:
            gone.update(number for number, minion in books.live.items() if (minion.deadline or 0.0) < now)
        gone.discard(books.minion_of.get(self._me.uid, -1))
        for number in gone:
            minion = books.minions[number]
            held = list(minion.held.values())
            self._do(*(self._crash(record, minion.me, now) for record in held), ["lease", number, None])
            count += len(held)
        return count

    def _crash(self, record: Record, minion: Identity, now: float) -> Change:
        crashes, failure, at = record.crashes + (not minion.preemptible), None, time.time()
        if crashes >= self._max_crashes:
            reason = f"{crashes} minions vanished with it, the last one on {minion.host}"
            failure = list(Failure("crash", reason, minion=minion.uid, host=minion.host, at=at))
        return ["crash", record.n, at, now, crashes, failure]

    # ------------------------------------------------------------------ counting

    def _count(self) -> Counts:
        now = self._clock()
        books = self._books
        fresh, waiting, leased, done, dead = books.counts
        delayed = books.delayed(now)
        others = [books.records[n] for n in books.foreign]
        put_off = sum(1 for record in others if record.due > now)
        pending = fresh + waiting - delayed - (len(others) - put_off)
        return Counts(pending, delayed - put_off, leased + len(others), done, dead)
