"""A queue on a message broker: the life of a task, in the few things that brokers do.

A broker hands messages out and takes acks; it counts no attempts of ours, and cannot change a message. So a task that is to be
offered again with one attempt more is published once more, as a copy that says so, and only then is the original
acknowledged. A minion that dies between the two leaves both: the task runs once too often, and is never lost. Dead
letters are moved in the same order. What is given back uncharged is the same message.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minionize.engines.broker import envelope
from minionize.engines.broker.channel import Outgoing
from minionize.engines.broker.dead import DeadLetters
from minionize.engines.staging import Staged
from minionize.errors import EngineError, EngineUnavailable
from minionize.model import Ack, Bury, Delivery, Gone, Nack, Put, Task, Traits
from minionize.policy import uniform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minionize.engines.broker.channel import Broker, Received
    from minionize.engines.decoding import Decoder
    from minionize.model import Counts, Identity, NewTask, Settlement

    Key = tuple[str, int]

#: Seconds that an exchange waits at the least: a broker must be asked before it can answer.
ROUND_TRIP = 0.1
#: Seconds between two looks whether all is settled, where that can be seen: the first, and the longest.
_LOOK = (0.25, 5.0)
#: The longest delay, in seconds: ten years. A callback may ask for an infinite one.
_LONGEST = 3650 * 86400.0
#: Messages, and bytes, that are published in one go.
_BATCH, _BATCH_BYTES = 1000, 1 << 22
#: Deliveries that are remembered after their end, in case their settlement is said again.
_REMEMBERED = 8192


#: What brokers have in common: they keep messages, and know neither ids nor deliveries. Each says what it can besides.
TRAITS = Traits(
    durable=True,
    lease="timed",
    delay=True,
    fencing=False,
    counts="none",
    deliveries="none",
    dedup=False,
    finite=False,
    admin=frozenset({"list", "get", "retry", "clear"}),
    listed=frozenset({"dead"}),
)


class _Held:
    """A message that we hold, the task it is, and whether its copy (or dead letter) is published already."""

    __slots__ = ("copied", "message", "task")

    def __init__(self, message: Received, task: Task) -> None:
        self.message, self.task, self.copied = message, task, False


class BrokerEngine(DeadLetters):
    """A minion's view of a topic, a subscription to it, and the dead letters beside it."""

    #: What users call the engine.
    name: str

    def __init__(
        self,
        broker: Broker,
        me: Identity,
        *,
        traits: Traits,
        subscription: str,
        decode: Decoder,
        queue: str,
        where: str,
        notes: tuple[str, ...] = (),
        made: tuple[str, ...] = (),
    ) -> None:
        """Take over an open broker; ``made`` says what was missing there, a sentence each.

        ``queue`` is made of the address: a broker keeps nothing for us to call it by.
        """
        super().__init__(broker, decode, subscription)
        self.traits, self.queue, self.where, self.notes = traits, queue, where, notes
        self._made = made
        self._limit = traits.param_limit or 0
        self._held: dict[Key, _Held] = {}
        self._keys: dict[str, Key] = {}  # by the broker's name of the message
        self._past: dict[Key, bool] = {}  # what we held: whether it was settled, or lost
        self._woken = self._closed = False

    # ------------------------------------------------------------------ put

    def put(self, new: Iterable[NewTask]) -> Put:
        """Publish tasks. A broker knows no ids, so what is put twice runs twice."""
        added = 0

        def confirm(count: int) -> None:
            nonlocal added
            added += count

        with Staged(new, self._limit, self.name) as staged:
            try:
                for batch in _batches(staged):
                    self._broker.publish(batch, confirm)
            except EngineUnavailable as error:
                advice = "Putting all of them again would run these twice."
                raise staged.broke_off(error, added, advice) from error
        return Put(added, None, self._made)

    # ------------------------------------------------------------------ what a minion does

    def exchange(self, settled: Sequence[Settlement] = (), *, limit: int = 0, wait: float = 0.0) -> Delivery:
        """Settle, then take; see :meth:`minionize.engines.base.Engine.exchange`."""
        self._check_open()
        gone = tuple(self._settle(settled))
        if not limit:
            return Delivery((), gone, None, "ended" if self._is_ended() else "open")
        until, pause = time.monotonic() + max(wait, ROUND_TRIP), _LOOK[0]
        while True:
            left = until - time.monotonic()
            tasks = self._take(limit, max(0.0, min(left, pause) if self.traits.finite else left))
            if tasks:
                return Delivery(tasks, gone)
            if self._is_ended():
                return Delivery((), gone, None, "ended")
            if self._woken or time.monotonic() >= until:
                self._woken = False
                return Delivery((), gone)
            pause = min(_LOOK[1], pause * (1.5 + uniform()))

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        """Prolong what is held, and give back what is not named; see :meth:`minionize.engines.base.Engine.renew`."""
        self._check_open()
        named = {_key(task): task for task in held}
        dropped = [one for key, one in self._held.items() if key not in named]
        if dropped:
            self._let_go(dropped)
            self._forget(dropped, settled=False)
        ours = [self._held[key] for key in named if key in self._held]
        refused = self._refused(ours, self._broker.tasks.renew([one.message for one in ours]) if ours else [])
        self._forget(refused, settled=False)
        # What was settled before an exchange failed is no loss: it is going to be said again.
        return [Gone(task, "lost") for key, task in named.items() if key not in self._held and not self._past.get(key)]

    def counts(self) -> Counts:
        """Read the books."""
        return self._broker.counts()

    def wake(self) -> None:
        """Cut short the wait of an exchange, now or the next one."""
        self._woken = True
        self._broker.tasks.wake()

    def close(self) -> None:
        """Give back what is held and let go of the broker."""
        if self._closed:
            return
        self._closed = True
        try:
            self._let_go(list(self._held.values()))
        except EngineError:
            pass  # then it comes back when the broker takes us for lost
        finally:
            self._broker.close()

    # ------------------------------------------------------------------ take

    def _take(self, limit: int, wait: float) -> tuple[Task, ...]:
        messages = self._broker.tasks.take(limit, wait)
        if any(map(envelope.is_newer, messages)):
            self._broker.tasks.give_back([message for message in messages if message.key not in self._keys])
            raise EngineError(
                f"the queue {self.where} holds params that a newer minionize put.\n  pip install --upgrade minionize"
            )
        tasks, others = [], []
        for message in messages:
            if message.key in self._keys:  # the broker took us for lost: what we run is ours again
                self._held[self._keys[message.key]].message = message
            elif envelope.is_for(message, self._subscription):
                tasks.append(self._hold(message))
            else:
                others.append(message)
        if others:
            self._drop(others)
        return tuple(tasks)

    def _drop(self, copies: Sequence[Received]) -> None:
        """Take off what minions of another subscription published for themselves."""
        try:
            self._broker.tasks.ack(copies)
        except EngineUnavailable:
            pass  # they come again; what came with them must not be lost sight of

    def _hold(self, message: Received) -> Task:
        content = envelope.read(message, self._decode)
        delivery, error = content.delivery, content.error
        while (content.id, delivery) in self._held or (content.id, delivery) in self._past:
            delivery += 1  # the broker does not say how often it handed a message out
        if len(message.data) > self._room(message):
            error = (
                f"it has {len(message.data)} bytes, and could not be offered again with more than {self._room(message)}"
            )
        task = Task(content.id, content.param, content.attempt, delivery, content.crashes, error=error)
        self._held[_key(task)] = _Held(message, task)
        self._keys[message.key] = _key(task)
        return task

    def _room(self, message: Received) -> int:
        """Count the bytes of data that a copy of a message can have."""
        return max(0, self._limit - envelope.baggage(message))

    def _is_ended(self) -> bool:
        return self.traits.finite and not self._held and bool(self._broker.is_empty())

    # ------------------------------------------------------------------ settle

    def _settle(self, settled: Sequence[Settlement]) -> Iterator[Gone]:
        """Publish copies, then acknowledge, then give back. What is said again after an error goes on where that was."""
        known = [(settlement, self._held.get(_key(settlement.task))) for settlement in settled]
        ours = [(settlement, one) for settlement, one in known if one is not None]
        fresh = [(settlement, one) for settlement, one in ours if not one.copied and self._needs_copy(settlement)]
        refused = self._publish(fresh) if fresh else []
        done = [one for settlement, one in ours if (one.copied or isinstance(settlement, Ack)) and one not in refused]
        if done:
            refused += self._refused(done, self._broker.tasks.ack([one.message for one in done]))
            self._forget([one for one in done if one not in refused], settled=True)
        self._forget(refused, settled=False)
        self._give_back((settlement, one) for settlement, one in ours if _key(one.task) in self._held)
        for settlement, one in known:
            if one in refused or (one is None and not self._past.get(_key(settlement.task))):
                yield Gone(settlement.task, "lost")

    def _needs_copy(self, settlement: Settlement) -> bool:
        if isinstance(settlement, Nack):
            return settlement.charge or settlement.delay > self._broker.tasks.longest_delay
        return isinstance(settlement, Bury)

    def _publish(self, fresh: Sequence[tuple[Settlement, _Held]]) -> list[_Held]:
        """Publish what is to take the place of held messages; returns those that we hold no more, which get none."""
        refused: list[_Held] = []
        if self.traits.fencing:
            held = [one for _, one in fresh]
            refused = self._refused(held, self._broker.tasks.renew([one.message for one in held]))
        kept = [(one, self._successor(settlement, one)) for settlement, one in fresh if one not in refused]
        for address in ("dead", "retry"):  # if one of the two fails, the other is not published again
            group = [(one, successor) for one, successor in kept if successor.to == address]
            if group:
                self._broker.publish([successor for _, successor in group])
            for one, _ in group:
                one.copied = True
        return refused

    def _successor(self, settlement: Settlement, one: _Held) -> Outgoing:
        message, task = one.message, one.task
        if isinstance(settlement, Bury):
            attributes = envelope.dead(message, task, settlement.failure)
            return Outgoing(message.data[: self._room(message)], attributes, "dead")
        attempt = task.attempt + int(isinstance(settlement, Nack) and settlement.charge)
        attributes = envelope.again(message, task, attempt=attempt, subscription=self._subscription)
        delay = min(settlement.delay, _LONGEST) if isinstance(settlement, Nack) else 0.0
        return Outgoing(message.data, attributes, "retry", delay)

    def _give_back(self, rest: Iterable[tuple[Settlement, _Held]]) -> None:
        by_delay: dict[float, list[_Held]] = {}
        for settlement, one in rest:
            by_delay.setdefault(settlement.delay if isinstance(settlement, Nack) else 0.0, []).append(one)
        for delay, held in by_delay.items():
            self._broker.tasks.give_back([one.message for one in held], delay)
            self._forget(held, settled=True)

    # ------------------------------------------------------------------ what is held

    def _let_go(self, held: Sequence[_Held]) -> None:
        """Give messages back, but take off those whose successor is published already."""
        copied = [one.message for one in held if one.copied]
        rest = [one.message for one in held if not one.copied]
        if rest:
            self._broker.tasks.give_back(rest)
        if copied:
            self._broker.tasks.ack(copied)

    def _refused(self, held: Sequence[_Held], messages: Sequence[Received]) -> list[_Held]:
        keys = {message.key for message in messages}
        return [one for one in held if one.message.key in keys]

    def _forget(self, held: Iterable[_Held], *, settled: bool) -> None:
        for one in list(held):
            key = _key(one.task)
            self._held.pop(key, None)
            self._keys.pop(one.message.key, None)
            self._past[key] = settled
        while len(self._past) > _REMEMBERED:
            del self._past[next(iter(self._past))]

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("this engine was closed: open another one")


def _key(task: Task) -> Key:
    return task.id, task.delivery


def _batches(staged: Iterable[NewTask]) -> Iterator[list[Outgoing]]:
    """Cut a put into what is published in one go."""
    batch: list[Outgoing] = []
    size = 0
    for task in staged:
        data, attributes = envelope.fresh(task)
        batch.append(Outgoing(data, attributes, "tasks", max(0.0, task.due - time.time()) if task.due else 0.0))
        size += len(data)
        if len(batch) == _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
