"""What settings say."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from minionize.engines.broker.engine import TRAITS, BrokerEngine
from minionize.engines.decoding import decoder
from minionize.engines.google.address import Address, read_emulator, short
from minionize.engines.google.broker import GoogleBroker
from minionize.engines.google.calls import LONGEST
from minionize.engines.google.channel import PULL
from minionize.engines.google.connect import TIMEOUT, Wire
from minionize.engines.google.objects import SHORTEST, look
from minionize.errors import UsageError
from minionize.settings import table
from minionize.settings.setting import words

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from minionize.model import Identity
    from minionize.settings import Settings

#: Bytes of a message, and of those what attributes may take: a dead letter's tell why it is one.
_MESSAGE, _ATTRIBUTES = 10_000_000, 16_384


class GoogleEngine(BrokerEngine):
    """A minion's view of a Pub/Sub subscription. Where that delivers exactly once, ``traits.fencing`` is true."""

    name = "google"
    traits = TRAITS._replace(param_limit=_MESSAGE - _ATTRIBUTES)

    def __init__(
        self,
        address: Address,
        me: Identity,
        *,
        key_file: str | None = None,
        decoder_name: str = "identity",
        lease: float = 60.0,
        create: bool = False,
        exactly_once: bool = False,
        shortest: int = SHORTEST,
        timeout: float = TIMEOUT,
        pull: float = PULL,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Open the queue; raises NoQueue where there is none and ``create`` is not given.

        ``lease`` is in seconds. For tests: ``exactly_once`` and ``shortest`` are of a subscription that is made,
        ``timeout`` and ``pull`` are the seconds that a request and an empty pull take, ``now`` tells the time.
        """
        decode = decoder(decoder_name, table.GOOGLE_DECODER.name)
        lease = float(math.ceil(lease))
        wire = Wire(address, key_file, timeout=timeout)
        try:
            found = look(wire, create=create, lease=lease, shortest=shortest, exactly_once=exactly_once)
        except BaseException:
            wire.close()
            raise
        super().__init__(
            GoogleBroker(wire, found, lease=lease, now=now, pull=pull),
            me,
            traits=self.traits._replace(fencing=found.fencing),
            subscription=address.subscription,
            decode=decode,
            queue=address.queue,
            where=address.where,
            notes=found.notes,
            made=found.made,
        )

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue that GOOGLE_PROJECT_ID, GOOGLE_TOPIC_ID and GOOGLE_SUBSCRIPTION name."""
        project, lease = settings[table.GOOGLE_PROJECT], settings[table.LEASE]
        if not project:
            raise UsageError(
                "GOOGLE_PROJECT_ID is not set: the engine google needs to know the project on Google Cloud.\n"
                "  GOOGLE_PROJECT_ID=my-project     Which there are:  gcloud projects list"
            )
        if lease > LONGEST:
            raise UsageError(
                f"{settings.describe(table.LEASE)} is too long: with Pub/Sub it is {words(LONGEST)} at most."
                " It is renewed for as long as a task runs."
            )
        emulator = read_emulator(settings[table.GOOGLE_EMULATOR])
        topic = settings[table.GOOGLE_TOPIC]
        # A project has one of a name, whatever its topic.
        address = Address(project, topic, settings[table.GOOGLE_SUBSCRIPTION] or short(topic), emulator)
        return cls(
            address,
            me,
            key_file=settings[table.GOOGLE_CREDENTIALS],
            decoder_name=settings[table.GOOGLE_DECODER],
            lease=lease,
            create=create,
        )
