"""The makers of the pulsar engine: a topic of its own on a real broker, with the admin API and without."""

from __future__ import annotations

from servers import pulsar_server

from minionize.testing import Maker, identity


class PulsarMaker(Maker):
    """Minions of one process that share a subscription, each by connections of its own; with counts."""

    #: The clock of a server cannot be moved on: delays are short, and the contract sleeps.
    lease = 2.0
    pause = 0.1
    patience = 20.0
    #: Acks are on their way for 0.1 s.
    settling = 0.3
    counting = True

    def __init__(self):
        pulsar_server.require()
        from minionize.engines.pulsar import PulsarEngine

        self.engine = PulsarEngine
        known = {"counts": "approximate", "finite": True} if self.counting else {}
        self.traits = PulsarEngine.traits._replace(**known)
        self.server = pulsar_server.shared()
        self.topic = pulsar_server.topic_name()
        self.opened = []

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Open the topic, making it if it is not there."""
        from minionize.engines.pulsar.connect import Access

        engine = self.engine(
            Access(self.server.url),
            identity(uid, preemptible=preemptible),
            topic=self.topic,
            decoder_name="json",
            admin=self.server.admin if self.counting else None,
            create=True,
        )
        self.opened.append(engine)
        return engine

    def kill(self, engine):
        """Cut its connections."""
        engine._broker._link.cut()

    def restart(self):
        """Unload the topics: what these minions see of a restart of their broker, and others on it do not."""
        for name in self.server.topics(self.topic):
            self.server.ask(f"persistent/public/default/{name}/unload", "PUT")
        return True

    def spoil(self):
        """Publish what is no JSON, as any other program may."""
        with self.server.client() as client:
            client.create_producer(self.topic).send(b"no JSON")
        return True

    def cleanup(self):
        """Close all and delete the topics."""
        for engine in self.opened:
            engine.close()
        if self.opened:
            self.server.delete(self.topic)


class PulsarBlindMaker(PulsarMaker):
    """The same without the admin API: nothing can be counted."""

    counting = False
