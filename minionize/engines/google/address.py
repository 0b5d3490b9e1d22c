"""The names of topics and subscriptions."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from minionize.errors import UsageError

#: What the dead letters' topic and subscription have behind the name of the tasks' topic.
DEAD = "-dead"
#: Where Google's own service is.
SERVICE = "pubsub.googleapis.com"


class Address(NamedTuple):
    """A topic of tasks and our subscription to it; ``emulator`` is its host:port, empty for Google's own service."""

    project: str
    topic_id: str
    subscription_id: str
    emulator: str = ""

    @property
    def topic(self) -> str:
        """The full name of the topic, which may be another project's."""
        return _full(self.project, "topics", self.topic_id)

    @property
    def subscription(self) -> str:
        """The full name of the subscription, which may be another project's."""
        return _full(self.project, "subscriptions", self.subscription_id)

    @property
    def dead_topic(self) -> str:
        """The full name of the topic of dead letters."""
        return self.topic + DEAD

    @property
    def dead_subscription(self) -> str:
        """The full name of the subscription that keeps the dead letters, in our project."""
        return _full(self.project, "subscriptions", short(self.topic) + DEAD)

    @property
    def queue(self) -> str:
        """The queue's own identity: a topic can hold none, so it is made of the address."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.emulator or SERVICE}/{self.topic}/{self.subscription}"))

    @property
    def server(self) -> str:
        """What errors call the other side."""
        return f"the Pub/Sub emulator {self.emulator}" if self.emulator else "Google Pub/Sub"

    @property
    def where(self) -> str:
        """What people are shown: the project, the topic, the subscription."""
        emulator = f" (emulator {self.emulator})" if self.emulator else ""
        return f"{self.topic.split('/')[1]}/{short(self.topic)} {short(self.subscription)}{emulator}"


def short(name: str) -> str:
    """Take the last part of a full name."""
    return name.rpartition("/")[2]


def read_emulator(text: str | None) -> str:
    """Read PUBSUB_EMULATOR_HOST; raises UsageError."""
    if not text:
        return ""
    host = text.removeprefix("http://").rstrip("/")
    name, colon, port = host.rpartition(":")
    if not name or not colon or not port.isdigit() or "/" in host or "@" in host:
        raise UsageError(
            "PUBSUB_EMULATOR_HOST is not host:port.\n"
            "  For example:  PUBSUB_EMULATOR_HOST=localhost:8085     Leave it unset for Google's own service."
        )
    return host


def _full(project: str, kind: str, name: str) -> str:
    return name if name.startswith("projects/") else f"projects/{project}/{kind}/{name}"
