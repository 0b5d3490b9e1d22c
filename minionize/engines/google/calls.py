"""What is asked of a subscription: pull, acknowledge, prolong."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions as api
from google.pubsub_v1 import types

from minionize.engines.broker.channel import Received
from minionize.engines.google.errors import ours, words_of
from minionize.engines.google.pace import Pace
from minionize.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from google.pubsub_v1 import SubscriberClient

    from minionize.engines.google.connect import Wire

#: The longest ack deadline there is, in seconds.
LONGEST = 600
#: Acknowledgement ids of one request, which may have 512 KiB.
_IDS = 1000
_PERMANENT, _TRANSIENT = "PERMANENT_FAILURE", "TRANSIENT_FAILURE"


class Handle:
    """A message that we hold: how to name it to the service, and until when (monotonic) it is ours, as far as we know.

    ``published`` is when the service got the message (seconds since the epoch), ``deliveries`` how often it handed
    it out: 0 where it does not count, as it does for a dead-letter policy only.
    """

    __slots__ = ("ack_id", "deliveries", "published", "until")

    def __init__(self, ack_id: str, deliveries: int, published: float, until: float = 0.0) -> None:
        """Take what a pull told."""
        self.ack_id, self.deliveries, self.published, self.until = ack_id, deliveries, published, until


class Calls:
    """The requests to one subscription. Its errors are ours; what it returns are the messages that are ours no more."""

    def __init__(self, wire: Wire, subscription: str) -> None:
        """Name the subscription, in full."""
        self._wire, self._subscription = wire, subscription
        self._pace = Pace()
        self._answered = 0.0  # when the server last showed that it lives, monotonic
        self._acked: set[str] = set()  # acknowledged for sure, by requests that failed for others
        self._asked: set[str] = set()  # perhaps: nobody answered

    def pull(self, limit: int, wait: float, client: SubscriberClient | None = None) -> list[Received]:
        """Pull up to ``limit`` messages, waiting about ``wait`` seconds for a first one; may return fewer, or none."""
        client = client or self._wire.subscriber
        request = {"subscription": self._subscription, "max_messages": min(limit, self._pace.limit)}
        began = time.monotonic()
        with ours(self._wire.address):
            try:
                response = client.pull(request=request, retry=None, timeout=self._pace.timeout(wait))
            except api.GatewayTimeout:
                if time.monotonic() - self._answered > self._wire.timeout:
                    self._probe(client)
                self._pace.nothing_came(wait)
                return []
            self._answered = time.monotonic()
        messages = [_received(one) for one in types.PullResponse.pb(response).received_messages]
        if messages:
            self._pace.came(self._answered - began)
        return messages

    def ack(self, messages: Sequence[Received]) -> list[Received]:
        """Take messages off."""

        def send(ids: list[str]) -> None:
            request = {"subscription": self._subscription, "ack_ids": ids}
            self._wire.subscriber.acknowledge(request=request, retry=None, timeout=self._wire.timeout)

        refused: list[Received] = []
        for chunk in _chunks(messages):
            ids = [message.handle.ack_id for message in chunk]
            try:
                failures = self._failures(ids, send)
            except EngineUnavailable:
                self._asked.update(ids)
                raise
            passing = [id for id, why in failures.items() if why.startswith(_TRANSIENT)]
            if passing:
                self._acked.update(id for id in ids if id not in failures)
                raise self._busy(failures[passing[0]])
            refused += [
                message for message in chunk if message.handle.ack_id in failures and not self._is_acked(message)
            ]
            self._acked.difference_update(ids)
            self._asked.difference_update(ids)
        return refused

    def prolong(self, messages: Sequence[Received], seconds: float) -> list[Received]:
        """Hold messages for so long from now; 0: let others have them."""
        until = time.monotonic() + seconds

        def send(ids: list[str]) -> None:
            request = {
                "subscription": self._subscription,
                "ack_ids": ids,
                "ack_deadline_seconds": min(LONGEST, math.ceil(seconds)),
            }
            self._wire.subscriber.modify_ack_deadline(request=request, retry=None, timeout=self._wire.timeout)

        refused: list[Received] = []
        for chunk in _chunks(messages):
            failures = self._failures([message.handle.ack_id for message in chunk], send)
            for message in chunk:
                why = failures.get(message.handle.ack_id)
                if why is None:
                    message.handle.until = until
                elif why.startswith(_TRANSIENT):
                    raise self._busy(why)
                elif not self._is_acked(message):
                    refused.append(message)
        return refused

    def _failures(self, ids: list[str], send: Callable[[list[str]], None]) -> Mapping[str, str]:
        """Send ids; returns why some were refused. A subscription that delivers exactly once says so of each; others do not."""
        with ours(self._wire.address):
            try:
                send(ids)
            except api.GoogleAPICallError as error:
                found = _reasons(error)
                if found:
                    return found
                if not isinstance(error, api.BadRequest):
                    raise
                why = f"{_PERMANENT}: {words_of(error)}"
            else:
                return {}
        if len(ids) == 1:
            return {ids[0]: why}
        # One that is none at all (of a queue that was made anew) makes it refuse them all.
        return {id: found for one in ids for id, found in self._failures([one], send).items()}

    def _is_acked(self, message: Received) -> bool:
        """Whether a refusal only says that an earlier request, whose answer we did not get, took the message off."""
        handle = message.handle
        return handle.ack_id in self._acked or (handle.ack_id in self._asked and time.monotonic() < handle.until)

    def _probe(self, client: SubscriberClient) -> None:
        """See whether the server lives: a pull that found nothing and one that nobody answered may look the same."""
        request = {"subscription": self._subscription, "ack_ids": [], "ack_deadline_seconds": 0}
        try:
            client.modify_ack_deadline(request=request, retry=None, timeout=self._wire.timeout)
        except api.BadRequest:
            pass  # it names no message, says who lives
        self._answered = time.monotonic()

    def _busy(self, why: str) -> EngineUnavailable:
        return EngineUnavailable(f"{self._wire.address.server} cannot do that now: {why}")


def _reasons(error: api.GoogleAPICallError) -> dict[str, str]:
    """Read, by id, why a subscription that delivers exactly once refused some."""
    found: dict[str, str] = {}
    for detail in error.details or ():
        found.update(getattr(detail, "metadata", None) or {})
    return {id: why for id, why in found.items() if why.startswith((_PERMANENT, _TRANSIENT))}


def _chunks(messages: Sequence[Received]) -> Iterator[Sequence[Received]]:
    for at in range(0, len(messages), _IDS):
        yield messages[at : at + _IDS]


def _received(one: Any) -> Received:
    message = one.message
    published = message.publish_time.seconds + message.publish_time.nanos / 1e9
    handle = Handle(one.ack_id, one.delivery_attempt, published)
    return Received(message.message_id, message.data, dict(message.attributes), handle)
