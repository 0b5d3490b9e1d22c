"""One subscription to one or more topics, from which messages are taken."""

from __future__ import annotations

import time
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pulsar

from minionize.engines.broker.inbox import Inbox
from minionize.engines.pulsar.connect import FAREWELL, translated, within
from minionize.engines.pulsar.sources import Source, Turns
from minionize.errors import EngineUnavailable, MinionizeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.engines.broker.channel import Received
    from minionize.engines.pulsar.connect import Link
    from minionize.engines.pulsar.names import Topic
    from minionize.engines.pulsar.sources import Hold

#: Seconds between two messages of one take: the broker hands them out singly.
_LINGER = 0.005
#: Seconds between two looks for partitions that were added.
_RELOOK = 60.0
#: Seconds that a connection may be lost before that is an outage: a topic that moves to another broker takes less.
_BEARABLE = 1.0
#: Seconds for which we remember what we acknowledged, and how many at the most: an ack that was lost with its connection
#: is sent again. Those can only be the last ones before that; and who resets the subscription's cursor wants all again.
_REMEMBERED, _MOST = 120.0, 8192
#: Seconds after which an ack has reached the broker: the client sends those of 0.1 s together.
SETTLED = 0.2


class PulsarChannel:
    """Takes messages from several topics, each partition by itself."""

    #: What is given back can be taken by others at once: brokers know no delay for it.
    longest_delay = 0.0

    def __init__(
        self,
        link: Link,
        topics: Sequence[Topic],
        subscription: str,
        unpack: Callable[[str, Hold, Any], None],
        *,
        eager: Topic | None = None,
    ) -> None:
        """Subscribe when something is taken; ``eager`` is the topic whose messages the broker shall look at before."""
        self._link, self._topics, self._subscription = link, topics, subscription
        self._unpack, self._eager = unpack, eager
        self._inbox = Inbox(_LINGER)
        self._turns = Turns(self._inbox)
        self._sources: dict[str, Source] = {}
        self._looked: float | None = None
        self._acked: dict[str, float] = {}

    def take(self, limit: int, wait: float) -> list[Received]:
        """Take up to ``limit`` messages; waits up to ``wait`` seconds for a first one."""
        self._look()
        found = self._inbox.take(limit, wait)
        done = [message for message in found if message.key in self._acked]
        if done:
            self.ack(done)
        fresh = [message for message in found if message not in done]
        if not fresh:
            self._check()
        return fresh

    def ack(self, messages: Sequence[Received]) -> list[Received]:
        """Take messages off the subscription: nobody confirms that, and what is lost on the way comes again."""
        return [message for message in messages if not self._ack(message)]

    def give_back(self, messages: Sequence[Received], delay: float = 0.0) -> None:
        """Let others have messages."""
        for message in messages:
            hold, content = message.handle
            try:
                hold.give_back(content)
            except pulsar.AlreadyClosed:
                pass  # that gave it back
            except pulsar.PulsarException as error:
                raise translated(error, self._link.access) from error

    def renew(self, messages: Sequence[Received]) -> list[Received]:
        """Do nothing: our connection is our lease."""
        return []

    def wake(self) -> None:
        """Cut short the wait of a take, now or the next one."""
        self._inbox.wake()

    def recent(self) -> int:
        """Count the acks that may still be on their way."""
        since = time.monotonic() - SETTLED
        return sum(1 for _ in takewhile(lambda at: at > since, reversed(self._acked.values())))

    @property
    def is_connected(self) -> bool:
        """Whether a broker serves us, as far as the client knows."""
        return any(source.is_connected for source in self._sources.values())

    def stop(self) -> None:
        """Take no more; the consumers are left to who closes the client."""
        for source in self._sources.values():
            source.stop()
        self._inbox.close()

    def join(self) -> None:
        """Wait for the threads, once the client is closed."""
        until = time.monotonic() + FAREWELL
        for source in self._sources.values():
            source.join(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Take no more, and give back what was taken."""
        self.stop()
        within(FAREWELL, self._close_sources)
        self.join()

    # ------------------------------------------------------------------

    def _look(self) -> None:
        """Subscribe to what we are not subscribed to yet."""
        now = time.monotonic()
        if self._looked is not None and now - self._looked < _RELOOK:
            return
        for topic in self._topics:
            for name in self._link.partitions(topic.full):
                if name not in self._sources:
                    self._sources[name] = Source(
                        self._link,
                        name,
                        self._subscription,
                        self._inbox,
                        self._turns,
                        self._unpack,
                        eager=topic == self._eager,
                    )
        self._looked = now

    def _close_sources(self) -> None:
        for source in self._sources.values():
            source.close()

    def _check(self) -> None:
        """Raise what keeps us from receiving; the next take tries again."""
        for source in self._sources.values():
            error = source.error
            if error is not None:
                source.revive()
                raise error if isinstance(error, MinionizeError) else translated(error, self._link.access)
        if self._sources and all(source.lost_for() > _BEARABLE for source in self._sources.values()):
            raise self._lost()

    def _is_connected(self, hold: Hold) -> bool:
        """Tell whether there is a connection, or soon is one again."""
        until = time.monotonic() + _BEARABLE
        while not hold.is_connected:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def _lost(self) -> EngineUnavailable:
        return EngineUnavailable(f"the Pulsar brokers at {self._link.access.shown} cannot be reached: connection lost")

    def _ack(self, message: Received) -> bool:
        hold, content = message.handle
        if not hold.is_over and not self._is_connected(hold):
            raise self._lost()  # the client would drop it without a word
        try:
            hold.ack(content)
        except pulsar.AlreadyClosed:
            return False
        except pulsar.PulsarException as error:
            raise translated(error, self._link.access) from error
        self._remember(message.key)
        return True

    def _remember(self, key: str) -> None:
        now = time.monotonic()
        self._acked.pop(key, None)  # so that the oldest come first
        self._acked[key] = now
        while len(self._acked) > _MOST or self._acked[next(iter(self._acked))] < now - _REMEMBERED:
            del self._acked[next(iter(self._acked))]
