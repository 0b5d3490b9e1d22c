"""The engine: a queue that is a topic of Apache Pulsar."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from minionize.engines.broker.engine import TRAITS, BrokerEngine
from minionize.engines.decoding import decoder
from minionize.engines.pulsar import look, names
from minionize.engines.pulsar.admin import Admin
from minionize.engines.pulsar.books import Books
from minionize.engines.pulsar.broker import PulsarBroker
from minionize.engines.pulsar.connect import Access, Link
from minionize.engines.pulsar.greet import USUAL_SIZE
from minionize.settings import table

if TYPE_CHECKING:
    from typing import Self

    from minionize.model import Identity
    from minionize.settings import Settings

#: Bytes of a message that are ours: what goes with a param that is offered again, or dead.
_OURS = 16_384


class PulsarEngine(BrokerEngine):
    """A minion's view of a Pulsar topic and a subscription to it."""

    name = "pulsar"
    #: Without the admin API nothing can be counted; with it an engine knows more, and its own traits say so.
    traits = TRAITS._replace(lease="connection", param_limit=USUAL_SIZE - _OURS)

    def __init__(
        self,
        access: Access,
        me: Identity,
        *,
        topic: str = "minions",
        subscription: str = "minions",
        decoder_name: str = "identity",
        admin: str | None = None,
        create: bool = False,
    ) -> None:
        """Open the queue; raises NoQueue where there is none and ``create`` is not given.

        ``admin`` is the address of the admin API, where there is one.
        """
        read, decode = names.read(topic, subscription), decoder(decoder_name, "PULSAR_DECODER")
        books = Books(Admin(admin, access), read) if admin else None
        link = Link(access)
        try:
            made = _made(link, read, books, create=create)
        except BaseException:
            link.close()
            raise
        traits = self.traits._replace(param_limit=max(1, link.largest - _OURS))
        super().__init__(
            PulsarBroker(link, read, books),
            me,
            traits=traits._replace(counts="approximate", finite=True) if admin else traits,
            subscription=subscription,
            decode=decode,
            queue=str(uuid5(NAMESPACE_URL, f"{access.url} {read.tasks.full} {subscription}")),
            where=f"{access.shown} {read.tasks.shown} {subscription}",
            made=made,
        )

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue that PULSAR_TOPIC and PULSAR_SUBSCRIPTION name."""
        access = Access(
            settings[table.PULSAR_CONNECTION],
            settings[table.PULSAR_TOKEN],
            settings[table.PULSAR_TLS_CA],
            settings[table.PULSAR_TLS_CERT],
            settings[table.PULSAR_TLS_KEY],
        )
        return cls(
            access,
            me,
            topic=settings[table.PULSAR_TOPIC],
            subscription=settings[table.PULSAR_SUBSCRIPTION],
            decoder_name=settings[table.PULSAR_DECODER],
            admin=settings[table.PULSAR_ADMIN],
            create=create,
        )


def _made(link: Link, read: names.Names, books: Books | None, *, create: bool) -> tuple[str, ...]:
    """See that the queue is there; returns what was made."""
    lacking = look.missing(link, read, books)
    if lacking and not create:
        raise look.refuse(link, read, lacking)
    return (look.make(link, read, books, lacking),) if lacking else ()
