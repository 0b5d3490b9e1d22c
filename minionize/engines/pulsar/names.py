"""What the queue of a topic and a subscription is made of."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from minionize.errors import UsageError

_EXAMPLES = "  For example:  PULSAR_TOPIC=minions   or   PULSAR_TOPIC=persistent://tenant/namespace/name"
_DEFAULT = ("public", "default")
_PART = r"[\w=:.-]+"


class Topic(NamedTuple):
    """A topic's full name, in its parts."""

    tenant: str
    namespace: str
    local: str

    @property
    def full(self) -> str:
        """As the client takes it."""
        return f"persistent://{self.tenant}/{self.namespace}/{self.local}"

    @property
    def shown(self) -> str:
        """As people type it: by its bare name in the default namespace."""
        return self.local if (self.tenant, self.namespace) == _DEFAULT and "/" not in self.local else self.full

    @property
    def path(self) -> str:
        """As the admin API takes it."""
        return f"persistent/{self.tenant}/{self.namespace}/{quote(self.local, safe='')}"

    @property
    def pattern(self) -> re.Pattern[str]:
        """What matches its name and no other."""
        prefix = f"persistent://{re.escape(self.tenant)}/{re.escape(self.namespace)}"
        return re.compile(f"{prefix}/{re.escape(self.local)}")


class Names(NamedTuple):
    """The topics of a queue, and the subscription that there is on each.

    ``retry`` holds the copies of tasks that are offered again, ``dead`` the dead letters; both names are those that
    Pulsar's own clients give to such topics. Other subscriptions to ``tasks`` see nothing of them.
    """

    tasks: Topic
    retry: Topic
    dead: Topic
    subscription: str

    @property
    def all(self) -> tuple[Topic, Topic, Topic]:
        """The three topics."""
        return self.tasks, self.retry, self.dead


def read(topic: str, subscription: str) -> Names:
    """Read PULSAR_TOPIC and PULSAR_SUBSCRIPTION; raises UsageError."""
    tasks = _read_topic(topic)
    retry, dead = (tasks._replace(local=f"{tasks.local}-{subscription}-{kind}") for kind in ("RETRY", "DLQ"))
    return Names(tasks, retry, dead, subscription)


def _read_topic(text: str) -> Topic:
    scheme, separator, rest = text.rpartition("://")
    if scheme == "non-persistent":
        raise UsageError(
            f"PULSAR_TOPIC={text} keeps nothing: what is published while no minion listens is lost.\n{_EXAMPLES}"
        )
    parts = rest.split("/", 2)
    if not separator and len(parts) == 1:
        parts = [*_DEFAULT, *parts]
    well_formed = len(parts) == 3 and parts[2] and all(re.fullmatch(_PART, part) for part in parts[:2])
    if not well_formed or (separator and scheme != "persistent"):
        raise UsageError(f"PULSAR_TOPIC={text} is no name of a topic.\n{_EXAMPLES}")
    return Topic(*parts)
