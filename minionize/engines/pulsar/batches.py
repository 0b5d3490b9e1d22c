"""Messages that a producer sent together, as many do to save round trips.

To the broker a batch is one entry. A consumer that has nothing sent ahead gets the first message of it only, and its
account with the broker is wrong from then on. So a batch is taken apart: its messages are read, each is published by itself
beside those that are offered again, and only then is the entry acknowledged. A minion that dies in between leaves both.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pulsar

from minionize.engines.broker.channel import Outgoing
from minionize.engines.broker.envelope import ID
from minionize.engines.pulsar import protobuf
from minionize.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.engines.pulsar.connect import Link
    from minionize.engines.pulsar.sources import Hold

#: Milliseconds within which a message that the broker has is read.
_READ = 10_000
#: The field of a serialized message id that holds the number of messages in its batch.
_BATCH_SIZE = 6


class Unpacker:
    """Takes batches apart."""

    def __init__(self, link: Link, publish: Callable[[Sequence[Outgoing]], None]) -> None:
        """Publish by ``publish``, which returns when the brokers have what it is given."""
        self._link, self._publish = link, publish

    def unpack(self, topic: str, hold: Hold, first: Any) -> None:
        """Put the messages of a batch beside each other, and acknowledge it as a whole."""
        id = first.message_id()
        self._publish([self._copy(topic, message) for message in self._read(topic, id)])
        hold.ack(pulsar.MessageId(id.partition(), id.ledger_id(), id.entry_id(), -1))

    def _read(self, topic: str, id: Any) -> list[Any]:
        """Read a batch, whose first message we were given: all of it, or an error."""
        count = size_of(id)
        found: list[Any] = []
        entry = pulsar.MessageId(id.partition(), id.ledger_id(), id.entry_id(), -1)
        reader = self._link.client.create_reader(
            topic, entry, receiver_queue_size=count, start_message_id_inclusive=True
        )
        try:
            while len(found) < count:
                message = reader.read_next(_READ)
                place = message.message_id().ledger_id(), message.message_id().entry_id()
                if place == (id.ledger_id(), id.entry_id()):
                    found.append(message)
                elif place > (id.ledger_id(), id.entry_id()):
                    raise EngineError(f"a batch in {topic} has {count} messages, but only {len(found)} can be read")
        finally:
            reader.close()
        return found

    def _copy(self, topic: str, message: Any) -> Outgoing:
        """Make a message of its own; named by its place, so that a second copy of it is the same task."""
        id = message.message_id()
        name = sha256(f"{topic}:{id.ledger_id()}:{id.entry_id()}:{id.batch_index()}".encode()).hexdigest()[:16]
        return Outgoing(message.data(), {ID: name, **properties_of(message)}, "retry")


def size_of(id: Any) -> int:
    """Tell how many messages were sent together with one; the client itself says it only in the id's serialized form."""
    if id.batch_index() < 0:
        return 1
    size = protobuf.read(id.serialize()).get(_BATCH_SIZE, 1)
    return size if isinstance(size, int) else 1


def properties_of(message: Any) -> dict[str, str]:
    """Read a message's properties; none where somebody wrote what is no text."""
    try:
        return dict(message.properties())
    except UnicodeDecodeError:
        return {}
