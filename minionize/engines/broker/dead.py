"""The dead letters of a broker: list, find, put back.

A broker lets nobody look at a message without taking it. So what is looked at is taken, shown, and given back: two people
who look at the same time see different ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.engines.broker import envelope
from minionize.engines.broker.channel import Outgoing
from minionize.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from minionize.engines.broker.channel import Broker, Channel, Received
    from minionize.engines.decoding import Decoder
    from minionize.model import Entry, State

#: Dead letters that are taken at once, and seconds without one until there is believed to be no other.
_BATCH, _WAIT = 100, 2.0


class DeadLetters:
    """The half of an engine that people use."""

    def __init__(self, broker: Broker, decode: Decoder, subscription: str) -> None:
        """Look at the dead letters of a broker; ``subscription`` is who a letter that is put back is for."""
        self._broker, self._decode, self._subscription = broker, decode, subscription

    def list(self, state: State | None = None, limit: int | None = None) -> Iterator[Entry]:
        """List dead letters, those that the broker hands out first; there is nothing else to list."""
        if limit == 0:
            return
        with _Look(self._broker) as look:
            for shown, message in enumerate(look, 1):
                yield envelope.entry(message, self._decode)
                if shown == limit:
                    return

    def get(self, id: str) -> Entry | None:
        """Find a dead letter by its task's id or by the beginning of it; raises UsageError where several have it."""
        found: dict[str, Entry] = {}
        for entry in self.list():
            if entry.id == id:
                return entry
            if entry.id.startswith(id):
                found[entry.id] = entry
        if len(found) > 1:
            raise UsageError(f"{id} is the beginning of several ids: {', '.join(sorted(found)[:5])}")
        return next(iter(found.values()), None)

    def retry(self, ids: Sequence[str] | None = None) -> int:
        """Put dead letters back as if new; says how many."""
        count = 0
        with _Look(self._broker) as look:
            for message in look:
                if ids is None or envelope.entry(message, self._decode).id in ids:
                    attributes = envelope.revived(message, self._subscription, self._decode)
                    self._broker.publish([Outgoing(message.data, attributes, "retry")])
                    look.take_off(message)
                    count += 1
        return count

    def clear(self) -> int | None:
        """Drop everything, tasks and dead letters; says how many messages, None where that cannot be known."""
        return self._broker.clear()


class _Look:
    """Takes dead letters, one after the other, and gives back at the end what is still held."""

    def __init__(self, broker: Broker) -> None:
        """Open the channel when it is entered."""
        self._broker = broker
        self._held: dict[str, Received] = {}

    def __enter__(self) -> Self:
        """Begin to look."""
        self._channel: Channel = self._broker.dead()
        return self

    def __iter__(self) -> Iterator[Received]:
        """Take each letter once: when one comes again, we have seen them all, or have looked for longer than our hold lasts."""
        while messages := self._channel.take(_BATCH, _WAIT):
            new = [message for message in messages if message.key not in self._held]
            self._held.update((message.key, message) for message in messages)
            yield from new
            if not new:
                return

    def take_off(self, message: Received) -> None:
        """Take a letter off for good."""
        self._channel.ack([self._held.pop(message.key)])

    def __exit__(self, *exception: object) -> None:
        """Give back the others."""
        try:
            if self._held:
                self._channel.give_back(list(self._held.values()))
        finally:
            self._channel.close()
