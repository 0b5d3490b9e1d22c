"""Publish texts to the topic of the tasks, as any program does that knows nothing of minions: python publish.py TEXT..."""

import os
import sys

from google.cloud import pubsub_v1

publisher = pubsub_v1.PublisherClient()
topic = publisher.topic_path(os.environ["GOOGLE_PROJECT_ID"], os.environ.get("GOOGLE_TOPIC_ID", "minions"))
for future in [publisher.publish(topic, text.encode()) for text in sys.argv[1:]]:
    future.result()
