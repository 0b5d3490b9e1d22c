"""A topic of tasks with its retries and its dead letters, as the engine wants them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import pulsar

from minionize.engines.pulsar.batches import Unpacker
from minionize.engines.pulsar.channel import SETTLED, PulsarChannel
from minionize.engines.pulsar.greet import greet
from minionize.engines.pulsar.publish import Publisher
from minionize.errors import EngineError
from minionize.model import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.engines.broker.channel import Channel, Outgoing
    from minionize.engines.pulsar.books import Books
    from minionize.engines.pulsar.connect import Link
    from minionize.engines.pulsar.names import Names

T = TypeVar("T")

#: Seconds for which a minion does not ask an admin API again that did not answer.
_REST = 10.0


class PulsarBroker:
    """Everything that the engine asks of Pulsar; ``books`` only where there is an admin API."""

    def __init__(self, link: Link, names: Names, books: Books | None) -> None:
        """Take over a link; it is closed with us."""
        self._link, self._names, self._books = link, names, books
        self._publisher = Publisher(link, names)
        self._unpacker = Unpacker(link, self.publish)
        topics = (names.tasks, names.retry)
        self._channel = PulsarChannel(link, topics, names.subscription, self._unpacker.unpack, eager=names.retry)
        self.tasks: Channel = self._channel
        self._rested = 0.0  # when the admin API may be asked again

    def dead(self) -> PulsarChannel:
        """Open the dead letters."""
        return PulsarChannel(self._link, (self._names.dead,), self._names.subscription, self._unpacker.unpack)

    def publish(self, messages: Sequence[Outgoing], confirmed: Callable[[int], object] = int) -> None:
        """Publish messages, and wait until the brokers have them all."""
        self._publisher.publish(messages, confirmed)

    def is_empty(self) -> bool | None:
        """Tell whether nothing is left. Our own last acks may still be on their way: then we look again."""
        if self._books is None:
            return None
        left = self._told(self._books.left)
        if left and left <= self._channel.recent():
            time.sleep(SETTLED)
            left = self._told(self._books.left)
        return None if left is None else left == 0

    def counts(self) -> Counts:
        """Read the books."""
        return (self._books and self._told(self._books.counts)) or Counts()

    def clear(self) -> int | None:
        """Drop everything, also what minions hold."""
        if self._books is not None:
            if self._channel.recent():
                time.sleep(SETTLED)  # what we acknowledged is not to be counted
            return self._books.clear()
        for topic in self._names.all:
            for name in self._link.partitions(topic.full):
                consumer = self._link.subscribe(name, self._names.subscription, receiver_queue_size=0)
                with self._link.errors():
                    consumer.seek(pulsar.MessageId.latest)
                    consumer.close()
        return None

    def _told(self, ask: Callable[[], T]) -> T | None:
        """Ask the admin API. Where it fails in the middle of our work, and the brokers do not: None, as if there were none."""
        if time.monotonic() < self._rested:
            return None
        try:
            return ask()
        except EngineError:
            if not self._channel.is_connected:
                raise
            greet(self._link.access)
            self._rested = time.monotonic() + _REST
            return None

    def close(self) -> None:
        """Send what is acknowledged, give back what is held, and let go."""
        self._channel.stop()
        self._link.close()
        self._channel.join()
