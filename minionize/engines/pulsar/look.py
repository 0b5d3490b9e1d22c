"""What of a queue is there; and making what is not.

A plain ``subscribe`` makes a topic on most brokers, and so does nearly everything else that a client can ask of one. With the
admin API we ask that. Without it we subscribe to a pattern that only the topic's name matches, which makes no topic; and
whether it found one is seen by asking for the same subscription exclusively: that is refused where somebody, at least
ourselves, is on it. If the topic is there, but has no subscription of ours, then it has one now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulsar

from minionize.errors import EngineError, NoQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.engines.pulsar.books import Books
    from minionize.engines.pulsar.connect import Link
    from minionize.engines.pulsar.names import Names, Topic


def missing(link: Link, names: Names, books: Books | None) -> list[Topic]:
    """List the topics that are not there, or (where that can be known) lack our subscription."""
    if books is not None:
        return [topic for topic in names.all if books.backlog(topic) is None]
    link.partitions(names.tasks.full)  # who may not ask that hears it; a pattern would tell him nothing
    return [topic for topic in names.all if not _is_seen(link, topic, names.subscription)]


def make(link: Link, names: Names, books: Books | None, topics: Sequence[Topic]) -> str:
    """Make topics, as the brokers do by themselves, with our subscription to each; returns a sentence about it."""
    for topic in topics:
        try:
            link.subscribe(topic.full, names.subscription, receiver_queue_size=1).close()
        except NoQueue as error:  # they make none by themselves
            if books is None:
                raise refuse(link, names, topics) from error
            books.make(topic)
    made = ", ".join(topic.shown for topic in topics)
    return f"made what was missing: {made} (subscription {names.subscription})"


def refuse(link: Link, names: Names, topics: Sequence[Topic]) -> NoQueue:
    """Make the error that says what is missing, and what to type."""
    given = {"PULSAR_TOPIC": names.tasks.shown, "PULSAR_SUBSCRIPTION": names.subscription}
    variables = "".join(f" {name}={text}" for name, text in given.items() if text != "minions")
    commands = "\n".join(
        f"    pulsar-admin topics create-subscription -s {names.subscription} -m earliest {topic.full}"
        for topic in topics
    )
    lacking = "\n".join(f"    {topic.full}" for topic in topics)
    return NoQueue(
        f"there is no queue at {link.access.shown}: these topics are missing, or their subscription {names.subscription} is:\n"
        f"{lacking}\n"
        f"  Make one by filling it:  MINION_ENGINE=pulsar{variables} minion-queue put ...\n"
        f"  or, after  pulsar-admin topics create TOPIC  for each that is missing:\n{commands}"
    )


def _is_seen(link: Link, topic: Topic, subscription: str) -> bool:
    try:
        shared = link.subscribe(topic.pattern, subscription, receiver_queue_size=1)
    except NoQueue:
        return False  # there is not even the namespace
    try:
        link.client.subscribe(topic.pattern, subscription, receiver_queue_size=1).close()
    except pulsar.ConsumerBusy:
        return True
    except pulsar.PulsarException as error:
        raise EngineError(f"cannot find out whether there is a topic {topic.full}: {type(error).__name__}") from error
    finally:
        shared.close()
    return False
