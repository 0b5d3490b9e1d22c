"""Sending messages, until the brokers have confirmed them."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pulsar

from minionize.engines.pulsar.connect import OPERATION, exception_of, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.engines.broker.channel import Address, Outgoing
    from minionize.engines.pulsar.connect import Link
    from minionize.engines.pulsar.names import Names

#: Messages that are on their way at once.
_WINDOW = 1000


class _Receipts:
    """Counts what the brokers said about a handful of messages."""

    def __init__(self, expected: int) -> None:
        self._condition = threading.Condition()
        self._left, self._confirmed = expected, 0
        self.refused: Any = None

    def take(self, result: Any, _: Any) -> None:
        """Note an answer. The client's own thread calls this."""
        with self._condition:
            self._left -= 1
            if result == pulsar.Result.Ok:
                self._confirmed += 1
            else:
                self.refused = result
            self._condition.notify_all()

    def drop(self) -> None:
        """Note that one was not even sent."""
        with self._condition:
            self._left -= 1

    def news(self) -> tuple[int, bool]:
        """Wait for answers; returns how many more were confirmed, and whether all is known."""
        with self._condition:
            known = self._condition.wait_for(lambda: self._confirmed or not self._left, OPERATION * 2)
            count, self._confirmed = self._confirmed, 0
            return count, not self._left or not known


class Publisher:
    """A producer for each topic that something is sent to."""

    def __init__(self, link: Link, names: Names) -> None:
        """Connect to none yet."""
        self._link = link
        self._topics = {"tasks": names.tasks, "retry": names.retry, "dead": names.dead}
        self._producers: dict[Address, Any] = {}
        self._mutex = threading.Lock()  # batches are taken apart by other threads

    def publish(self, messages: Sequence[Outgoing], confirmed: Callable[[int], object]) -> None:
        """Send messages; raises EngineUnavailable where one is not confirmed, BadParam where it is too large."""
        receipts = _Receipts(len(messages))
        raised: pulsar.PulsarException | None = None
        for message in messages:
            if raised is not None:
                receipts.drop()
                continue
            try:
                self._send(message, receipts.take)
            except pulsar.PulsarException as error:
                raised = error
                receipts.drop()
        finished = False
        while not finished:
            count, finished = receipts.news()
            if count:
                confirmed(count)
        if raised is not None:
            raise translated(raised, self._link.access) from raised
        if receipts.refused is not None:
            refusal = exception_of(receipts.refused)
            raise translated(refusal, self._link.access) from refusal

    def _send(self, message: Outgoing, receipt: Callable[[Any, Any], None]) -> None:
        delay = timedelta(seconds=message.delay) if message.delay > 0 else None
        self._producer(message.to).send_async(
            message.data, receipt, properties=dict(message.attributes), deliver_after=delay
        )

    def _producer(self, to: Address) -> Any:
        with self._mutex:
            if to not in self._producers:
                self._producers[to] = self._link.client.create_producer(
                    self._topics[to].full,
                    send_timeout_millis=int(OPERATION * 1000),
                    max_pending_messages=_WINDOW,
                    block_if_queue_full=True,
                    batching_enabled=False,
                )
            return self._producers[to]
