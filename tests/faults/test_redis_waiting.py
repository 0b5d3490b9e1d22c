"""Minions that wait at a Redis server: cheap, fair, and woken at once."""

from __future__ import annotations

import pytest
from harness import wait_until
from redis_queue import Aside, Queue, waits
from servers import redis_server
from steps import take, tasks

from minionize.model import Ack, Control, Nack, NewTask

#: Seconds that no test waits: who is not woken makes it fail.
LONG = 3600.0


@pytest.fixture(scope="module")
def server():
    """Give a server whose clients and commands are counted by the tests of this file alone."""
    with redis_server.RedisServer() as server:
        yield server


@pytest.fixture
def queue(server):
    """Give a queue on it."""
    queue = Queue(server)
    yield queue
    queue.close()


def engine_module():
    """Import what holds the length of a slice; not at the top, for the client may not be installed."""
    from minionize.engines.redis import engine

    return engine


def test_an_idle_minion_costs_two_commands_a_slice(queue, monkeypatch):
    """A look at the books and a blocked read per slice, which is long enough for less than one command a second."""
    assert 2 / engine_module().SLICE < 1
    monkeypatch.setattr(engine_module(), "SLICE", 0.1)
    holder, idle = queue.filled(1), queue.open("b")
    take(holder, 1)
    with queue.client() as client:
        client.config_resetstat()
        assert idle.exchange(limit=1, wait=1.0).tasks == ()
        stats = client.info("commandstats")
    looks = stats["cmdstat_evalsha"]["calls"]
    reads = stats["cmdstat_xreadgroup"]["calls"] - looks  # each look tries to read once, without waiting
    assert 2 <= looks <= 11
    assert reads <= 11
    assert stats.get("cmdstat_ping", {"calls": 0})["calls"] == 0


def test_what_comes_is_shared_evenly(queue):
    """Twenty minions wait; of each twenty tasks that come each gets one."""
    minions = [queue.open(f"m{n}") for n in range(20)]
    holder = queue.filled(1)
    (held,) = take(holder, 1)
    with queue.client() as client:
        for start in (100, 200, 300):
            waiting = [Aside(lambda one=one: one.exchange(limit=1, wait=30.0)) for one in minions]
            waits(client, 20)
            holder.put(tasks(20, start=start))
            got = [one.result().tasks for one in waiting]
            assert [len(found) for found in got] == [1] * 20
            for one, found in zip(minions, got, strict=True):
                one.exchange([Ack(found[0])])
    assert holder.exchange([Ack(held)]).state == "ended"


def test_what_is_given_back_goes_to_one_that_waits_at_once(queue, monkeypatch):
    """A nack does not come as a message, and yet wakes one that waits, long before its slice is over."""
    monkeypatch.setattr(engine_module(), "SLICE", LONG)
    holder, first, second = queue.filled(1), queue.open("b", lease=LONG), queue.open("c", lease=LONG)
    (held,) = take(holder, 1)
    with queue.client() as client:
        waiting = [Aside(lambda one=one: one.exchange(limit=1, wait=LONG)) for one in (first, second)]
        waits(client, 2)
        holder.exchange([Nack(held)])
        wait_until(lambda: any(one.is_over for one in waiting), "one that waits is woken")
        first.wake()
        second.wake()
        assert [task.id for one in waiting for task in one.result().tasks] == [held.id]


@pytest.mark.parametrize("how", ["the end", "a drain", "a clear"])
def test_who_waits_hears_of_the_end_at_once(queue, monkeypatch, how):
    """All that wait are woken when nothing is left, when minions are asked to leave, and when the queue is cleared."""
    monkeypatch.setattr(engine_module(), "SLICE", LONG)
    holder = queue.filled(1)
    (held,) = take(holder, 1)
    minions = [queue.open(f"m{n}", lease=LONG) for n in range(3)]
    with queue.client() as client:
        waiting = [Aside(lambda one=one: one.exchange(limit=1, wait=LONG)) for one in minions]
        waits(client, 3)
        if how == "the end":
            holder.exchange([Ack(held)])
        elif how == "a drain":
            holder.control(Control("somebody@host", 4e9))
        else:
            holder.remove()
        states = {one.result().state for one in waiting}
    assert states == {"drain" if how == "a drain" else "ended"}


def test_what_comes_during_a_drain_is_given_back(queue):
    """A blocked read takes what is put, also after a drain: it is not handed out, nor lost, nor charged."""
    holder, idle = queue.filled(1), queue.open("b")
    take(holder, 1)
    waiting = Aside(lambda: idle.exchange(limit=1, wait=30.0))
    with queue.client() as client:
        waits(client)
        client.hset(
            queue.key("meta"), "drain", '{"who": "w", "at": 4e9}'
        )  # as if the wake had missed the one that waits
        holder.put(tasks(1, start=5))
    delivery = waiting.result()
    assert (delivery.tasks, delivery.state) == ((), "drain")
    holder.control(None)
    (task,) = take(holder, 1)
    assert (task.param, task.attempt, task.crashes) == ("5", 1, 0)


def test_a_minion_that_holds_a_suspect_reads_nothing_while_it_waits(queue):
    """What must run alone stays alone, also where a message comes while its minion asks for more."""
    engine = queue.open()
    engine.put([NewTask("suspect", "1", crashes=2)])
    (alone,) = take(engine, 1)
    waiting = Aside(lambda: engine.exchange(limit=1, wait=0.5))
    queue.open("b").put(tasks(1, start=5))
    assert waiting.result().tasks == ()
    (found,) = take(queue.open("c"), 1)
    assert found.param == "5"
    assert engine.exchange([Ack(alone)]).gone == ()


def test_a_minion_that_reconnects_for_ever_is_not_refused(queue):
    """However often its connection is cut, it makes another one."""
    engine = queue.filled(1)
    with queue.client() as client:
        for _ in range(150):
            client.client_kill_filter(_type="normal", skipme=True)
            assert engine.counts().pending == 1
