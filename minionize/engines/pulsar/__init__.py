"""Tasks in a topic of Apache Pulsar: any number of minions share one subscription to it.

``names``     what the settings say: topics, subscription
``greet``     a handshake of our own, which tells what the client does not
``protobuf``  what that is written in
``connect``   a client, and the one place where its errors become ours
``admin``     the brokers' admin API
``books``     counts, which only that API can tell
``look``      what of a queue is there, and making the rest
``sources``   threads that receive, one message at a time
``batches``   messages that a producer sent together
``channel``   taking, acknowledging and giving back
``publish``   sending, until it is confirmed
``broker``    all of it, for the engine
"""

from __future__ import annotations

from minionize.engines.pulsar.engine import PulsarEngine

__all__ = ["PulsarEngine"]
