"""Batches of settlements on a real server: large ones, repeated ones, mixed ones."""

from __future__ import annotations

import pytest
from redis_queue import FAILURE, Queue
from steps import take

from minionize.model import Ack, Bury, Counts, Nack


@pytest.fixture
def queue():
    """Give a queue on the server that tests share."""
    queue = Queue()
    yield queue
    queue.close()


def test_a_batch_of_thousands_is_settled_in_one_go(queue):
    """More than any single command of the server's takes: each is done once, and the same again is harmless."""
    engine = queue.filled(2500)
    acks = [Ack(task) for task in take(engine, 2500)]
    assert engine.exchange(acks).gone == ()
    assert engine.exchange(acks).gone == ()
    assert engine.counts() == Counts(0, 0, 0, 2500, 0)


def test_the_same_settlement_twice_in_one_batch_counts_once(queue):
    """Whatever kind it is, and whatever follows for the same delivery."""
    engine = queue.filled(6)
    a, b, c, d, e, f = take(engine, 6)
    failed = (Bury(b, FAILURE), Bury(b, FAILURE), Nack(c), Nack(c), Nack(d), Ack(d), Ack(e), Nack(e))
    assert engine.exchange([Ack(a), Ack(a), *failed]).gone == ()
    assert engine.counts() == Counts(2, 0, 1, 2, 1)
    assert [task.attempt for task in take(engine, 2)] == [2, 2]
    assert engine.exchange([Ack(f), Ack(f)]).gone == ()


def test_a_batch_says_exactly_which_ones_were_refused(queue):
    """Of a batch in which some were taken away, the others are settled."""
    engine, other = queue.filled(5), queue.open("b")
    held = take(engine, 5)
    other.release([held[1].id, held[3].id])
    other.remove([held[4].id])
    gone = engine.exchange([Ack(task) for task in held]).gone
    assert [(one.task.id, one.why) for one in gone] == [
        (held[1].id, "lost"),
        (held[3].id, "lost"),
        (held[4].id, "cancelled"),
    ]
    assert engine.counts() == Counts(2, 0, 0, 2, 0)


def test_what_is_done_is_deleted_from_the_stream(queue):
    """The stream holds what is not settled, and nothing else is kept of a done task than its record."""
    engine = queue.filled(20)
    done = take(engine, 15)
    engine.exchange([Nack(task) for task in done])
    engine.exchange([Ack(task, '"r"') for task in take(engine, 15)])
    with queue.client() as client:
        assert client.xlen(queue.stream) == 5
        assert client.xpending(queue.stream, "minions")["pending"] == 0
        assert client.hlen(queue.key("lives")) == 0
    assert {(entry.delivery, entry.attempt, entry.result) for entry in engine.list("done")} == {(2, 2, '"r"')}
