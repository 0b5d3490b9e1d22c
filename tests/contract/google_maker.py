"""The makers of the google engine: a topic and a subscription of their own on a real emulator, of either kind."""

from __future__ import annotations

from servers import pubsub_server

from minionize.testing import Maker, identity


class GoogleMaker(Maker):
    """Minions of one process that share a subscription, each by connections of its own."""

    #: The clock of a server cannot be moved on: the leases are short, and the contract sleeps.
    lease = 3.0
    pause = 0.1
    patience = 20.0
    exactly_once = False

    def __init__(self):
        pubsub_server.require()
        from minionize.engines.google import GoogleEngine

        self.engine = GoogleEngine
        self.traits = GoogleEngine.traits._replace(fencing=self.exactly_once)
        self.server = pubsub_server.shared()
        self.address = self.server.address(pubsub_server.name())
        self.opened = []

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Open the subscription, making it if it is not there."""
        engine = self.engine(
            self.address,
            identity(uid, preemptible=preemptible),
            lease=self.lease,
            create=True,
            exactly_once=self.exactly_once,
            shortest=1,
            pull=0.3,
        )
        self.opened.append(engine)
        return engine

    def kill(self, engine):
        """Cut its connections: its pull is over, and nothing that it may say arrives."""
        engine._broker._wire.close()

    def spoil(self):
        """Publish what is no UTF-8, as any other program may."""
        with self.server.clients() as (publisher, _):
            publisher.publish(topic=self.address.topic, messages=[{"data": b"\xff"}])
        return True

    def cleanup(self):
        """Close all and delete the topics and subscriptions."""
        for engine in self.opened:
            engine.close()
        if self.opened:
            self.server.delete(self.address)


class GoogleOnceMaker(GoogleMaker):
    """The same with a subscription that delivers exactly once, and so refuses what is late."""

    exactly_once = True
