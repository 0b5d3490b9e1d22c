"""A Redis server that lost its data: said loudly, and never taken for the end of the work."""

from __future__ import annotations

import glob
import shutil

import pytest
from redis_queue import HURRIED, Queue
from servers import redis_server
from steps import persistently, take, tasks

from minionize.errors import EngineUnavailable, NoQueue
from minionize.model import Ack, Counts, Nack


@pytest.fixture(scope="module")
def server():
    """Give a server that is flushed by the tests of this file alone."""
    with redis_server.RedisServer() as server:
        yield server


@pytest.fixture
def queue(server):
    """Give a queue on it."""
    queue = Queue(server, options=HURRIED)
    yield queue
    queue.close()


def flush(queue):
    """Delete everything."""
    with queue.client() as client:
        client.flushall()


def test_what_runs_goes_on_after_a_flush(queue):
    """The loss is told once; what this minion holds is entered again under its old delivery, and its ack is accepted."""
    engine = queue.filled(3)
    first, second = take(engine, 2)
    flush(queue)
    with pytest.raises(EngineUnavailable, match="lost its data") as told:
        engine.renew([first, second])
    assert "2 tasks that run here go on" in str(told.value)
    assert "Put the params again" in str(told.value)
    assert engine.renew([first, second]) == []
    assert engine.counts() == Counts(0, 0, 2, 0, 0)
    assert engine.exchange([Ack(first)]).gone == ()
    assert engine.exchange([Nack(second)]).gone == ()
    (again,) = take(engine, 1)
    assert (again.id, again.attempt, again.delivery) == (second.id, 2, 2)


def test_the_end_after_a_loss_is_an_error(queue):
    """Where all that is left was done, a queue that lost its data does not end: what is lost cannot have been done."""
    engine = queue.filled(3)
    (task,) = take(engine, 1)
    flush(queue)
    with pytest.raises(EngineUnavailable, match="lost its data"):
        engine.exchange([Ack(task)], limit=1)
    with pytest.raises(NoQueue, match="lost its data, not because all is done"):
        engine.exchange([Ack(task)], limit=1)
    with pytest.raises(NoQueue, match="lost its data"):
        queue.open("later", create=False).exchange(limit=1)


def test_all_is_well_after_the_params_were_put_again(queue):
    """A put after the loss makes it a queue like any other, in which what runs here is known."""
    engine = queue.filled(3)
    (task,) = take(engine, 1)
    flush(queue)
    with pytest.raises(EngineUnavailable):
        engine.renew([task])
    put = queue.open("b").put(tasks(3))
    assert (put.added, put.known) == (2, {"leased": 1})
    rest = take(engine, 2)
    assert engine.exchange([Ack(task), *map(Ack, rest)], limit=1).state == "ended"


def test_what_was_put_again_before_we_noticed_is_ours(queue):
    """The task that runs here is put again and still pending: it is ours, and is not handed out a second time."""
    engine, other = queue.filled(2), queue.open("b")
    held = take(engine, 2)
    flush(queue)
    queue.open("c").put(tasks(2))
    with pytest.raises(EngineUnavailable, match="2 tasks that run here go on"):
        engine.renew(held)
    with pytest.raises(EngineUnavailable, match="lost its data"):
        other.exchange(limit=2)
    assert other.exchange(limit=2).tasks == ()
    assert engine.exchange([Ack(task) for task in held]).state == "ended"
    assert engine.counts() == Counts(0, 0, 0, 2, 0)


def test_what_somebody_else_took_meanwhile_is_lost(queue):
    """After a loss the same task, put again, was taken by another minion: that one keeps it."""
    engine = queue.filled(1)
    (task,) = take(engine, 1)
    flush(queue)
    other = queue.filled(1, "b")
    (taken,) = take(other, 1)
    with pytest.raises(EngineUnavailable):
        engine.renew([task])
    assert [(gone.task.id, gone.why) for gone in engine.exchange([Ack(task)]).gone] == [(task.id, "lost")]
    assert other.exchange([Ack(taken)]).gone == ()


def test_a_server_that_comes_back_empty_is_a_loss(server):
    """As after a failover to a replica that had nothing yet: told, and what runs goes on."""
    with redis_server.RedisServer() as own:
        queue = Queue(own, options=HURRIED)
        engine = queue.filled(3)
        task, other = take(engine, 2)
        own.kill9()
        for data in glob.glob(f"{own.directory}/{own.port}/appendonlydir"):
            shutil.rmtree(data)
        own.restart()
        refused, said = persistently(lambda: engine.renew([task, other]))
        assert refused == []
        assert any("lost its data" in words for words in said)
        assert engine.exchange([Ack(task)]).gone == ()
        assert engine.counts() == Counts(0, 0, 1, 1, 0)
        queue.close()


def test_a_stream_that_was_deleted_is_a_loss(queue):
    """Without its stream the queue is lost though its books are there; a put adds what is no more."""
    engine = queue.filled(3)
    (task,) = take(engine, 1)
    with queue.client() as client:
        client.delete(queue.stream)
    with pytest.raises(EngineUnavailable, match="lost its stream or its group"):
        engine.exchange(limit=1)
    put = engine.put(tasks(3))
    assert (put.added, put.known) == (2, {"leased": 1})
    rest = take(engine, 2)
    assert engine.exchange([Ack(task), *map(Ack, rest)], limit=1).state == "ended"


def test_a_group_that_was_destroyed_is_made_again(queue):
    """What this minion holds stays its own; what waits, waits; the rest is handed out."""
    engine = queue.filled(4)
    kept, delayed = take(engine, 2)
    engine.exchange([Nack(delayed, delay=60)])
    with queue.client() as client:
        client.xgroup_destroy(queue.stream, "minions")
    with pytest.raises(EngineUnavailable, match="lost its stream or its group"):
        engine.renew([kept])
    assert engine.renew([kept]) == []
    rest = take(engine, 2)
    assert sorted(task.param for task in rest) == ["2", "3"]
    assert engine.exchange(limit=5).tasks == ()
    assert engine.counts() == Counts(0, 1, 3, 0, 0)
    assert engine.exchange([Ack(kept), *map(Ack, rest)]).gone == ()


def test_a_clear_is_no_loss(queue):
    """An administrator cleared the queue: what is held is cancelled, nothing is entered again, and the end is the end."""
    engine, other = queue.filled(3), queue.open("b")
    held = take(engine, 2)
    assert other.remove() == 3
    assert [gone.why for gone in engine.renew(held)] == ["cancelled", "cancelled"]
    assert engine.exchange(limit=1).state == "ended"
    assert engine.queue == other.queue
    assert engine.counts() == Counts(0, 0, 0, 0, 0)


def test_two_clears_in_a_row_are_no_loss(queue):
    """A minion that slept through several clears finds its way to the queue of today."""
    engine, other = queue.filled(2), queue.open("b")
    held = take(engine, 2)
    other.remove()
    other.put(tasks(2))
    other.remove()
    other.put(tasks(1, start=9))
    assert [gone.why for gone in engine.exchange([Ack(task) for task in held]).gone] == ["cancelled", "cancelled"]
    assert [task.param for task in take(engine, 1)] == ["9"]


def test_a_lease_that_was_evicted_does_not_strand_a_task(queue):
    """Keys that the server evicted are made again: what a minion without a lease holds comes back a lease later."""
    ahead = [0.0]
    victim, heir = queue.filled(2, "victim"), queue.open("heir", shift=lambda: ahead[0])
    (held,) = take(victim, 1)
    with queue.client() as client:
        client.delete(queue.key("leases"), queue.key("minions"))
    (own,) = take(heir, 1)
    assert heir.renew([own]) == []
    ahead[0] += 61
    assert heir.renew([own]) == []
    (again,) = take(heir, 1)
    assert (again.id, again.delivery, again.crashes) == (held.id, 2, 1)
