"""The memory engine fed by a source that is read lazily, as standard input is."""

from __future__ import annotations

import threading

import pytest

from minionize.engines.memory import MemoryEngine, MemoryQueue
from minionize.errors import BadParam, EngineError
from minionize.model import Ack, Identity, Nack, NewTask
from minionize.testing import FakeClock


class Lines:
    """A source of numbered tasks, which records what was asked of it."""

    def __init__(self, total):
        self.left, self.total, self.asked, self.bell = total, total, [], threading.Event()

    @property
    def ended(self):
        """Say whether all were read."""
        return self.left == 0

    def read(self, limit, wait):
        """Hand out the next ones."""
        self.asked.append((limit, wait))
        first, count = self.total - self.left, min(limit, self.left)
        self.left -= count
        return [NewTask(f"id{n}", str(n)) for n in range(first, first + count)]

    def wake(self):
        """Ring."""
        self.bell.set()


class Quiet(Lines):
    """A source that brings nothing and does not end: a terminal where nobody types."""

    def read(self, limit, wait):
        """Wait in vain, as long as one should or until woken."""
        self.asked.append((limit, wait))
        self.bell.wait(wait)
        self.bell.clear()
        return []


def me(uid="a"):
    """Make an identity."""
    return Identity(uid, "host", 1, 1, "boot", "namespace")


def streaming(source, **options):
    """Make an engine that forgets what is done."""
    queue = MemoryQueue(FakeClock(), keep=False, source=source, **options)
    return MemoryEngine(queue, me()), queue


def test_source_is_read_no_further_than_needed():
    """Only as many tasks are read as are asked for and not pending already."""
    source = Lines(100)
    engine, _ = streaming(source)
    tasks = engine.exchange(limit=3).tasks
    assert [task.param for task in tasks] == ["0", "1", "2"]
    engine.exchange([Nack(tasks[0]), Nack(tasks[1])], limit=3)
    assert source.left == 96


def test_no_source_is_read_where_nothing_is_asked_for():
    """Settling alone reads nothing."""
    source = Lines(5)
    engine, _ = streaming(source)
    engine.exchange(limit=0, wait=9)
    assert source.asked == []


def test_pending_is_unknown_until_the_source_ended():
    """Pending is None while more may come, and a number then; so is the state open and then ended."""
    engine, _ = streaming(Lines(1))
    assert engine.counts().pending is None
    assert engine.exchange(limit=0).state == "open"
    (task,) = engine.exchange(limit=1).tasks
    assert engine.counts()[:3] == (0, 0, 1)
    assert engine.exchange([Ack(task)], limit=1).state == "ended"


def test_done_tasks_leave_no_trace_but_their_number():
    """With a source of any length, memory holds what is pending, held or dead, and no more."""
    engine, queue = streaming(Lines(5000))
    delivery = engine.exchange(limit=10)
    while delivery.tasks:
        assert len(queue.records) <= 10
        delivery = engine.exchange([Ack(task) for task in delivery.tasks], limit=10)
    assert engine.counts() == (0, 0, 0, 5000, 0)
    assert not queue.records
    assert not engine.traits.dedup


def test_wake_cuts_a_read_short():
    """A wake from another thread ends the wait for a line."""
    source = Quiet(1)
    engine, _ = streaming(source)
    timer = threading.Timer(0.01, engine.wake)
    timer.start()
    assert engine.exchange(limit=1, wait=30).tasks == ()
    timer.join()
    assert source.asked[0] == (1, 0.0)
    assert source.asked[1][1] > 20


def test_a_read_waits_no_longer_than_a_delay():
    """While a task is delayed, a silent source is waited for only until that is due."""
    source = Quiet(1)
    engine, queue = streaming(source)
    engine.put([NewTask("x", "1")])
    (task,) = engine.exchange(limit=1).tasks
    engine.exchange([Nack(task, delay=7)])
    queue.clock.advance(6.99)
    source.asked.clear()
    waited = []
    source.read = lambda limit, wait: waited.append(wait) or queue.clock.advance(wait) or []
    assert [again.id for again in engine.exchange(limit=1, wait=30).tasks] == ["x"]
    assert max(waited) == pytest.approx(0.01)


def test_what_another_minion_gives_back_ends_a_read():
    """A minion that waits for a line gets what another minion of this process gives back meanwhile."""
    source = Quiet(1)
    engine, queue = streaming(source)
    other = MemoryEngine(queue, me("b"))
    engine.put([NewTask("x", "1")])
    (task,) = other.exchange(limit=1).tasks
    timer = threading.Timer(0.01, lambda: other.exchange([Nack(task)]))
    timer.start()
    assert [again.id for again in engine.exchange(limit=1, wait=30).tasks] == ["x"]
    timer.join()


def test_a_bad_line_is_raised_and_the_queue_goes_on():
    """What the source raises reaches the minion, and the next exchange reads on."""
    source = Lines(1)
    engine, _ = streaming(source)

    def bad(limit, wait):
        raise BadParam("line 3")

    source.read, read = bad, source.read
    with pytest.raises(BadParam, match="line 3"):
        engine.exchange(limit=1)
    source.read = read
    assert len(engine.exchange(limit=1).tasks) == 1


def test_the_name_shown_can_be_set():
    """Standard input is shown as such, and each queue has an identity of its own."""
    first, _ = streaming(Lines(1), where="standard input")
    second, _ = streaming(Lines(1))
    assert (first.where, second.where) == ("standard input", "memory")
    assert first.queue != second.queue


def test_a_closed_engine_says_so():
    """An exchange after closing is an error, not a silent loss."""
    engine, _ = streaming(Lines(1))
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.exchange(limit=1)
