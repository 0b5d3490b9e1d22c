"""What the admin API knows of a queue: counts, and whether anything is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from minionize.model import Counts

if TYPE_CHECKING:
    from minionize.engines.pulsar.admin import Admin
    from minionize.engines.pulsar.names import Names, Topic

_PRECISE = "getPreciseBacklog=true"
_NUMBERS = ("msgBacklog", "unackedMessages", "msgDelayed")


class Backlog(NamedTuple):
    """What is not acknowledged in a subscription.

    ``held`` are with a consumer, ``delayed`` wait for their time: those that the broker has looked at, which it does while
    a consumer waits for more.
    """

    total: int = 0
    held: int = 0
    delayed: int = 0

    @property
    def pending(self) -> int:
        """Those that could be handed out; a batch counts once as a whole and by its messages when held."""
        return max(0, self.total - self.held - self.delayed)


class Books:
    """Reads the statistics of a queue's topics."""

    def __init__(self, admin: Admin, names: Names) -> None:
        """Read nothing yet."""
        self.admin, self._names = admin, names
        self._subscription = quote(names.subscription, safe="")
        self._kinds: dict[Topic, str] = {}

    def backlog(self, topic: Topic) -> Backlog | None:
        """Read how much our subscription to a topic has before it; None where there is no such topic or subscription."""
        subscriptions = (self._stats(topic) or {}).get("subscriptions", {})
        found = subscriptions.get(self._names.subscription)
        if found is None:
            return None
        total, held, delayed = (max(0, int(found.get(name, 0))) for name in _NUMBERS)
        return Backlog(total, held, delayed)

    def make(self, topic: Topic) -> None:
        """Make a topic without partitions, and our subscription to it from its beginning on."""
        self.admin.put(topic.path)
        self.admin.put(f"{topic.path}/subscription/{self._subscription}", {"ledgerId": -1, "entryId": -1})

    def left(self) -> int | None:
        """Count what is not acknowledged, dead letters apart; None where a topic is not there any more."""
        # In this order: a task that is offered again is in the second before it leaves the first.
        tasks, retry = self.backlog(self._names.tasks), self.backlog(self._names.retry)
        return None if tasks is None or retry is None else tasks.total + retry.total

    def counts(self) -> Counts:
        """Read all; nobody counts what is done, nor what is in a topic that is not there any more."""
        tasks, retry, dead = map(self.backlog, self._names.all)
        if tasks is None or retry is None:
            return Counts(dead=dead and dead.total)
        return Counts(
            pending=tasks.pending + retry.pending,
            delayed=tasks.delayed + retry.delayed,
            leased=min(tasks.total, tasks.held) + min(retry.total, retry.held),
            done=None,
            dead=dead and dead.total,
        )

    def clear(self) -> int:
        """Drop everything; says how much that was."""
        found = [(topic, self.backlog(topic)) for topic in self._names.all]
        there = [(topic, backlog.total) for topic, backlog in found if backlog is not None]
        for topic, _ in there:
            self.admin.post(f"{topic.path}/subscription/{self._subscription}/skip_all")
        return sum(total for _, total in there)

    def _stats(self, topic: Topic) -> dict[str, Any] | None:
        """Read the statistics of a topic, which are elsewhere where it has partitions."""
        usual = self._kinds.get(topic, "stats")
        for kind in (usual, "partitioned-stats" if usual == "stats" else "stats"):
            found = self.admin.get(f"{topic.path}/{kind}?{_PRECISE}")
            if isinstance(found, dict):
                self._kinds[topic] = kind
                return found
        return None
