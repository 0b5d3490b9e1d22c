"""What may be in a topic: what others publish, one by one or many together, large, unreadable; partitions; and what is not there."""

from __future__ import annotations

import json

import pytest
from harness import wait_until
from pulsar_queue import FAILURE, Queue
from servers import pulsar_server
from steps import take, tasks

from minionize.errors import BadParam, EngineError, EngineUnavailable, NoQueue, UsageError
from minionize.model import Ack, Bury, Counts, Nack


@pytest.fixture(params=[True, False], ids=["with-admin", "blind"])
def queue(request):
    """Give a queue on the broker that tests share, with the admin API and without."""
    pulsar_server.require()
    queue = Queue(counting=request.param)
    yield queue
    queue.close()


def test_what_any_producer_publishes_is_a_param(queue):
    """A plain message is a string at its first attempt; its properties come back with a copy of it."""
    engine = queue.open()
    queue.publish(b"--alpha 1")
    (task,) = take(engine, 1)
    assert (json.loads(task.param), task.attempt) == ("--alpha 1", 1)
    engine.exchange([Nack(task, charge=True)])
    (again,) = take(engine, 1)
    assert (again.id, again.param, again.attempt) == (task.id, task.param, 2)
    engine.exchange([Ack(again)])


def test_messages_that_were_sent_together_are_tasks_of_their_own(queue):
    """A batch is taken apart: each of its messages is run and settled by itself, and what follows comes too."""
    engine = queue.open(decoder_name="json")
    for first in (0, 20):
        contents = (json.dumps(n).encode() for n in range(first, first + 20))
        queue.publish(*contents, batching_enabled=True, batching_max_publish_delay_ms=200)
    queue.publish(b"40")
    (first,) = take(engine, 1)  # while it is held, the rest goes on
    rest = take(engine, 40)
    assert sorted(int(task.param) for task in [first, *rest]) == list(range(41))
    assert len({task.id for task in [first, *rest]}) == 41
    engine.exchange([Ack(task) for task in [first, *rest]])
    wait_until(lambda: queue.stats()[:2] == (0, 0), lambda: f"nothing is left: {queue.stats()}")


def test_a_batch_keeps_nothing_from_others(queue):
    """The minion that took a batch apart holds no more of it than it asked for."""
    engine, other = queue.open("a"), queue.open("b")
    contents = (b"%d" % n for n in range(10))
    queue.publish(*contents, batching_enabled=True, batching_max_publish_delay_ms=200)
    (held,) = take(engine, 1)
    rest = take(other, 9)
    assert sorted(json.loads(task.param) for task in [held, *rest]) == [str(n) for n in range(10)]


def test_properties_that_are_no_text_are_left_out(queue):
    """What somebody wrote there is not ours to refuse: its message is a param, alone and in a batch."""
    engine = queue.open()
    for together in (False, True):
        with queue.server.client() as client:
            producer = client.create_producer(queue.topic, batching_enabled=together, batching_max_publish_delay_ms=200)
            for content in (b"1", b"2"):
                producer.send_async(content, None, properties={"name": b"\xff\xfe"})
            producer.flush()
        found = take(engine, 2)
        assert sorted(json.loads(task.param) for task in found) == ["1", "2"]
        engine.exchange([Ack(task) for task in found])


def test_what_cannot_be_read_is_dead_with_its_reason(queue):
    """A message that is no JSON, where JSON was asked for, is handed out with the error, and listed as it looks."""
    engine = queue.open(decoder_name="json")
    queue.publish(b"{no json", b"[1]")
    found = {bool(task.error): task for task in take(engine, 2)}
    assert found[False].param == "[1]"
    assert "cannot be decoded" in found[True].error
    engine.exchange([Bury(found[True], FAILURE), Ack(found[False])])
    (entry,) = engine.list("dead")
    assert (json.loads(entry.param), entry.failure) == ("{no json", FAILURE)


def test_the_largest_param_is_taken_and_a_larger_one_refused_before_anything_is_put(queue):
    """The limit leaves room for what goes with a param, also when it is offered again and when it is dead."""
    engine = queue.open()
    limit = engine.traits.param_limit
    largest = tasks(1)[0]._replace(param=json.dumps("x" * (limit - 2)))
    with pytest.raises(BadParam, match="bytes"):
        engine.put([*tasks(1, start=1), largest._replace(param=largest.param[:-1] + 'x"')])
    assert engine.put([largest]).added == 1
    (task,) = take(engine, 1)
    engine.exchange([Nack(task)])
    (task,) = take(engine, 1)
    assert (task.param, task.attempt) == (largest.param, 2)
    engine.exchange([Bury(task, FAILURE._replace(stderr="e" * 4096))])
    assert [entry.failure.reason for entry in engine.list("dead")] == ["exit 3"]


def test_a_message_that_is_all_properties_is_settled_like_any_other(queue):
    """Its copy and its dead letter keep those that there is room for: it is no message that ends every minion that has it."""
    engine = queue.open()
    with queue.server.client() as client:
        properties = {"kept": "yes", "long": "x" * (5 * 1024 * 1024 - 300)}
        client.create_producer(queue.topic).send(b"1", properties=properties)
    (task,) = take(engine, 1)
    engine.exchange([Nack(task)])
    (again,) = take(engine, 1)
    assert (json.loads(again.param), again.attempt) == ("1", 2)
    engine.exchange([Bury(again, FAILURE._replace(stderr="e" * 4096))])
    assert [entry.failure.reason for entry in engine.list()] == ["exit 3"]


def test_a_partitioned_topic_is_shared_by_minions(queue):
    """All partitions are received from, by all minions, one message at a time; retries and dead letters work."""
    queue.server.ask(f"persistent/public/default/{queue.topic}/partitions", "PUT", "4")
    engine, other = queue.open("a"), queue.open("b")
    engine.put(tasks(40))
    found = [*take(engine, 7), *take(other, 33)]
    assert sorted(int(task.param) for task in found) == list(range(40))
    engine.exchange([*(Ack(task) for task in found[:5]), Nack(found[5]), Bury(found[6], FAILURE)])
    other.exchange([Ack(task) for task in found[7:]])
    (again,) = take(other, 1)
    assert (again.id, again.attempt) == (found[5].id, 2)
    other.exchange([Ack(again)])
    assert [entry.id for entry in engine.list()] == [found[6].id]
    if queue.counting:
        wait_until(lambda: engine.counts() == Counts(0, 0, 0, None, 1), lambda: f"the end: {engine.counts()}")
        assert engine.exchange(limit=1).state == "ended"


def test_partitions_that_are_added_are_found(queue, monkeypatch):
    """A minion looks for them now and then: it gets what is in them too."""
    from minionize.engines.pulsar import channel

    monkeypatch.setattr(channel, "_RELOOK", 0.0)
    path = f"persistent/public/default/{queue.topic}/partitions"
    queue.server.ask(path, "PUT", "1")
    engine = queue.filled(1)
    take(engine, 1)
    queue.server.ask(path, "POST", "3")
    later = queue.open("b")
    later.put(tasks(12, start=1))
    assert sorted(int(task.param) for task in take(engine, 12)) == list(range(1, 13))


def test_no_param_waits_behind_a_long_task_of_another_minion(queue):
    """A minion that holds one and asks for nothing keeps nothing else: another one gets all the others."""
    engine, other = queue.open("a"), queue.open("b")
    engine.put(tasks(30))
    take(engine, 1)
    assert len(take(other, 29)) == 29


def test_retries_are_seen_by_no_other_subscription(queue):
    """A copy goes to a topic of our own: another subscription to the same topic gets each message once, as it was put."""
    engine, other = queue.open("a"), queue.open("b", subscription="others")
    engine.put(tasks(1))
    (task,) = take(engine, 1)
    engine.exchange([Nack(task)])
    (again,) = take(engine, 1)
    (theirs,) = take(other, 1)
    assert (again.attempt, theirs.attempt) == (2, 1)
    other.exchange([Ack(theirs)])
    assert other.exchange(limit=1, wait=0.3).tasks == ()


def test_a_queue_that_is_not_there_is_not_made(queue):
    """What is missing is said, with what to type; and nothing is there afterwards."""
    with pytest.raises(NoQueue, match="minion-queue put") as error:
        queue.open(create=False)
    assert (
        f"pulsar-admin topics create-subscription -s minions -m earliest persistent://public/default/{queue.topic}"
        in (str(error.value))
    )
    assert queue.server.topics(queue.topic) == []


def test_what_was_made_is_said_once(queue):
    """Who fills a queue that is not there hears that it was made; who comes later hears nothing, and needs no leave to."""
    assert queue.topic in queue.open().put(()).made[0]
    assert queue.open("b").put(()).made == ()
    assert queue.open("c", create=False).notes == ()


def test_what_was_published_before_the_first_put_is_not_lost(queue):
    """The subscription begins at the topic's beginning."""
    queue.publish(b"early")
    with pytest.raises(NoQueue):
        queue.open(create=False)
    engine = queue.open()
    assert [json.loads(task.param) for task in take(engine, 1)] == ["early"]


def test_a_subscription_that_somebody_has_for_himself_is_refused(queue):
    """An exclusive consumer lets nobody share: said, with what to choose instead; waiting would not help."""
    queue.open().close()
    with queue.server.client() as client:
        client.subscribe(queue.topic, "minions")
        with pytest.raises(EngineError, match="PULSAR_SUBSCRIPTION") as error:
            take(queue.open("b"), 1)
        assert not isinstance(error.value, EngineUnavailable)


def test_all_can_be_dropped(queue):
    """Pending, held, delayed and dead: nothing of it comes back, and what is put then does."""
    engine = queue.filled(5)
    dead, delayed, held = take(engine, 3)
    engine.exchange([Bury(dead, FAILURE), Nack(delayed, delay=60.0)])
    assert engine.clear() == (5 if queue.counting else None)
    engine.exchange([Ack(held)])
    engine.put(tasks(1, start=77))
    assert [task.param for task in take(engine, 1)] == ["77"]
    assert engine.exchange(limit=5, wait=0.5).tasks == ()
    assert list(engine.list()) == []


@pytest.mark.parametrize(
    "topic", ["non-persistent://public/default/x", "a/b", "persistent://public/x", "http://x", "a//b"]
)
def test_what_is_no_topic_is_a_usage_error(topic):
    """It names the variable and shows examples."""
    from minionize.engines.pulsar import names

    with pytest.raises(UsageError, match="PULSAR_TOPIC=") as error:
        names.read(topic, "minions")
    assert "For example:" in str(error.value)
