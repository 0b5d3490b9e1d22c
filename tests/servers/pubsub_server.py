"""Google's Pub/Sub emulator on a loopback port of its own: what ``pubsub_up.sh`` does, for tests.

``shared()`` is one emulator for a whole test run, whose processes share it: each test takes names of its own.
``PubsubServer()`` is one that a test may break; it is to be stopped.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import tempfile

from servers import need, ports, sharing
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pubsub_up.sh")
PROJECT = "minionize-test"
#: Seconds for the slowest verb, on a busy machine.
PATIENCE = 100.0

_numbers = itertools.count()


class PubsubServer(Started):
    """An emulator, with all that it holds until it is stopped or restarted: it keeps everything in memory."""

    starter = STARTER
    patience = PATIENCE

    def __init__(self, directory=None):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-pubsub-")
        (self.port,) = ports.chosen(self.directory, 1)
        self.variables = {"PUBSUB_PORT": str(self.port), "PUBSUB_BASE": self.directory}
        try:
            self.call("up")
        except BaseException:
            self.stop()
            raise
        self.host = f"127.0.0.1:{self.port}"

    def stop(self):
        """End it and delete what it left."""
        self.call("down")
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self, topic, subscription=None):
        """Name a queue on it to a command."""
        return {
            "MINION_ENGINE": "google",
            "PUBSUB_EMULATOR_HOST": self.host,
            "GOOGLE_PROJECT_ID": PROJECT,
            "GOOGLE_TOPIC_ID": topic,
            "GOOGLE_SUBSCRIPTION": subscription or topic,
        }

    @contextlib.contextmanager
    def clients(self):
        """Connect as anybody would: a publisher and a subscriber."""
        import grpc
        from google.pubsub_v1 import PublisherClient, SubscriberClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

        with grpc.insecure_channel(self.host, options=[("grpc.enable_http_proxy", 0)]) as channel:
            yield (
                PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
                SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
            )

    def address(self, name):
        """Name a queue on it to an engine."""
        from minionize.engines.google.address import Address

        return Address(PROJECT, name, name, self.host)

    def delete(self, address):
        """Delete the topics and subscriptions of a queue, where they are."""
        from google.api_core.exceptions import NotFound

        with self.clients() as (publisher, subscriber):
            for subscription in (address.subscription, address.dead_subscription):
                with contextlib.suppress(NotFound):
                    subscriber.delete_subscription(subscription=subscription)
            for topic in (address.topic, address.dead_topic):
                with contextlib.suppress(NotFound):
                    publisher.delete_topic(topic=topic)


@functools.cache
def _lacking():
    """Say what this machine lacks; empty where it has all."""
    try:
        import google.pubsub_v1  # noqa: F401
    except ImportError:
        return "the package google-cloud-pubsub is not installed: pip install google-cloud-pubsub"
    done = subprocess.run(
        ["bash", STARTER, "jar"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""


def require():
    """Skip the test (in CI: fail it) where there is no emulator, or no client."""
    why = _lacking()
    if why:
        need.lacking(why)


@functools.cache
def shared():
    """Start the emulator that this test run shares, or join it."""
    require()
    return sharing.join("pubsub", PubsubServer)


def name():
    """Make a name that no other test uses."""
    return f"queue-{os.getpid()}-{next(_numbers)}"
