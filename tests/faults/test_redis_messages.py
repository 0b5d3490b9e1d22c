"""Messages in the stream: ours, those that others publish, those that are no params, and large ones."""

from __future__ import annotations

import json
import sys
import time

import pytest
from redis_queue import FAILURE, Queue
from steps import take, tasks

from minionize.errors import BadParam, UsageError
from minionize.model import Ack, Bury, Counts, Nack, NewTask


@pytest.fixture
def queue():
    """Give a queue on the server that tests share."""
    queue = Queue()
    yield queue
    queue.close()


def publish(queue, *params, field="param"):
    """Publish as a program in any language would; returns the entries."""
    with queue.client() as client:
        return [client.xadd(queue.stream, {field: param}).decode() for param in params]


def test_a_plain_xadd_is_a_put(queue):
    """A stream that somebody else made and filled is a queue: ids are its entries, params keep their digits."""
    entries = publish(queue, '{"seed": 1, "alpha": 0.10}', "7")
    engine = queue.open(create=False)
    assert engine.counts() == Counts(2, 0, 0, 0, 0)
    first, second = take(engine, 2)
    assert [(task.id, task.param, task.error) for task in (first, second)] == [
        (entries[0], '{"seed":1,"alpha":0.10}', ""),
        (entries[1], "7", ""),
    ]
    assert engine.exchange([Ack(first), Ack(second)]).state == "ended"
    assert engine.counts() == Counts(0, 0, 0, 2, 0)


def test_an_endless_stream_does_not_make_the_queue_grow(queue):
    """What others published is only counted once it is done: no record, no id."""
    publish(queue, *map(str, range(50)))
    engine = queue.open()
    engine.exchange([Ack(task) for task in take(engine, 50)])
    with queue.client() as client:
        kept = {key.decode(): client.type(key) for key in client.scan_iter(f"{queue.stream}*")}
        assert client.xlen(queue.stream) == 0
    assert not {queue.key(name) for name in ("ids", "done", "dead", "lives", "waiting")}.intersection(kept)
    assert engine.counts().done == 50


@pytest.mark.parametrize(
    ("field", "content", "why"),
    [
        ("param", "{no json", "cannot be decoded"),
        ("param", b"\xff\xfe", "no UTF-8"),
        ("text", "7", "has no field param, only: text"),
        ("param", '{"a": NaN}', "cannot be decoded"),
    ],
)
def test_what_is_no_param_is_handed_out_with_the_reason_and_buried(queue, field, content, why):
    """It becomes a dead letter that can be read, found, put back as it was, and buried again."""
    (entry,) = publish(queue, content, field=field)
    engine = queue.open()
    (task,) = take(engine, 1)
    assert (task.id, why in task.error) == (entry, True), task.error
    json.loads(task.param)
    assert engine.exchange([Bury(task, FAILURE)]).state == "ended"
    (dead,) = engine.list("dead")
    assert (dead.id, dead.param, dead.failure) == (entry, task.param, FAILURE)
    assert engine.retry([entry]) == 1
    (again,) = take(engine, 1)
    assert (again.id, again.param, again.error != "", again.delivery) == (entry, task.param, True, 2)
    assert engine.exchange([Bury(again, FAILURE)]).gone == ()
    assert engine.counts() == Counts(0, 0, 0, 0, 1)


def test_what_others_published_lives_like_any_task(queue):
    """It is given back with a delay, charged, listed, found by a beginning, dead, retried and removed."""
    with queue.client() as client:
        first, second = (
            client.xadd(queue.stream, {"param": '"x"'}, id=id).decode() for id in ("1700000000001-5", "1700000000012-0")
        )
    engine = queue.open()
    x, y = take(engine, 2)
    assert engine.exchange([Nack(x), Nack(y, delay=60)]).gone == ()
    (again,) = take(engine, 1)
    assert (again.id, again.attempt, again.delivery) == (first, 2, 2)
    assert [entry.id for entry in engine.list("delayed")] == [second]
    assert engine.get("17000000000120") is None
    assert engine.get("170000000001").id == engine.get("1700000000012-").id == second
    with pytest.raises(UsageError, match="2 tasks"):
        engine.get("17")
    engine.exchange([Bury(again, FAILURE)])
    assert engine.get(first).state == "dead"
    assert engine.retry() == 1
    (once_more,) = take(engine, 1)
    assert (once_more.id, once_more.attempt) == (first, 1)
    assert engine.exchange([Ack(once_more)]).gone == ()
    assert engine.remove([second]) == 1
    assert engine.exchange().state == "ended"


def test_identity_takes_the_text_as_a_string(queue):
    """REDIS_DECODER=identity: whatever text it is."""
    publish(queue, "{no json", "7")
    engine = queue.open(decoder_name="identity")
    assert [task.param for task in take(engine, 2)] == ['"{no json"', '"7"']


def test_a_function_of_the_users_decodes(queue, tmp_path, monkeypatch):
    """REDIS_DECODER=module:function, from the current directory: any JSON value; what it raises is the reason."""
    (tmp_path / "my_decoder.py").write_text(
        "def pairs(text):\n    return dict(p.split('=') for p in text.split(','))\n"
    )
    monkeypatch.chdir(tmp_path)
    publish(queue, "a=1,b=2", "nonsense")
    engine = queue.open(decoder_name="my_decoder:pairs")
    good, bad = take(engine, 2)
    assert (good.param, good.error) == ('{"a":"1","b":"2"}', "")
    assert "ValueError" in bad.error
    assert "" not in sys.path[:1]
    sys.modules.pop("my_decoder")


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such_function", "json:__name__"])
def test_a_decoder_that_cannot_be_had_is_a_usage_error(queue, name):
    """It names the variable, before anything is taken."""
    with pytest.raises(UsageError, match="REDIS_DECODER"):
        queue.open(decoder_name=name)


def test_five_megabytes_go_round(queue):
    """A param of 5 MB is put, taken, given back and done; its record keeps its size only."""
    param = json.dumps("x" * 5_000_000)
    engine = queue.open()
    engine.put([NewTask("large", param)])
    (task,) = take(engine, 1)
    assert task.param == param
    engine.exchange([Nack(task)])
    (task,) = take(engine, 1)
    assert (task.param, task.delivery) == (param, 2)
    engine.exchange([Ack(task)])
    assert json.loads(engine.get("large").param) == "(5000002 bytes, not kept)"


def test_large_params_travel_a_few_at_a_time(queue):
    """An answer is bounded in bytes, and all come in the end."""
    param = json.dumps("x" * 1_000_000)
    engine = queue.open()
    engine.put([NewTask(f"large{n}", param) for n in range(12)])
    first = engine.exchange(limit=12).tasks
    assert 0 < len(first) < 12
    assert len({task.id for task in (*first, *take(engine, 12 - len(first)))}) == 12


def test_a_param_beyond_the_limit_is_refused_with_advice(queue):
    """Nothing of that put is added."""
    engine = queue.open()
    with pytest.raises(BadParam, match="at most") as refused:
        engine.put([*tasks(2), NewTask("huge", json.dumps("x" * engine.traits.param_limit))])
    assert "file" in str(refused.value)
    assert engine.counts().pending == 0


def test_messages_that_somebody_deleted_hold_up_nothing(queue):
    """An XDEL or XTRIM by others, of what is pending, given back or held: the queue goes on and ends."""
    engine = queue.filled(4)
    held, back = take(engine, 2)
    engine.exchange([Nack(back)])
    with queue.client() as client:
        client.xtrim(queue.stream, maxlen=0, approximate=False)
    assert engine.exchange(limit=4).tasks == ()
    assert engine.exchange([Ack(held)], limit=4).state == "ended"
    assert engine.put(tasks(4)).added >= 3


def test_a_task_with_a_past_is_handed_out_once_though_it_stands_in_the_line_too(queue):
    """Put with a due time or crashes among fresh ones: it comes when it is due, once, and never twice."""
    ahead = [0.0]
    engine, other = (queue.open(uid, shift=lambda: ahead[0]) for uid in ("a", "b"))
    now = time.time()
    past = [
        NewTask("later", "100", due=now + 60),
        NewTask("again", "101", attempt=2),
        NewTask("suspect", "102", crashes=2),
    ]
    engine.put([*tasks(1), *past, *tasks(1, start=1)])
    assert engine.counts() == Counts(4, 1, 0, 0, 0)
    (alone,) = take(engine, 1)
    assert alone.id == "suspect"
    (again,) = take(other, 1)
    assert (again.id, again.attempt, again.delivery) == ("again", 2, 1)
    fresh = take(other, 2)  # reads past all of them
    assert [task.param for task in fresh] == ["0", "1"]
    assert engine.renew([alone]) == []
    assert other.renew([again, *fresh]) == []
    assert other.exchange(limit=5).tasks == ()
    for ahead[0] in (30, 61):
        assert engine.renew([alone]) == []
        assert other.renew([again, *fresh]) == []
    (later,) = take(other, 1)
    assert later.id == "later"
    assert engine.exchange([Ack(alone)]).gone == ()
    assert other.exchange([Ack(again), Ack(later), *map(Ack, fresh)]).state == "ended"
    assert engine.counts() == Counts(0, 0, 0, 5, 0)


def test_what_only_says_that_it_is_ours_poisons_nobody(queue):
    """A message in our own form with bytes that are no text is a task with an error, as any other bad one."""
    with queue.client() as client:
        client.xadd(queue.stream, {"minionize": b"\xff\n\xfe"})
        client.xadd(queue.stream, {"minionize": "no", "7": "8"})
    engine = queue.open()
    bad, odd = take(engine, 2)
    assert "no UTF-8" in bad.error
    assert odd.error or odd.param == "8"
    assert engine.exchange([Bury(bad, FAILURE), Ack(odd)]).state == "ended"
    assert engine.counts() == Counts(0, 0, 0, 1, 1)


def test_what_was_handed_out_and_vanished_from_the_group_is_released(queue):
    """Somebody deleted our consumer, or acknowledged by hand: a release of all that is lost finds it; the holder learns it."""
    engine, other = queue.filled(5), queue.open("b")
    held = take(engine, 3)
    with queue.client() as client:
        client.xack(queue.stream, "minions", held[0].handle.entry)
        client.xgroup_delconsumer(queue.stream, "minions", "a")
    (kept,) = take(other, 1)
    assert other.release() == 3
    again = take(other, 4)
    assert sorted((task.param, task.delivery) for task in again) == [("0", 2), ("1", 2), ("2", 2), ("4", 1)]
    assert [gone.why for gone in engine.renew(held)] == ["lost"] * 3
    assert other.exchange([Ack(kept), *map(Ack, again)]).state == "ended"
