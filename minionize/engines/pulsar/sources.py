"""Threads that receive from topics, one message at a time, and only while somebody wants one.

A consumer usually has hundreds of messages sent ahead. Ours have none, so that no param waits behind a long task of this
minion while another one idles. What is asked for can come when it is not wanted any more: the inbox gives it back then.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pulsar

from minionize.engines.broker.channel import Received
from minionize.engines.pulsar.batches import properties_of, size_of
from minionize.engines.pulsar.connect import exception_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.engines.broker.inbox import Inbox
    from minionize.engines.pulsar.connect import Link

#: Seconds until a source that was asked is believed to have nothing, so that the next one is asked too.
ANSWER = 0.02
#: Milliseconds until what was given back is offered to others.
_GIVE_BACK = 100
#: Seconds between two looks whether somebody wants something, where nothing wakes us.
_LOOK = 1.0


class Turns:
    """Whose turn it is to ask: no more sources at once than messages are wanted, one after the other."""

    def __init__(self, inbox: Inbox) -> None:
        """Let nobody ask yet."""
        self._inbox = inbox
        self._condition = threading.Condition()
        self._queue: list[Source] = []
        self._asked: dict[Source, float] = {}

    def begin(self, source: Source) -> bool:
        """Wait until it is this one's turn; False where nobody wants anything before that."""
        with self._condition:
            self._queue.append(source)
            try:
                while wanted := self._inbox.wanted(0):
                    now = time.monotonic()
                    waiting = [asked for asked in self._asked.values() if now - asked < ANSWER]
                    if self._queue[0] is source and len(waiting) < wanted:
                        self._asked[source] = now
                        return True
                    self._condition.wait(min(waiting, default=now) + ANSWER - now)
            finally:
                self._queue.remove(source)
                self._condition.notify_all()
        return False

    def end(self, source: Source) -> None:
        """Note that it has its answer."""
        with self._condition:
            self._asked.pop(source, None)
            self._condition.notify_all()


class Hold:
    """A consumer, and the messages that it holds for us: they are its own to acknowledge."""

    def __init__(self, consumer: Any) -> None:
        """Begin with none held."""
        self._consumer = consumer
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._mutex = threading.Lock()
        self._held = 0
        self._retired = self.is_over = False

    def receive(self) -> Any:
        """Wait for a message, however long; raises AlreadyClosed when the consumer is closed."""
        with self._mutex:  # a receive that begins while the consumer is being closed would never end
            if self.is_over:
                raise pulsar.AlreadyClosed
            # The client's own ``receive`` could not be ended from here; this is what it is made of.
            self._consumer._consumer.receive_async(lambda result, message: self._answers.put((result, message)))  # noqa: SLF001
        result, message = self._answers.get()
        if result != pulsar.Result.Ok:
            raise exception_of(result)
        with self._mutex:
            self._held += 1
        return message

    def ack(self, message: Any) -> None:
        """Take a message (or what has that id) off the subscription; it is on its way within 0.1 s."""
        self._settle(self._consumer.acknowledge, message)

    def give_back(self, message: Any) -> None:
        """Let others have it."""
        self._settle(self._consumer.negative_acknowledge, message)

    def retire(self) -> None:
        """Receive no more; the consumer is closed when nothing that it holds is left."""
        with self._mutex:
            self._retired = True
        self._close_if_done()

    def stop(self) -> None:
        """Let nobody receive any more, nor wait for what was asked for; the consumer is closed by somebody else."""
        with self._mutex:
            self.is_over = True
        self._answers.put((pulsar.Result.AlreadyClosed, None))

    def close(self) -> None:
        """Close the consumer: what is acknowledged is sent, what is not is given back."""
        self.stop()
        with suppress(pulsar.AlreadyClosed):
            self._consumer.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as the client knows."""
        return bool(self._consumer.is_connected())

    def _settle(self, act: Callable[[Any], None], message: Any) -> None:
        act(message)
        with self._mutex:
            self._held -= 1
        self._close_if_done()

    def _close_if_done(self) -> None:
        with self._mutex:
            done = self._retired and self._held <= 0
        if done:
            self.close()


class Source:
    """A topic, or a partition of one, with a consumer and the thread that receives from it."""

    #: Why it receives no more; None while it does.
    error: Exception | None

    def __init__(
        self,
        link: Link,
        topic: str,
        subscription: str,
        inbox: Inbox,
        turns: Turns,
        unpack: Callable[[str, Hold, Any], None],
        *,
        eager: bool = False,
    ) -> None:
        """Subscribe and begin to receive. ``unpack`` settles a batch of which it is given the first message.

        ``eager``: ask for a first message before anybody wants one, so that the broker looks at what there is.
        """
        self.topic, self.error = topic, None
        self._link, self._subscription = link, subscription
        self._inbox, self._turns, self._unpack, self._eager = inbox, turns, unpack, eager
        self._lost: float | None = None
        self._closed = self._spent = False
        self._hold = self._subscribe()
        self._holds = [self._hold]
        self._start()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as the client knows."""
        return self._hold.is_connected

    def lost_for(self) -> float:
        """Tell for how many seconds there was no connection."""
        if self._spent or self.is_connected:
            self._lost = None
            return 0.0
        self._lost = self._lost or time.monotonic()
        return time.monotonic() - self._lost

    def revive(self) -> None:
        """Receive again after an error."""
        self._spent |= isinstance(self.error, pulsar.AlreadyClosed)
        self.error = None
        self._start()

    def stop(self) -> None:
        """Receive no more; the consumers are closed by somebody else."""
        self._closed = True
        for hold in self._holds:
            hold.stop()

    def close(self) -> None:
        """Receive no more, and give back what is held."""
        self._closed = True
        for hold in self._holds:
            hold.close()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"receive from {self.topic}", daemon=True)
        self._thread.start()

    def _subscribe(self) -> Hold:
        consumer = self._link.subscribe(
            self.topic, self._subscription, receiver_queue_size=0, negative_ack_redelivery_delay_ms=_GIVE_BACK
        )
        return Hold(consumer)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self._closed:
                if self._eager or (self._inbox.wanted(_LOOK) and self._turns.begin(self)):
                    self._eager = False
                    self._receive()
        except Exception as error:  # noqa: BLE001 - whoever takes next must hear of it
            self.error = None if self._closed else error

    def _receive(self) -> None:
        try:
            if self._spent:
                self._hold = self._subscribe()
                self._holds = [hold for hold in self._holds if not hold.is_over] + [self._hold]
                self._spent = False
            message = self._hold.receive()
        finally:
            self._turns.end(self)
        if size_of(message.message_id()) > 1:
            self._take_apart(self._hold, message)
        else:
            self._offer(self._hold, message)

    def _offer(self, hold: Hold, message: Any) -> None:
        id = message.message_id()
        key = f"{self.topic}:{id.ledger_id()}:{id.entry_id()}"  # as the brokers name it
        received = Received(key, message.data(), properties_of(message), (hold, message))
        if self._inbox.offer([received]):
            hold.give_back(message)

    def _take_apart(self, hold: Hold, message: Any) -> None:
        self._spent = True  # its account with the broker is wrong from now on
        try:
            self._unpack(self.topic, hold, message)
        except BaseException:
            hold.give_back(message)
            raise
        finally:
            hold.retire()
