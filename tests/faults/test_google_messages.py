"""What other programs do with the same topic: publish, subscribe, bury by a policy, and publish what cannot be read."""

from __future__ import annotations

import time

import pytest
from google_queue import FAILURE, Queue
from harness import wait_until
from servers import pubsub_server
from steps import persistently, take, tasks

from minionize.engines.broker.channel import Outgoing
from minionize.errors import EngineUnavailable
from minionize.model import Ack, Bury, Nack, NewTask


@pytest.fixture
def queue():
    """Give a queue on the emulator that tests share."""
    queue = Queue()
    yield queue
    queue.close()


def test_what_the_official_publisher_publishes_is_run(queue, monkeypatch):
    """A plain publish is a put: a string, at its first attempt, by an id that stays the same from delivery to delivery."""
    from google.cloud import pubsub_v1

    engine = queue.open()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", queue.server.host)
    publisher = pubsub_v1.PublisherClient()
    publisher.publish(queue.address.topic, "h\u00e9 \u2603".encode(), colour="red").result(timeout=30)
    publisher.stop()
    publisher.transport.close()
    (task,) = take(engine, 1)
    assert (task.param, task.attempt, task.error) == ('"h\u00e9 \u2603"', 1, "")
    (again,) = take(engine, 1, [Nack(task, charge=False)])
    assert (again.id, again.attempt) == (task.id, 1)
    (third,) = take(engine, 1, [Nack(again)])
    assert (third.id, third.param, third.attempt) == (task.id, task.param, 2)


def test_json_is_read_where_that_is_asked_for_and_what_is_none_is_no_param(queue):
    """What cannot be decoded is handed out with the reason, to be buried, and the next one is read."""
    engine = queue.open(decoder_name="json")
    for data in (b'{"n": 0.10}', b"{no json", b"\xff"):
        queue.publish(data)
    read = {task.param: task.error for task in take(engine, 3)}
    assert read.pop('{"n":0.10}') == ""
    assert len(read) == 2
    assert all("cannot be decoded" in error for error in read.values())


def test_a_message_that_cannot_be_decoded_is_a_dead_letter_and_the_minion_goes_on(camp, queue):
    """A real minion buries it with the reason, and runs the rest."""
    queue.make()
    camp.environment |= queue.server.environment(queue.address.topic_id) | {"GOOGLE_DECODER": "json"}
    for data in (b"1", b"{no json", b"2"):
        queue.publish(data)
    minion = camp.minion("--idle-timeout", "1s", camp.script("note", 'echo "$1" >> "$CAMP/ran"'))
    assert minion.code() == 1, minion.err
    assert sorted(camp.runs()) == ["1", "2"]
    (entry,) = queue.open().list()
    assert entry.param == '"{no json"'
    assert "cannot be decoded" in entry.failure.reason


def test_a_message_with_attributes_of_somebody_else_keeps_them(queue):
    """Also when it is run again, and as a dead letter that is put back."""
    engine = queue.open()
    queue.publish(b"x", colour="red", delay="5")
    (task,) = take(engine, 1)
    (task,) = take(engine, 1, [Nack(task)])
    assert engine.exchange([Bury(task, FAILURE)]).gone == ()
    assert engine.retry() == 1
    engine.close()
    with queue.server.clients() as (_, subscriber):
        received = wait_until(lambda: pull(subscriber, queue.address.subscription), "the message")
    assert received[0].message.attributes["colour"] == "red"
    assert received[0].message.attributes["delay"] == "5"


def pull(subscriber, subscription):
    """Pull once, as anybody would."""
    return subscriber.pull(subscription=subscription, max_messages=10, timeout=3.0).received_messages


@pytest.mark.parametrize("attempt", ["soon", "-1", "nan", "1e99", ""])
def test_a_delay_that_is_no_number_is_none(queue, attempt):
    """Anybody may write anything into a message: what makes no sense holds nothing up."""
    engine = queue.open()
    queue.publish(b"x", minionize_delay=attempt)
    assert len(take(engine, 1)) == 1


def test_another_subscription_gets_each_param_and_no_copy_of_it(queue):
    """What is run again for one subscription is skipped by minions of the other, whose server ignores filters."""
    other = queue.address._replace(subscription_id=pubsub_server.name())
    engine, elsewhere = queue.open(), queue.open("b", address=other)
    engine.put(tasks(1))
    (task,), (twin,) = take(engine, 1), take(elsewhere, 1)
    (again,) = take(engine, 1, [Nack(task)])
    assert again.attempt == 2
    assert elsewhere.exchange([Ack(twin)], limit=1, wait=0.5).tasks == ()
    with queue.server.clients() as (_, subscriber):
        subscriber.delete_subscription(subscription=other.subscription)


def test_a_dead_letter_policy_of_the_subscription_buries_no_param_that_was_only_given_back(queue):
    """The service counts each time; before that is too often the param begins anew, with the attempts that it has."""
    policy = {"dead_letter_topic": queue.address.dead_topic, "max_delivery_attempts": 5}
    with queue.server.clients() as (publisher, subscriber):
        for topic in (queue.address.topic, queue.address.dead_topic):
            publisher.create_topic(name=topic)
        subscriber.create_subscription(
            request={"name": queue.address.subscription, "topic": queue.address.topic, "dead_letter_policy": policy}
        )
        subscriber.create_subscription(name=queue.address.dead_subscription, topic=queue.address.dead_topic)
    engine = queue.open(create=False)
    queue.publish(b"x")
    (task,) = take(engine, 1)
    ids = {task.id}
    for _ in range(12):
        (task,) = take(engine, 1, [Nack(task, charge=False)])
        ids.add(task.id)
        assert task.attempt == 1
    assert len(ids) == 1
    assert engine.exchange([Ack(task)], limit=1, wait=0.5).tasks == ()
    assert list(engine.list()) == []


def test_a_message_that_is_nearly_forgotten_begins_anew(queue):
    """The service keeps messages for days; one that waits longer than half of that is published again, and kept."""
    ahead = [0.0]
    engine = queue.open(now=lambda: time.time() + ahead[0])
    queue.publish(b"x")
    (task,) = take(engine, 1)
    ahead[0] = 5 * 86400.0
    assert engine.exchange([Nack(task, charge=False)]).gone == ()
    engine.close()
    with queue.server.clients() as (_, subscriber):
        (received,) = wait_until(lambda: pull(subscriber, queue.address.subscription), "the message")
    assert received.message.attributes["minionize_id"] == task.id
    assert received.message.attributes["minionize_for"] == queue.address.subscription


def test_a_delay_longer_than_the_service_can_hold_a_message_is_kept(queue, monkeypatch):
    """It is let go of again and again until it is due: here the longest hold is a second, not ten minutes."""
    monkeypatch.setattr("minionize.engines.google.channel.LONGEST", 1)
    engine = queue.open()
    due = time.time() + 3.5
    engine.put([NewTask("a", "1", due=due)])
    (task,) = take(engine, 1)
    assert time.time() >= due
    assert task.id == "a"


def test_a_clock_that_is_behind_does_not_begin_a_delay_again_and_again(queue):
    """A minion whose clock is an hour slow sees by what it is handed what time it is at the service."""
    engine = queue.open(now=lambda: time.time() - 3600)
    queue.publish(b"x", minionize_delay="2.5")
    (task,) = take(engine, 1)
    assert task.param == '"x"'


@pytest.mark.parametrize("ack_deadline", [60, 600])
def test_what_is_due_is_handed_out_although_the_service_fails_at_another(queue, monkeypatch, ack_deadline):
    """It was received together with one that is not due: it does not wait until our hold on it ends."""
    queue.make(ack_deadline_seconds=ack_deadline)
    engine = queue.open(create=False)
    failing = ["early"] if ack_deadline == 60 else ["early", "due"]
    prolong = engine._broker.tasks._calls.prolong

    def fail(messages, seconds):
        if failing:
            failing.pop()
            raise EngineUnavailable("not now")
        return prolong(messages, seconds)

    monkeypatch.setattr(engine._broker.tasks._calls, "prolong", fail)
    with queue.server.clients() as (publisher, _):
        early = {"data": b"early", "attributes": {"minionize_delay": "500"}}
        publisher.publish(topic=queue.address.topic, messages=[early, {"data": b"due"}])
    task, _ = persistently(lambda: take(engine, 1)[0])
    assert task.param == '"due"'
    assert failing == []


def test_what_the_service_says_of_a_message_is_not_copied(queue):
    """Attributes that begin with goog are its own, and a message that brings them is refused."""
    engine = queue.open()
    engine._broker.publish([Outgoing(b"x", {"googclient_schemaname": "s", "colour": "red"})])
    engine.close()
    with queue.server.clients() as (_, subscriber):
        (received,) = wait_until(lambda: pull(subscriber, queue.address.subscription), "the message")
    assert dict(received.message.attributes) == {"colour": "red"}


def test_a_hold_that_is_shorter_than_the_lease_is_prolonged_at_once(queue):
    """Somebody made the subscription with an ack deadline of a second: what is taken is held for the lease all the same."""
    queue.make(ack_deadline_seconds=1)
    engine, other = queue.open(create=False, lease=60.0), queue.open("b", create=False)
    queue.publish(b"x")
    (task,) = take(engine, 1)
    assert other.exchange(limit=1, wait=2.5).tasks == ()
    assert engine.exchange([Ack(task)]).gone == ()


def test_large_messages_arrive_together(queue):
    """Several at the limit of their size are put, pulled, and put back: the client's own limit is less than one."""
    engine = queue.open()
    limit = engine.traits.param_limit
    params = [f'"{letter * (limit - 2)}"' for letter in "ab"]
    assert engine.put([NewTask(param[1], param) for param in params]).added == 2
    held = take(engine, 2)
    assert sorted(task.param for task in held) == params
    back = take(engine, 2, [Nack(held[0]), Nack(held[1], charge=False)])
    assert sorted(task.param for task in back) == params
    assert engine.exchange([Bury(back[0], FAILURE), Ack(back[1])]).gone == ()
    assert [entry.param for entry in engine.list()] == [back[0].param]
