"""``client.py google|pulsar|redis``: import the client, connect, ask one question, and print the resident memory (MB)."""

from __future__ import annotations

import os
import sys


def google() -> object:
    import grpc
    from google.pubsub_v1 import SubscriberClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

    channel = grpc.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"])
    client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    name = f"projects/{os.environ['GOOGLE_PROJECT_ID']}/subscriptions/{os.environ['GOOGLE_SUBSCRIPTION']}"
    client.get_subscription(request={"subscription": name})
    return client


def pulsar() -> object:
    import pulsar

    client = pulsar.Client(
        os.environ["PULSAR_CONNECTION"], logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull)
    )
    client.subscribe(os.environ["PULSAR_TOPIC"], "minions", pulsar.ConsumerType.Shared, receiver_queue_size=1).close()
    return client


def redis() -> object:
    import redis

    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.ping()
    return client


client = {"google": google, "pulsar": pulsar, "redis": redis}[sys.argv[1]]()
with open("/proc/self/status", encoding="ascii") as status:
    print(next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024 / 1e6)
if sys.argv[1] == "pulsar":
    client.close()  # type: ignore[attr-defined] # else it waits for its threads for ever
