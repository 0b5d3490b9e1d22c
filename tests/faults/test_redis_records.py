"""What a Redis queue keeps of done tasks, many in one record; and that what leaves the stream together is only what is done."""

from __future__ import annotations

import pytest
from redis_queue import FAILURE, Queue
from steps import take, tasks

from minionize.model import Ack, Bury, Counts, Nack, NewTask


@pytest.fixture
def queue():
    """Give a queue on the server that tests share."""
    queue = Queue()
    yield queue
    queue.close()


def results(engine):
    """Tell the ids and results of what is done, as they are listed."""
    return [(entry.id, entry.result) for entry in engine.list("done")]


# ---------------------------------------------------------------------- records


def test_each_task_of_a_record_keeps_its_own_result_and_past(queue):
    """Done together, with and without a result, some at the second attempt: each is listed and found as what it was."""
    engine = queue.filled(6)
    first = take(engine, 6)
    engine.exchange([Nack(task) for task in first[:2]])
    again = take(engine, 2)
    engine.exchange([*(Ack(task, f'"{task.param}"') for task in again), *(Ack(task) for task in first[2:])])
    found = [(entry.param, entry.attempt, entry.delivery, entry.result) for entry in engine.list("done")]
    assert found == [
        ("0", 2, 2, '"0"'),
        ("1", 2, 2, '"1"'),
        *((str(n), 1, 1, None) for n in range(2, 6)),
    ]
    assert [engine.get(entry.id) for entry in engine.list("done")] == list(engine.list("done"))


def test_results_stay_with_their_tasks_where_some_of_a_batch_were_refused(queue):
    """One was taken away before, another stands twice: the others keep what they left."""
    engine, other = queue.filled(5), queue.open("b")
    held = take(engine, 5)
    other.release([held[1].id])
    acks = [Ack(task, f'"{task.param}"') for task in held]
    gone = engine.exchange([*acks[:3], Ack(held[2], '"again"'), *acks[3:]]).gone
    assert [one.task for one in gone] == [held[1]]
    assert results(engine) == [(task.id, f'"{task.param}"') for task in held if task is not held[1]]


def test_done_tasks_are_listed_oldest_first_over_many_records(queue):
    """However many records there are, and however few tasks are asked for."""
    engine = queue.filled(600)
    held = take(engine, 600)
    for start in range(0, 600, 7):
        engine.exchange([Ack(task) for task in held[start : start + 7]])
    ids = [task.id for task in held]
    assert [entry.id for entry in engine.list("done")] == ids
    assert [entry.id for entry in engine.list("done", limit=10)] == ids[:10]


@pytest.mark.parametrize("size", [10, 20_000], ids=["small", "large"])
def test_a_task_that_is_removed_from_a_record_leaves_the_others_as_they_were(queue, size):
    """One after the other, until nothing is left of it; what was removed may be put again."""
    engine = queue.filled(4)
    held = take(engine, 4)
    engine.exchange([Ack(task, f'"{task.param * size}"') for task in held])
    expected = [(task.id, f'"{task.param * size}"') for task in held]
    while expected:
        id, _ = expected.pop(len(expected) // 2)
        assert engine.remove([id]) == 1
        assert (results(engine), engine.get(id)) == (expected, None)
        assert engine.counts() == Counts(0, 0, 0, len(expected), 0)
    with queue.client() as client:
        assert not client.exists(queue.key("done"), queue.key("ids"))
    assert engine.put(tasks(4)).added == 4


def test_a_batch_of_large_results_is_kept_whole(queue):
    """Half a thousand of 64 KiB, the most that a result may have, in one settlement: several records, each result its own."""
    engine = queue.filled(500)
    held = take(engine, 500)
    assert engine.exchange([Ack(task, '"' + task.param.ljust(65_534, ".") + '"') for task in held]).gone == ()
    found = [(entry.id, entry.result[1:].rstrip('."'), len(entry.result)) for entry in engine.list("done")]
    assert found == [(task.id, task.param, 65_536) for task in held]


def test_a_record_tells_tasks_apart_whatever_characters_they_are_of(queue):
    """What stands between them in a record may be in a param or a result that is no JSON; half of a surrogate pair too."""
    engine = queue.open()
    with queue.client() as client:
        client.xadd(queue.stream, {"minionize": "odd\n\x1e\x1f"})
    engine.put([NewTask("half", '"\udce9"'), NewTask("plain", "7")])
    odd, half, plain = take(engine, 3)
    assert (odd.id, odd.param, half.param) == ("odd", "\x1e\x1f", '"\udce9"')
    engine.exchange([Ack(odd, "\x1f"), Ack(half, '"\udce9"'), Ack(plain, "8")])
    assert results(engine) == [("odd", r"\u001f"), ("half", '"\udce9"'), ("plain", "8")]
    assert [entry.param for entry in engine.list("done")] == [r"\u001e\u001f", '"\udce9"', "7"]


@pytest.mark.parametrize("text", ["", "7", "\n7", "name\n", "a\0b\n7", "two\0\nlines\n7", "x" * 2000 + "\n7"])
def test_one_odd_message_spoils_none_of_those_that_are_read_with_it(queue, text):
    """Messages of ours are read together; where one only looks like it, each is read for itself."""
    engine = queue.filled(2)
    with queue.client() as client:
        entry = client.xadd(queue.stream, {"minionize": text}).decode()
    engine.put(tasks(1, start=2))
    first, second, odd, last = take(engine, 4)
    assert [task.param for task in (first, second, last)] == ["0", "1", "2"]
    assert odd.id in (entry, "name")
    assert engine.exchange([Ack(first), Bury(odd, FAILURE), Ack(second), Ack(last)]).gone == ()
    assert [dead.id for dead in engine.list("dead")] == [odd.id]
    assert engine.counts() == Counts(0, 0, 0, 3, 1)


# ---------------------------------------------------------------------- leaving the stream


def test_what_nobody_holds_any_more_is_not_deleted_with_what_is_done_around_it(queue):
    """Somebody deleted a consumer by hand: its tasks stand among those that are done and cut off, and come back."""
    engine, victim = queue.filled(70), queue.open("victim")
    before, lost, after = take(engine, 30), take(victim, 5), take(engine, 30)
    with queue.client() as client:
        client.xgroup_delconsumer(queue.stream, "minions", "victim")
        assert engine.exchange([Ack(task) for task in (*before, *after)]).gone == ()
        assert client.xlen(queue.stream) == 10
    assert engine.release() == 5
    again = take(engine, 10)
    assert sorted(int(task.param) for task in again) == [*range(30, 35), *range(65, 70)]
    assert {task.id for task in lost} < {task.id for task in again}


@pytest.mark.parametrize("size", [1, 300], ids=["small", "large"])
def test_what_others_hold_or_wait_for_stays_when_all_around_it_is_done(queue, size):
    """Held by another minion, delayed, pending: only what is done goes, whether it stood first or not, in whatever order."""
    engine, other = queue.open(), queue.open("b")
    engine.put(NewTask(f"{n:016x}", '"' + str(n).ljust(size) + '"') for n in range(200))
    mine, theirs, more = take(engine, 90), take(other, 20), take(engine, 80)
    delayed = mine.pop(40)
    assert engine.exchange([Nack(delayed, delay=60), *(Ack(task) for task in (*more[::-1], *mine))]).gone == ()
    assert engine.counts() == Counts(10, 1, 20, 169, 0)
    with queue.client() as client:
        assert client.xlen(queue.stream) == 31
    assert other.exchange([Ack(task) for task in theirs]).gone == ()
    assert len(take(engine, 10)) == 10
