"""Publish, clear; the parts put together."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions as api
from google.pubsub_v1 import types

from minionize.engines.google.channel import PULL, TaskChannel
from minionize.engines.google.dead import DeadChannel
from minionize.engines.google.delays import with_delay
from minionize.engines.google.errors import ours, publish_refused
from minionize.model import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from minionize.engines.broker.channel import Channel, Outgoing
    from minionize.engines.google.connect import Wire
    from minionize.engines.google.objects import Found

#: The most messages of one request, and bytes: it may have 10 MB, attributes and all.
_MESSAGES, _BYTES = 1000, 9_000_000
#: What a message needs besides its data, in bytes: an attribute's name and text are counted, the rest is not much.
_FRAME = 64
#: What the names of the service's own attributes begin with; a message that brings one is refused.
_RESERVED = "goog"
#: Seconds by which our clock may be wrong when a queue is cleared.
_CLOCK = 1.0


class GoogleBroker:
    """Pub/Sub as :class:`minionize.engines.broker.channel.Broker`."""

    def __init__(
        self,
        wire: Wire,
        found: Found,
        *,
        lease: float,
        now: Callable[[], float] = time.time,
        pull: float = PULL,
    ) -> None:
        """Take over a wire. ``lease`` and ``pull`` are in seconds, ``now`` tells the time (for tests)."""
        self._wire = wire
        self.tasks: Channel = TaskChannel(wire, found, lease=lease, publish=self.publish, now=now, pull=pull)
        self._closed = False

    def dead(self) -> DeadChannel:
        """Open the dead letters."""
        return DeadChannel(self._wire)

    def publish(self, messages: Sequence[Outgoing], confirmed: Callable[[int], object] = int) -> None:
        """Publish messages, one request after the other."""
        for topic, group in groupby(messages, key=self._topic):
            for batch in _batches(group):
                self._send(topic, batch)
                confirmed(len(batch))

    def is_empty(self) -> None:
        """Know nothing: a pull that brings nothing proves nothing."""

    def counts(self) -> Counts:
        """Know nothing: Pub/Sub tells no numbers, its monitoring tells them minutes later."""
        return Counts()

    def clear(self) -> None:
        """Drop all that was published until now.

        The service compares its own times with ours, which may be a little behind. Nothing that is published after this
        returned is dropped.
        """
        address, until = self._wire.address, time.time() + _CLOCK
        stamp = {"seconds": int(until), "nanos": int(until % 1 * 1e9)}
        for name in (address.subscription, address.dead_subscription):
            with ours(address):
                self._wire.subscriber.seek(
                    request={"subscription": name, "time": stamp}, retry=None, timeout=self._wire.timeout
                )
        time.sleep(max(0.0, until + _CLOCK - time.time()))

    def close(self) -> None:
        """Let go of the connection."""
        if not self._closed:
            self._closed = True
            self.tasks.close()
            self._wire.close()

    def _topic(self, message: Outgoing) -> str:
        return self._wire.address.dead_topic if message.to == "dead" else self._wire.address.topic

    def _send(self, topic: str, batch: Sequence[Outgoing]) -> None:
        request = types.PublishRequest.pb(types.PublishRequest(topic=topic))
        for message in batch:
            one = request.messages.add()
            one.data = message.data
            one.attributes.update(_permitted(with_delay(message.attributes, message.delay)))
        with ours(self._wire.address):
            try:
                self._wire.publisher.publish(
                    request=types.PublishRequest.wrap(request), retry=None, timeout=self._wire.long_timeout
                )
            except api.BadRequest as error:
                raise publish_refused(error, self._wire.address) from error


def _permitted(attributes: Mapping[str, str]) -> dict[str, str]:
    """Leave out what only the service itself may write, and a copy of somebody else's message would have."""
    return {name: text for name, text in attributes.items() if not name.startswith(_RESERVED)}


def _batches(messages: Any) -> Iterator[list[Outgoing]]:
    """Cut messages into what one request can carry."""
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        weight = (
            _FRAME + len(message.data) + sum(len(name) + 4 * len(text) for name, text in message.attributes.items())
        )
        if batch and (len(batch) == _MESSAGES or size + weight > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += weight
    if batch:
        yield batch
