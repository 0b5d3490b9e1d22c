"""What the minion and a child say to each other: whatever happens in between, each task is begun once, ended once, or had back."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.model import Task
from minionize.slots.calls import results
from minionize.slots.calls.channel import BATCHES, DONE, Channel, Reply, woken
from minionize.slots.calls.slot import CallSlot


class Both:
    """The minion's side of a slot, and a child that does one step when it is told to."""

    def __init__(self):
        self.channel = Channel(3)
        self.listener, wake = os.pipe2(os.O_NONBLOCK)
        self._files = [self.listener, wake, *self.channel.output, *self.channel.errors]
        self.slot = CallSlot(self.channel, SimpleNamespace(streams=tuple, begin=lambda task: None, end=lambda _: b""))
        self.slot.alive = self.slot.ready = True
        self.reply = Reply(self.channel, wake)
        self.made = 0
        self.ended, self.back = [], []
        self.child = None
        self.be_born()

    def be_born(self):
        """Begin with another child."""
        self.child = SimpleNamespace(sequence=-1, params=[], names=[], at=0, busy=None)

    # ------------------------------------------------------------------ the minion

    def send(self, count):
        """Send a batch, if there is room for one."""
        if len(self.slot.batches) == BATCHES:
            return
        tasks = [Task(f"t{n}", json.dumps(n), 1, n) for n in range(self.made, self.made + count)]
        self.made += count
        self.slot.queue.extend(tasks)
        self.slot.send(tasks)

    def hear(self, _=0):
        """Hear what has ended: in the order of the queue, each with its own result."""
        for _, body in self.channel.records():
            task = self.slot.pop()
            assert body.decode() == task.param
            self.ended.append(int(task.param))

    def withdraw(self, _=0):
        """Take back what has not begun."""
        self.hear()
        self.back += [int(task.param) for task in self.slot.withdraw()]

    # ------------------------------------------------------------------ the child

    def begin(self, _=0):
        """Begin a task, if there is one."""
        if self.child.busy is not None:
            return
        try:
            (token,) = os.read(self.channel.tokens[0], 1)
        except BlockingIOError:
            return
        if token != self.child.sequence:
            texts, names = self.channel.read(token)
            self.child.sequence, self.child.at = token, 0
            self.child.params, self.child.names = results.params(texts), json.loads(names)
        self.child.busy = self.child.params[self.child.at]
        assert self.child.names[self.child.at] == [f"t{self.child.busy}", 1, self.child.busy]
        self.child.at += 1

    def finish(self, _=0):
        """End it."""
        if self.child.busy is not None:
            self.reply.record(DONE, json.dumps(self.child.busy).encode(), False, 0.0, 0.0, 0.0, 0.0, 0)
            self.child.busy = None

    def both(self, times):
        """Begin and end some."""
        for _ in range(times):
            self.begin()
            self.finish()

    def die(self, _=0):
        """End in the middle of whatever it is."""
        self.hear()
        self.back += [int(task.param) for task in self.slot.withdraw()]
        left = [int(task.param) for task in self.slot.queue]
        assert left == ([] if self.child.busy is None else [self.child.busy])  # the one that it died of
        self.slot.queue.clear()
        self.ended += left
        self.slot.forget_child()
        self.slot.alive = self.slot.ready = True
        self.be_born()

    def close(self):
        """Let go of the pipes."""
        self.channel.close()
        for fd in self._files:
            os.close(fd)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "hear", "withdraw", "begin", "finish", "both", "both", "die"]), st.integers(1, 5)
    ),
    max_size=60,
)


@pytest.fixture
def both():
    """Give the two sides."""
    both = Both()
    yield both
    both.close()


@given(STEPS)
def test_no_task_is_lost_or_begun_twice(steps):
    """In whatever order batches are sent, tasks begin and end, are taken back, and children die."""
    both = Both()
    try:
        for name, number in steps:
            getattr(both, name)(number)
        both.withdraw()
        both.finish()
        both.hear()
        assert not both.slot.queue
        assert sorted(both.ended + both.back) == list(range(both.made))
        assert len(both.slot.batches) == 0
    finally:
        both.close()


def test_batches_are_told_apart_for_ever(both):
    """Their numbers come again after 256; also where each is taken back before the child has seen it."""
    for _ in range(600):
        both.send(2)
        both.both(2)
        both.send(3)
        both.withdraw()
    both.hear()
    assert sorted(both.ended + both.back) == list(range(both.made))
    assert len(both.ended) == 1200


def test_a_batch_of_megabytes_is_given_and_the_memory_is_let_go(both):
    """Params are as large as they like; what was large once is not kept."""
    task = Task("a", json.dumps("x" * 5_000_000), 1, 1)
    both.slot.queue.append(task)
    both.slot.send([task])
    file = both.channel.batches[both.slot.sequence % BATCHES]
    (token,) = os.read(both.channel.tokens[0], 1)
    texts, _ = both.channel.read(token)
    assert results.params(texts) == ["x" * 5_000_000]
    both.slot.withdraw()
    both.slot.pop()
    both.send(1)
    both.both(1)
    both.send(1)
    assert os.fstat(file).st_size < 1_000_000


def test_records_longer_than_a_pipe_come_whole(both):
    """They are written and read by pieces."""
    import threading

    body = json.dumps("x" * 500_000).encode()
    thread = threading.Thread(target=both.reply.record, args=(DONE, body, False, 0.0, 0.0, 0.0, 0.0, 0), daemon=True)
    thread.start()
    found = []
    while not found:
        found += [text for _, text in both.channel.records()]
    thread.join(30)
    assert found == [body]


def test_a_record_that_was_not_finished_is_forgotten(both):
    """Its child has died over it; the next one's are read from their beginning."""
    os.write(both.channel.results[1], b"half a record, or less")
    assert list(both.channel.records()) == []
    both.channel.forget()
    both.reply.record(DONE, b"1", False, 0.0, 0.0, 0.0, 0.0, 0)
    assert [body for _, body in both.channel.records()] == [b"1"]


def test_a_child_says_which_slot_it_is_of(both):
    """As often as it likes: a full pipe wakes just as well."""
    for _ in range(100_000):
        both.reply.wake()
    assert woken(os.read(both.listener, 4096)) == {3}
