"""Claim, settle, renew: what a minion does, one script a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from minionize.engines.decoding import decoder
from minionize.engines.redis.admin import LIMIT, RedisAdmin
from minionize.engines.redis.connect import read_url
from minionize.engines.redis.messages import tasks_of
from minionize.engines.redis.settlements import words_of
from minionize.engines.redis.waiting import SLICE
from minionize.engines.staging import text_of
from minionize.errors import EngineError, EngineUnavailable
from minionize.model import Delivery, Gone, Traits
from minionize.policy import uniform
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from minionize.model import Identity, Settlement, Task
    from minionize.settings import Settings

#: Where many minions wait for one delayed task, each waits this much longer per minion, so that they do not all come.
_SPREAD = 0.05


class _Answer:
    """What an exchange told, beside the delivery: how and how long to wait for more."""

    __slots__ = ("delivery", "others", "stopped", "waiters")

    def __init__(self, delivery: Delivery, stopped: bool, waiters: int, others: Sequence[bytes]) -> None:
        self.delivery, self.stopped, self.waiters, self.others = delivery, stopped, waiters, others


class RedisEngine(RedisAdmin):
    """A minion's view of a queue that is a Redis stream and its books."""

    traits = Traits(
        durable=True,
        lease="timed",
        delay=True,
        fencing=True,
        counts="exact",
        deliveries="durable",
        dedup=True,
        finite=True,
        order=True,
        admin=frozenset({"list", "get", "retry", "release", "remove", "control"}),
        param_limit=LIMIT,
    )

    def __init__(
        self,
        url: str,
        me: Identity,
        *,
        stream: str = "minions",
        group: str = "minions",
        decoder_name: str = "json",
        lease: float = 60.0,
        max_crashes: int = 5,
        create: bool = False,
        shift: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Open the queue; raises NoQueue where there is none and ``create`` is not given.

        ``lease`` is in seconds; ``shift`` tells the seconds that are added to the server's time (for tests).
        """
        address, decode = read_url(url), decoder(decoder_name, "REDIS_DECODER")
        super().__init__(
            address,
            me,
            stream=stream,
            group=group,
            decode=decode,
            lease=lease,
            max_crashes=max_crashes,
            create=create,
            shift=shift,
        )
        self._registered = False
        self._renewed = time.monotonic()
        self._closed = False

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue that REDIS_URL and REDIS_STREAM name."""
        return cls(
            settings[table.REDIS_URL],
            me,
            stream=settings[table.REDIS_STREAM],
            group=settings[table.REDIS_GROUP],
            decoder_name=settings[table.REDIS_DECODER],
            lease=settings[table.LEASE],
            max_crashes=settings[table.MAX_CRASHES],
            create=create,
        )

    # ------------------------------------------------------------------ what a minion does

    def exchange(self, settled: Sequence[Settlement] = (), *, limit: int = 0, wait: float = 0.0) -> Delivery:
        """Settle and claim in one round trip; see :meth:`minionize.engines.base.Engine.exchange`."""
        self._check_open()
        until = time.monotonic() + wait
        gone: tuple[Gone, ...] = ()
        read: list[str] = []
        while True:
            answer = self._trip(settled, limit, read, until)
            delivery = answer.delivery
            gone, settled = gone + delivery.gone, ()
            left = until - time.monotonic()
            if delivery.tasks or not limit or delivery.state != "open" or left <= 0 or self._waiter.rung():
                return delivery._replace(gone=gone)
            read = self._wait(answer, limit, left)

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        """Prolong our lease; see :meth:`minionize.engines.base.Engine.renew`."""
        self._check_open()
        gone = self._renew(held)
        lost = {one.task.handle for one in gone}
        self._held = {task.handle.entry: task for task in held if task.handle not in lost}
        self._unsure = False
        return gone

    def wake(self) -> None:
        """Cut short the wait of an exchange, now or the next one."""
        self._waiter.wake()

    def close(self) -> None:
        """Give back what is held and let go of the server."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._registered:
                (woken,) = self._call("leave")
                self._wake(woken)
        except EngineError:
            pass  # then the end of our lease, or of this process, gives it back
        self._let_go()

    # ------------------------------------------------------------------ an exchange

    def _trip(self, settled: Sequence[Settlement], limit: int, read: Sequence[str], until: float) -> _Answer:
        # Who holds nothing is not asked to renew: but what came by an answer that nobody read, and what is held by
        # somebody without a lease, is found by renewing.
        idle = limit and not self._held and time.monotonic() - self._renewed > self._lease / 3
        if self._unsure or idle:
            self._renew(list(self._held.values()))
            self._unsure = False
        listen = self._waiter.number() if limit and until > time.monotonic() else ""
        answer = self._exchange(settled, limit, read, listen, ())
        if answer.others and not answer.delivery.tasks:
            gone = self._gone_from(answer.others)
            if gone:
                first = answer.delivery.gone
                answer = self._exchange((), limit, (), listen, gone)
                answer.delivery = answer.delivery._replace(gone=first)
        return answer

    def _exchange(
        self, settled: Sequence[Settlement], limit: int, read: Sequence[str], listen: str, lost: Sequence[str]
    ) -> _Answer:
        words: list[Any] = [limit, int(self._lease * 1000), self._max_crashes, self._identity, self._view, listen]
        words.append(int(limit > 0 and self._wants_to_look()))
        words += words_of(settled, self._moved)
        words += (len(read), *read, *lost)
        self._registered |= limit > 0
        state, due, refused, found, stopped, woken, waiters, others = self._call("exchange", *words)
        gone = tuple(_gone([settlement.task for settlement in settled], refused)) if refused else ()
        tasks = tasks_of(found, self._decode)
        held, moved = self._held, self._moved
        for settlement in settled:
            held.pop(settlement.task.handle.entry, None)
            if moved:
                moved.pop(settlement.task.handle.entry, None)
        for task in tasks:
            held[task.handle.entry] = task
        self._wake(woken)
        if state == b"lost":
            raise self._lost()
        delivery = Delivery(tasks, gone, None if due < 0 else due / 1000, text_of(state))  # type: ignore[arg-type]
        return _Answer(delivery, bool(stopped), waiters, others)

    def _renew(self, held: Sequence[Task]) -> list[Gone]:
        words: list[Any] = [int(self._lease * 1000), self._max_crashes, self._identity, self._view]
        for task in held:
            words += (self._entry(task), task.delivery)
        self._registered = True
        refused, woken = self._call("renew", *words)
        self._renewed = time.monotonic()
        self._wake(woken)
        return list(_gone(held, refused))

    # ------------------------------------------------------------------ waiting

    def _wait(self, answer: _Answer, limit: int, left: float) -> list[str]:
        """Wait until something may have changed; returns the entries that came meanwhile."""
        seconds = min(left, SLICE, self._lease / 2)
        due = answer.delivery.next_due
        if due is not None:
            crowd = _SPREAD * max(0, answer.waiters - 1)
            seconds = min(seconds, due + crowd * (1 + uniform()) / 2)
        if answer.stopped:  # what we hold must stay alone
            self._waiter.sleep(seconds)
            return []
        try:
            return self._waiter.read(limit, seconds, self._wire)
        except EngineUnavailable:
            self._unsure = True
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("this engine was closed: open another one")


def _gone(tasks: Sequence[Task], refused: Sequence[Any]) -> list[Gone]:
    """Read which places were refused, and why."""
    return [
        Gone(tasks[place], "cancelled" if why == b"cancelled" else "lost")
        for place, why in zip(refused[::2], refused[1::2], strict=True)
    ]
