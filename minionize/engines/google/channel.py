"""The thread that pulls, and the tasks that are held."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from minionize.engines.broker import envelope
from minionize.engines.broker.channel import Outgoing
from minionize.engines.broker.inbox import Inbox
from minionize.engines.google.calls import LONGEST, Calls
from minionize.engines.google.delays import Clock, remaining
from minionize.engines.google.keeper import Keeper
from minionize.errors import EngineUnavailable, MinionizeError
from minionize.params import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minionize.engines.broker.channel import Received
    from minionize.engines.google.calls import Handle
    from minionize.engines.google.connect import Wire
    from minionize.engines.google.objects import Found

#: Seconds that a pull waits for a message. What comes to one that was cut short is out of reach until our hold ends,
#: so it is not cut short, and not long.
PULL = 2.0
#: Seconds between two pulls that bring nothing.
_PAUSE = 0.25
#: Seconds before it is due that a message is kept instead of given back: the service counts whole ones.
_SOON = 1.0
#: Messages that are kept so, beyond those that are wanted.
_MOST_KEPT = 100
#: Deliveries after which a subscription that counts them gets the message anew: at 5, the fewest there are, it buries it.
_MOST_DELIVERIES = 3
#: Seconds after which what a pull met is old, when nobody asked meanwhile: longer than a courier waits between two attempts.
_OLD = 15.0
#: Seconds that closing waits for a thread whose pull is over.
_JOIN = 1.0


class TaskChannel:
    """The subscription to the tasks: see :class:`minionize.engines.broker.channel.Channel`."""

    longest_delay = float(LONGEST)

    def __init__(
        self,
        wire: Wire,
        found: Found,
        *,
        lease: float,
        publish: Callable[[Sequence[Outgoing]], None],
        now: Callable[[], float] = time.time,
        pull: float = PULL,
    ) -> None:
        """Look at what was found. ``lease`` and ``pull`` are in seconds; ``publish`` is for messages that begin anew."""
        self._wire, self._found, self._lease, self._wait = wire, found, lease, pull
        self._publish, self._clock = publish, Clock(now)
        self._calls = Calls(wire, wire.address.subscription)
        self._inbox = Inbox()
        self._keeper = Keeper(self._offer_kept)
        self._thread: threading.Thread | None = None
        self._quit = threading.Event()
        self._error: Exception | None = None  # what the last pull met
        self._asked = 0.0  # when somebody last took, monotonic

    # ------------------------------------------------------------------ for the one that takes

    def take(self, limit: int, wait: float) -> list[Received]:
        """Take what the thread pulls; raises what it met, until a pull is answered again."""
        if time.monotonic() - self._asked > _OLD:
            self._error = None
        if self._thread is None:
            self._client, self._cut = self._wire.another()
            self._thread = threading.Thread(target=self._receive, name="pubsub-pull", daemon=True)
            self._thread.start()
        messages = self._inbox.take(limit, wait)
        error, self._asked = self._error, time.monotonic()
        if error is not None and not messages:
            raise error.with_traceback(None)
        return messages

    def wake(self) -> None:
        """Cut short the wait of a take, now or the next one."""
        self._inbox.wake()

    def ack(self, messages: Sequence[Received]) -> list[Received]:
        """Take messages off the subscription."""
        return self._calls.ack(messages)

    def renew(self, messages: Sequence[Received]) -> list[Received]:
        """Prolong our hold, for another lease."""
        return self._calls.prolong(messages, self._lease)

    def give_back(self, messages: Sequence[Received], delay: float = 0.0) -> None:
        """Let others have messages; those that the subscription would bury or forget are published anew."""
        worn = [message for message in messages if self._is_worn(message)]
        anew = self._begin_anew(worn, delay) if worn else []
        keys = {message.key for message in anew}
        rest = [message for message in messages if message.key not in keys]
        if rest:
            self._calls.prolong(rest, min(delay, LONGEST))

    def close(self) -> None:
        """Stop pulling, and give back what nobody took."""
        self._quit.set()
        rest = self._inbox.close()
        if self._thread is not None:
            self._thread.join(self._wait + _JOIN)  # what the last pull brings is given back
            if self._thread.is_alive():
                self._cut()
                self._thread.join(_JOIN)
            self._thread = None
        rest += self._keeper.close(_JOIN)
        try:
            if rest:
                self.give_back(rest)
        except MinionizeError:
            pass  # it comes back when our hold ends

    # ------------------------------------------------------------------ the thread

    def _receive(self) -> None:
        while not self._quit.is_set():
            limit = self._inbox.wanted(1.0)
            if len(self._keeper) >= limit + _MOST_KEPT:
                self._quit.wait(_PAUSE)
                continue
            if not limit:
                continue
            began = time.monotonic()
            try:
                messages = self._calls.pull(limit, self._wait, self._client)
                self._hand_out(messages)
                self._error = None
            except Exception as error:  # noqa: BLE001 - whatever it is, the one that takes must hear of it
                self._error, messages = error, []
                self._inbox.wake()
            if not messages:
                self._quit.wait(max(0.0, _PAUSE - (time.monotonic() - began)))

    def _hand_out(self, messages: Sequence[Received]) -> None:
        """Offer what is due, keep a moment what is due soon, let go of the rest."""
        self._clock.learn(message.handle.published for message in messages)
        now, until = self._clock.now(), time.monotonic() + self._lease
        waits = {message.key: remaining(message, now) for message in messages}
        early = [message for message in messages if waits[message.key] > _SOON]
        ours = [message for message in messages if waits[message.key] <= _SOON]
        for message in ours:
            message.handle.until = until
        try:
            self._let_go(early, waits)
        finally:  # what is due is not to wait for the end of our hold because the service failed at another
            ours = self._hold(ours)
            for message in ours:
                if waits[message.key]:
                    self._keeper.keep(message, waits[message.key])
            self._offer([message for message in ours if not waits[message.key]])

    def _hold(self, messages: Sequence[Received]) -> list[Received]:
        """Hold for the lease what the subscription holds for another time; returns what is ours."""
        if not messages or self._found.ack_deadline == self._lease:
            return list(messages)
        try:
            refused = {message.key for message in self._calls.prolong(messages, self._lease)}
        except EngineUnavailable:
            if self._found.ack_deadline < self._lease:
                raise  # we could lose them before we renew; they come again soon
            return list(messages)
        return [message for message in messages if message.key not in refused]

    def _offer(self, messages: Sequence[Received]) -> None:
        rest = self._inbox.offer(messages) if messages else []
        if rest:
            self.give_back(rest)

    def _offer_kept(self, message: Received) -> None:
        try:
            self._offer([message])
        except MinionizeError:
            pass  # it comes back when our hold ends

    def _let_go(self, early: Sequence[Received], waits: Mapping[str, float]) -> None:
        """Let nobody have these until a moment before they are due, or for as long as the service can."""
        by_hold: dict[int, list[Received]] = {}
        for message in early:
            if not (self._is_worn(message) and self._begin_anew([message], waits[message.key])):
                by_hold.setdefault(min(LONGEST, math.floor(waits[message.key])), []).append(message)
        for seconds, messages in by_hold.items():
            self._calls.prolong(messages, seconds)

    # ------------------------------------------------------------------ messages that wear out

    def _is_worn(self, message: Received) -> bool:
        """Whether the subscription would soon bury a message for being handed out, or forget it for being old."""
        handle: Handle = message.handle
        counted = self._found.buries and handle.deliveries >= _MOST_DELIVERIES
        return counted or self._clock.now() - handle.published > self._found.retention / 2

    def _begin_anew(self, messages: Sequence[Received], delay: float) -> list[Received]:
        """Publish the same once more and take the old ones off; returns those for which that was done, or that are not ours."""
        refused = self.renew(messages) if self._found.fencing else []
        lost = {message.key for message in refused}
        kept = [message for message in messages if message.key not in lost]
        try:
            self._publish([self._copy(message, delay) for message in kept])
        except EngineUnavailable:
            raise
        except MinionizeError:
            return refused  # we may not publish, or it has an attribute too many: then it must bear being handed out
        self._calls.ack(kept)
        return [*refused, *kept]

    def _copy(self, message: Received, delay: float) -> Outgoing:
        """Write the copy: the same task, for our own subscription only."""
        id = envelope.read(message, jsontext.encode).id
        attributes = {**message.attributes, envelope.ID: id, envelope.FOR: self._wire.address.subscription}
        return Outgoing(message.data, attributes, "retry", delay)
