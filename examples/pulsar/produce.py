"""Produce texts to the topic of the tasks, as any program does that knows nothing of minions: python produce.py TEXT..."""

import os
import sys

import pulsar

client = pulsar.Client(os.environ["PULSAR_CONNECTION"], logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
producer = client.create_producer(os.environ.get("PULSAR_TOPIC", "minions"))
for text in sys.argv[1:]:
    producer.send(text.encode())
client.close()
