"""A broker that fails in the middle of a settlement: nothing is lost, and nothing is published twice that need not be."""

from __future__ import annotations

import itertools

import pytest
from servers.fake_broker import FakeBroker, Topics

from minionize.engines.broker.channel import Outgoing
from minionize.engines.broker.engine import TRAITS as BROKERS
from minionize.engines.broker.engine import BrokerEngine
from minionize.engines.decoding import decoder
from minionize.errors import EngineError, EngineUnavailable
from minionize.model import Ack, Bury, Failure, Nack, NewTask
from minionize.testing import identity

TRAITS = BROKERS._replace(param_limit=1000)
FAILURE = Failure("exit", "exit code 3", exit=3, stderr="no such file\n")
SETTLEMENTS = {
    "ack": Ack,
    "charged": Nack,
    "uncharged": lambda task: Nack(task, charge=False),
    "delayed for long": lambda task: Nack(task, delay=1000.0, charge=False),
    "bury": lambda task: Bury(task, FAILURE),
}
MOMENTS = [when + verb for verb in ("publish", "ack", "give_back") for when in ("", "after:")]


class FakeEngine(BrokerEngine):
    """The engine on a broker in memory."""

    name = "fake"

    def __init__(self, topics, uid="a", *, fences=False, subscription="minions"):
        self.broker = FakeBroker(topics, fences=fences)
        super().__init__(
            self.broker,
            identity(uid),
            traits=TRAITS._replace(fencing=fences),
            subscription=subscription,
            decode=decoder("identity", "FAKE_DECODER"),
            queue="q",
            where="a broker in memory",
        )


@pytest.fixture
def topics():
    """Make an empty broker."""
    return Topics()


def take(engine, count=1):
    """Take tasks that are there."""
    tasks = engine.exchange(limit=count, wait=1.0).tasks
    assert len(tasks) == count
    return tasks


def published(topics, to):
    """Tell what was published to an address."""
    return [message for message in topics.published if message.to == to]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("how", SETTLEMENTS)
def test_a_settlement_that_broke_off_is_finished_by_saying_it_again(topics, how, moment):
    """Whatever the broker had done when it failed: the task ends once, and a copy that was confirmed is the only one."""
    engine = FakeEngine(topics)
    engine.put([NewTask("x", "1")])
    (task,) = take(engine)
    engine.broker.failing = [moment]
    settlement = SETTLEMENTS[how](task)
    try:
        gone = engine.exchange([settlement]).gone
    except EngineUnavailable:
        gone = engine.exchange([settlement]).gone
    assert gone == ()
    left, dead = topics.messages["tasks"], topics.messages["dead"]
    copies = 2 if moment == "after:publish" and how in ("charged", "delayed for long", "bury") else 1
    expected = {"ack": (0, 0), "charged": (copies, 0), "uncharged": (1, 0), "delayed for long": (copies, 0)}
    assert (len(left), len(dead)) == expected.get(how, (0, copies))


def test_a_copy_is_confirmed_before_its_original_is_taken_off(topics):
    """Else a minion that dies between the two loses the task."""
    engine = FakeEngine(topics)
    engine.put([NewTask("x", "1"), NewTask("y", "2")])
    tasks = take(engine, 2)
    engine.broker.calls.clear()
    engine.exchange([Nack(tasks[0]), Bury(tasks[1], FAILURE)])
    assert engine.broker.calls == ["publish", "publish", "ack"]


def test_who_does_not_hold_a_task_any_more_publishes_nothing(topics):
    """Where the broker tells: a late failure makes no copy, and charges nothing."""
    engine = FakeEngine(topics, fences=True)
    engine.put([NewTask("x", "1")])
    (task,) = take(engine)
    engine.broker.tasks.steal(next(iter(topics.messages["tasks"])))
    assert [gone.why for gone in engine.exchange([Nack(task)]).gone] == ["lost"]
    assert published(topics, "retry") == []
    assert take(FakeEngine(topics, "b"))[0].attempt == 1


def test_what_was_settled_before_an_exchange_failed_is_not_lost(topics):
    """Who does not know yet that it was settled may prolong it, and say it again."""
    engine = FakeEngine(topics)
    engine.put([NewTask("1", '"one"')])
    (task,) = take(engine)
    engine.broker.failing = ["take"]
    with pytest.raises(EngineUnavailable):
        engine.exchange([Ack(task)], limit=1)
    assert engine.renew([task]) == []
    assert engine.exchange([Ack(task)]).gone == ()


def test_what_is_handed_out_to_its_holder_again_is_not_run_twice(topics):
    """A broker that took us for lost gives us our own task once more: we go on, and settle it once."""
    engine = FakeEngine(topics)
    engine.put([NewTask("x", "1")])
    (task,) = take(engine)
    engine.broker.tasks.steal(next(iter(topics.messages["tasks"])))
    assert engine.exchange(limit=1).tasks == ()
    assert engine.exchange([Ack(task)]).gone == ()
    assert topics.messages["tasks"] == {}


def test_two_messages_of_one_task_are_two_deliveries(topics):
    """A broker knows no ids: what was put twice is held twice, and each is settled for itself."""
    engine = FakeEngine(topics)
    engine.put([NewTask("x", "1")])
    engine.put([NewTask("x", "1")])
    first, second = take(engine, 2)
    assert first.id == second.id
    assert first.delivery != second.delivery
    engine.exchange([Ack(first)])
    assert engine.renew([second]) == []
    assert len(topics.messages["tasks"]) == 1
    engine.exchange([Ack(second)])
    assert topics.messages["tasks"] == {}


def test_a_late_settlement_of_what_was_given_back_is_lost_even_when_it_came_again(topics):
    """An earlier delivery does not settle the current one."""
    engine = FakeEngine(topics)
    engine.put([NewTask("x", "1")])
    (first,) = take(engine)
    engine.renew([])
    (again,) = take(engine)
    assert [gone.why for gone in engine.exchange([Ack(first)]).gone] == ["lost"]
    assert engine.exchange([Ack(again)]).gone == ()


def test_copies_for_another_subscription_are_left_to_it(topics):
    """Two programs with a subscription each: what one offers again is not for the other."""
    mine, theirs = FakeEngine(topics), FakeEngine(topics, "b", subscription="others")
    mine.put([NewTask("x", "1")])
    mine.exchange([Nack(take(mine)[0])])
    assert theirs.exchange(limit=1).tasks == ()
    assert topics.messages["tasks"] == {}  # their subscription has it no more; on a real broker, ours does


@pytest.mark.parametrize("error", ["publish", "after:publish"])
def test_a_put_that_breaks_off_says_how_far_it_came(topics, error):
    """So that its user knows what would run twice."""
    engine = FakeEngine(topics)
    engine.put([NewTask("0", "0")])
    engine.broker.failing = [error]
    with pytest.raises(EngineUnavailable, match=r"none of 3|3 of 3 params were added"):
        engine.put([NewTask(str(n), str(n)) for n in range(3)])


def test_what_a_newer_version_put_is_left_to_it(topics):
    """It is given back, and the minion leaves with what to type."""
    topics.publish(Outgoing(b"{}", {"minionize": "2", "minionize_id": "x"}))
    engine = FakeEngine(topics)
    with pytest.raises(EngineError, match="pip install --upgrade minionize"):
        engine.exchange(limit=1)
    engine.close()
    assert [holder for _, _, holder in topics.messages["tasks"].values()] == [None]


def test_a_message_that_could_not_be_offered_again_is_dead_at_once(topics):
    """One of somebody else's may be larger than a copy with our attributes could be."""
    topics.publish(Outgoing(b"x" * 2000, {}))
    engine = FakeEngine(topics)
    (task,) = take(engine)
    assert "2000 bytes" in task.error
    engine.exchange([Bury(task, FAILURE)])
    assert len(published(topics, "dead")[0].data) == 1000


def test_attributes_of_somebody_else_count_as_part_of_what_must_be_offered_again(topics):
    """A copy carries them: with them it may be too large for the broker although its data are not."""
    topics.publish(Outgoing(b"x" * 900, {"origin": "y" * 200}))
    engine = FakeEngine(topics)
    (task,) = take(engine)
    assert "900 bytes" in task.error
    engine.exchange([Bury(task, FAILURE)])
    (letter,) = published(topics, "dead")
    assert len(letter.data) + len("origin") + 200 == 1000


def test_what_one_topic_took_is_not_published_again_because_another_did_not(topics, monkeypatch):
    """Copies and dead letters of one settlement go to two topics, of which one may fail."""
    engine = FakeEngine(topics)
    engine.put([NewTask(str(n), str(n)) for n in range(3)])
    held = take(engine, 3)
    publish, failing = engine.broker.publish, [True]

    def fail(messages, confirmed=int):
        for message in messages:
            if message.to == "retry" and failing:
                failing.clear()
                raise EngineUnavailable("the topic of the tasks fails")
            publish([message], confirmed)

    monkeypatch.setattr(engine.broker, "publish", fail)
    batch = [Bury(held[0], FAILURE), Nack(held[1]), Bury(held[2], FAILURE)]
    with pytest.raises(EngineUnavailable):
        engine.exchange(batch)
    assert engine.exchange(batch).gone == ()
    assert len(published(topics, "dead")) == 2
    assert len(published(topics, "retry")) == 1


@pytest.mark.parametrize("let_go", ["close", "renew"])
def test_what_is_published_anew_is_not_given_back_as_well(topics, let_go):
    """A minion that leaves between the two takes the original off, if the broker lets it."""
    engine = FakeEngine(topics)
    engine.put([NewTask("x", "1"), NewTask("y", "2")])
    failed, other = take(engine, 2)
    engine.broker.failing = ["ack"]
    with pytest.raises(EngineUnavailable):
        engine.exchange([Nack(failed)])
    engine.close() if let_go == "close" else engine.renew([])
    found = {task.param: task.attempt for task in take(FakeEngine(topics, "b"), 2)}
    assert found == {failed.param: 2, other.param: 1}
    assert len(topics.messages["tasks"]) == 2


def test_closing_gives_back_although_the_broker_fails(topics):
    """It is closed all the same, and closing again is harmless."""
    engine = FakeEngine(topics)
    engine.put([NewTask("x", "1")])
    take(engine)
    engine.broker.failing = ["give_back"]
    engine.close()
    engine.close()
    assert len(take(FakeEngine(topics, "b"))) == 1
    with pytest.raises(EngineError, match="closed"):
        engine.exchange()


def test_memory_of_what_was_settled_is_bounded(topics):
    """A minion that runs for months settles millions."""
    engine = FakeEngine(topics)
    for start in itertools.islice(itertools.count(0, 1000), 20):
        engine.put([NewTask(f"{n}", "1") for n in range(start, start + 1000)])
        engine.exchange([Ack(task) for task in take(engine, 1000)])
    assert len(engine._past) <= 8192
    assert engine._held == engine._keys == {}
