"""A Pub/Sub server that stops, dies, freezes or is cut off: nothing is lost, and nobody waits for ever."""

from __future__ import annotations

import pytest
from google_queue import FAILURE, HURRIED, Network, Queue
from servers import pubsub_server
from steps import persistently, take, tasks

from minionize.errors import EngineUnavailable, NoQueue
from minionize.model import Ack, Bury, Nack, NewTask


@pytest.fixture(scope="module")
def server():
    """Give an emulator that the tests of this module may break; each begins with one that runs."""
    with pubsub_server.PubsubServer() as server:
        yield server


@pytest.fixture
def queue(server):
    """Give a queue on it."""
    server.thaw()
    queue = Queue(server)
    yield queue
    server.thaw()
    queue.close()


@pytest.fixture
def network(server):
    """Give a network that the test may break."""
    network = Network(server.port)
    yield network
    network.close()


def far(queue, network):
    """Name the queue as it is seen through a network."""
    return queue.address._replace(emulator=network.host)


def test_a_server_that_was_killed_is_an_outage_until_it_is_back(server):
    """While it is dead every call says so, at once; and the emulator, which forgets all, is found empty afterwards."""
    queue = Queue(server)
    engine = queue.filled(2)
    (held,) = take(engine, 1)
    server.kill9()
    try:
        for act in (
            lambda: engine.exchange([Ack(held)]),
            lambda: engine.exchange(limit=1, wait=5.0),
            lambda: engine.renew([held]),
            lambda: engine.put(tasks(1)),
        ):
            with pytest.raises(EngineUnavailable, match="cannot be reached"):
                act()
    finally:
        server.restart()
    with pytest.raises(NoQueue, match="is gone, with all params in it") as error:
        persistently(lambda: engine.exchange([Ack(held)], limit=1, wait=5.0))
    assert "An emulator keeps everything in memory" in str(error.value)
    engine.close()


def test_a_server_that_comes_back_empty_is_no_empty_queue(server):
    """A minion that waits learns that its queue is gone: it neither waits for ever nor says that all is done."""
    queue = Queue(server)
    engine = queue.open()
    server.restart()
    with pytest.raises(NoQueue, match="minion-queue put"):
        persistently(lambda: engine.exchange(limit=1, wait=20.0))
    engine.close()


def test_a_frozen_server_is_given_up_on_and_nothing_is_lost(queue, server):
    """What was held is settled afterwards, and what was not taken is still there."""
    engine = queue.filled(4, **HURRIED)
    acked, nacked, dead = take(engine, 3)
    batch = [Ack(acked), Nack(nacked), Bury(dead, FAILURE)]
    server.freeze()
    with pytest.raises(EngineUnavailable, match="does not answer"):
        engine.exchange(batch)
    server.thaw()
    delivery, _ = persistently(lambda: engine.exchange(batch))
    assert delivery.gone == ()
    left = take(engine, 2)
    assert sorted((task.param, task.attempt) for task in left) == sorted([(nacked.param, 2), ("3", 1)])
    assert [entry.param for entry in engine.list()] == [dead.param]


def test_a_minion_that_waits_sees_that_the_server_is_frozen(queue, server):
    """A pull that nobody answers looks like one that found nothing: so it asks whether the server lives."""
    engine = queue.open(**HURRIED)
    assert engine.exchange(limit=1).tasks == ()
    server.freeze()
    with pytest.raises(EngineUnavailable, match="does not answer"):
        engine.exchange(limit=1, wait=20.0)
    server.thaw()
    queue.publish(b"late")
    found, _ = persistently(lambda: take(engine, 1))
    assert [task.param for task in found] == ['"late"']


def test_a_server_that_stays_frozen_is_not_said_to_answer_again(queue, server):
    """Else no patience would ever be over: whoever asks, however shortly, hears of the outage until it is over."""
    engine = queue.open(**HURRIED)
    assert engine.exchange(limit=1).tasks == ()
    server.freeze()
    for wait in (20.0, 0.0, 0.0):
        with pytest.raises(EngineUnavailable, match="does not answer"):
            engine.exchange(limit=1, wait=wait)
    server.thaw()
    assert persistently(lambda: engine.exchange(limit=1))[0].tasks == ()


def test_what_failed_long_ago_is_no_outage_of_today(queue, server, monkeypatch):
    """Who asked for nothing for a while, as all its slots were busy, is not told of what was wrong before."""
    engine = queue.open(**HURRIED)
    assert engine.exchange(limit=1).tasks == ()
    server.freeze()
    with pytest.raises(EngineUnavailable, match="does not answer"):
        engine.exchange(limit=1, wait=20.0)
    server.thaw()
    monkeypatch.setattr("minionize.engines.google.channel._OLD", 0.0)
    assert engine.exchange(limit=1).tasks == ()


def test_a_cut_network_is_borne(queue, network):
    """Held tasks stay held, and are settled when it is mended; a minion nearer to the server gets none of them."""
    engine = queue.filled(3, address=far(queue, network), **HURRIED)
    held = take(engine, 2)
    network.cut()
    for act in (lambda: engine.exchange([Ack(held[0])]), lambda: engine.renew(held)):
        with pytest.raises(EngineUnavailable):
            act()
    near = queue.open("near")
    assert [task.param for task in take(near, 1)] == ["2"]
    network.mend()
    assert persistently(lambda: engine.renew(held))[0] == []
    assert engine.exchange(list(map(Ack, held))).gone == ()
    assert near.exchange(limit=3, wait=0.5).tasks == ()


def test_a_network_that_swallows_the_answers_doubles_no_done_task(queue, network):
    """An ack that arrived and whose answer did not is said again: also where late ones are refused it counts as done."""
    engine = queue.filled(1, address=far(queue, network), exactly_once=True, **HURRIED)
    (task,) = take(engine, 1)
    assert engine.traits.fencing
    network.swallow()
    with pytest.raises(EngineUnavailable):
        engine.exchange([Ack(task)])
    network.mend()
    delivery, _ = persistently(lambda: engine.exchange([Ack(task)]))
    assert delivery.gone == ()
    assert engine.exchange(limit=1, wait=0.5).tasks == ()


def test_what_was_done_is_not_lost_for_an_answer_that_was_swallowed(queue, network):
    """A renewal between the two acks is refused where late ones are, and says nothing of a loss either."""
    engine = queue.filled(1, address=far(queue, network), exactly_once=True, **HURRIED)
    (task,) = take(engine, 1)
    network.swallow()
    with pytest.raises(EngineUnavailable):
        engine.exchange([Ack(task)])
    network.mend()
    assert persistently(lambda: engine.renew([task]))[0] == []
    assert engine.exchange([Ack(task)]).gone == ()


def test_a_slow_network_brings_large_params_in_the_end(queue, network):
    """They come again and again, and each time there is more time for fewer of them."""
    engine = queue.open(lease=3.0, address=far(queue, network))
    params = [f'"{letter * 1_000_000}"' for letter in "ab"]
    engine.put([NewTask(param[1], param) for param in params])
    network.slow_down(600_000)  # a pull has 1.3 s at first
    assert sorted(task.param for task in take(engine, 2)) == params


def test_messages_whose_delivery_was_swallowed_come_again(queue, network):
    """What the server sent and nobody got is handed out when the hold that it thinks we have is over."""
    engine = queue.filled(1, lease=1.0, address=far(queue, network), **HURRIED)
    network.swallow()
    with pytest.raises(EngineUnavailable):
        engine.exchange(limit=1, wait=20.0)
    network.mend()
    found, _ = persistently(lambda: take(engine, 1))
    assert [task.param for task in found] == ["0"]


def test_a_minion_closes_at_once_whatever_the_server_does(queue, server):
    """Neither a frozen server nor a pull that is under way keeps it."""
    engine = queue.filled(1, **HURRIED)
    take(engine, 1)
    assert engine.exchange(limit=1).tasks == ()
    server.freeze()
    engine.close()
    engine.close()
    server.thaw()
