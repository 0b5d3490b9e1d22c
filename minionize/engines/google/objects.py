"""Whether topics and subscriptions exist; making them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from google.api_core import exceptions as api

from minionize.engines.broker import envelope
from minionize.engines.google.address import short
from minionize.engines.google.calls import LONGEST
from minionize.engines.google.errors import Forbidden, ours
from minionize.errors import EngineError, NoQueue

if TYPE_CHECKING:
    from minionize.engines.google.address import Address
    from minionize.engines.google.connect import Wire

_DAY = 86400
#: Days that a subscription can keep a message: the most there is, and what older servers allow.
_KEPT = (31, 7)
#: The shortest ack deadline that the service takes for a subscription, in seconds, and its own choice.
SHORTEST, USUAL = 10, 10
#: Bytes of the longest filter that a subscription can have.
_FILTER = 256
#: What a subscription says whose topic is gone.
_NO_TOPIC = "_deleted-topic_"


class Found(NamedTuple):
    """What matters of the subscription to the tasks, what a user should know of it all, and what we made.

    ``ack_deadline`` and ``retention`` are in seconds; ``fencing``: it delivers exactly once; ``buries``: it has a
    dead-letter policy of its own.
    """

    ack_deadline: int = USUAL
    retention: float = 7.0 * _DAY
    fencing: bool = False
    buries: bool = False
    notes: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


def look(wire: Wire, *, create: bool, lease: float, shortest: int = SHORTEST, exactly_once: bool = False) -> Found:
    """See whether all is there, and make what is not, where ``create``; raises NoQueue, EngineError, EngineUnavailable.

    ``shortest`` is the shortest ack deadline of a subscription that is made (for tests).
    """
    address = wire.address
    notes: list[str] = []
    made: list[str] = []
    options = {"ack_deadline_seconds": max(shortest, min(LONGEST, math.ceil(lease)))}
    tasks_options = {**options, "enable_exactly_once_delivery": exactly_once}
    tasks = _subscription(wire, address.subscription, address.topic, tasks_options if create else None, notes, made)
    dead = {"ack_deadline_seconds": 60}
    _subscription(wire, address.dead_subscription, address.dead_topic, dead if create else None, notes, made)
    if tasks is None:
        return Found(notes=tuple(notes), made=tuple(made))
    notes += _oddities(tasks, address)
    notes += _others(wire)
    return Found(
        tasks.ack_deadline_seconds or USUAL,
        tasks.message_retention_duration.total_seconds() or 7.0 * _DAY,
        tasks.enable_exactly_once_delivery,
        bool(tasks.dead_letter_policy.dead_letter_topic),
        tuple(notes),
        tuple(made),
    )


def _subscription(
    wire: Wire, name: str, topic: str, options: dict[str, Any] | None, notes: list[str], made: list[str]
) -> Any:
    """Read a subscription, or make it with these options; None where we may not look at it."""
    try:
        found = _get(wire, name)
    except Forbidden:
        notes.append(
            f"we may not look at {name} (that takes roles/pubsub.viewer), and take it for a usual one that exists"
        )
        return None
    if found is None:
        if options is None:
            raise missing(wire.address, name, topic)
        found = _make(wire, name, topic, options)
        made.append(f"made the subscription {name} to {topic}")
    _check(found, name, topic)
    return found


def _get(wire: Wire, name: str) -> Any:
    with ours(wire.address):
        try:
            return wire.subscriber.get_subscription(request={"subscription": name}, retry=None, timeout=wire.timeout)
        except api.NotFound:
            return None


def _make(wire: Wire, name: str, topic: str, options: dict[str, Any]) -> Any:
    with ours(wire.address):
        try:
            wire.publisher.create_topic(request={"name": topic}, retry=None, timeout=wire.timeout)
        except api.AlreadyExists:
            pass
        # Dead letters are not filtered: a policy of the service may have moved a copy there, and that says whom it was for.
        for last, more in _variants(_filter(name) if name == wire.address.subscription else ""):
            request = {"name": name, "topic": topic, "expiration_policy": {}, **options, **more}
            try:
                return wire.subscriber.create_subscription(request=request, retry=None, timeout=wire.timeout)
            except api.AlreadyExists:  # somebody else made it meanwhile
                return _get(wire, name)
            except (api.InvalidArgument, api.OutOfRange):
                if last:
                    raise
    raise AssertionError  # the last one returned, or raised


def _filter(name: str) -> str:
    """Write which messages are for a subscription to tasks; empty where its name makes that too long."""
    filter = f'attributes.{envelope.FOR} = "{name}" OR NOT attributes:{envelope.FOR}'
    return filter if len(filter.encode()) <= _FILTER else ""


def _variants(filter: str) -> list[tuple[bool, dict[str, Any]]]:
    """List what a new subscription had best have, and what it may lack: it is refused where a server knows less."""
    wanted = {"filter": filter} if filter else {}
    best, usual = ({"message_retention_duration": {"seconds": days * _DAY}} for days in _KEPT)
    return [(False, {**best, **wanted}), (False, {**usual, **wanted}), (True, usual)]


def _check(found: Any, name: str, topic: str) -> None:
    """Refuse a subscription that does not get what is put, or that gives us nothing."""
    if found.topic == _NO_TOPIC or found.detached:
        raise NoQueue(
            f"the topic of {name} was deleted, or it was detached from it: nothing comes to it any more.\n"
            f"  Delete it:  gcloud pubsub subscriptions delete {name}\n"
            f"  and make both anew:  MINION_ENGINE=google minion-queue put ..."
        )
    if found.topic != topic:
        raise EngineError(
            f"{name} is a subscription to {found.topic}, not to {topic}.\n"
            f"  Name its own topic:  GOOGLE_TOPIC_ID={short(found.topic)}     or another subscription:  GOOGLE_SUBSCRIPTION=..."
        )
    if found.push_config.push_endpoint or found.bigquery_config.table or found.cloud_storage_config.bucket:
        raise EngineError(
            f"{name} sends its messages elsewhere by itself; minions can pull from a pull subscription only.\n"
            f"  Make another one:  GOOGLE_SUBSCRIPTION=another minion-queue put ..."
        )


def missing(address: Address, name: str, topic: str) -> NoQueue:
    """Say that there is no queue, and how to make one."""
    what = "there is no place for dead letters" if name == address.dead_subscription else "there is no queue"
    project = name.split("/")[1]
    return NoQueue(
        f"{what}: {address.server} has no subscription {name}.\n"
        f"  Make it and fill it:  MINION_ENGINE=google GOOGLE_PROJECT_ID={address.project} minion-queue put ...\n"
        f"  or make it by hand:   gcloud pubsub topics create {topic}\n"
        f"                        gcloud pubsub subscriptions create {short(name)} --project={project} --topic={topic}"
        f" --ack-deadline=60 --message-retention-duration=31d --expiration-period=never"
    )


def _oddities(tasks: Any, address: Address) -> list[str]:
    """List what a user should know of a subscription that somebody else made."""
    found = []
    policy = tasks.dead_letter_policy
    if policy.dead_letter_topic:
        found.append(
            f"the subscription has a dead-letter policy of its own, which also counts minions that vanish: what it moves to"
            f" {policy.dead_letter_topic} is not seen by minion-queue.\n"
            f"  Without it:  gcloud pubsub subscriptions update {tasks.name} --clear-dead-letter-policy"
        )
    if tasks.enable_message_ordering:
        found.append("the subscription keeps the order: params with the same ordering key run one after the other")
    if tasks.expiration_policy.ttl and tasks.expiration_policy.ttl.total_seconds():
        days = tasks.expiration_policy.ttl.total_seconds() / _DAY
        found.append(
            f"the subscription is deleted, with all params in it, when no minion used it for {days:g} days.\n"
            f"  Keep it:  gcloud pubsub subscriptions update {tasks.name} --expiration-period=never"
        )
    return found


def _others(wire: Wire) -> list[str]:
    """Say that the topic has other subscriptions, which get each param too."""
    try:
        with ours(wire.address):
            pages = wire.publisher.list_topic_subscriptions(
                request={"topic": wire.address.topic}, retry=None, timeout=wire.timeout
            )
            names = [name for name in next(iter(pages.pages)).subscriptions if name != wire.address.subscription]
    except Forbidden:
        return []
    if not names:
        return []
    listed = ", ".join(short(name) for name in names[:5]) + (" ..." if len(names) > 5 else "")
    return [f"the topic has other subscriptions, which get each param too, and copies of those run again: {listed}"]
