"""What is in a message on a broker, and what anybody may have written there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.engines.broker import envelope
from minionize.engines.broker.channel import Received
from minionize.engines.decoding import decoder
from minionize.model import Failure, NewTask, Task

IDENTITY, JSON = decoder("identity", "X"), decoder("json", "X")
texts = st.text(st.characters(codec="utf-8"))
names = st.sampled_from(
    [envelope.MARK, envelope.RAW, envelope.FOR, envelope.ID, envelope.ATTEMPT, envelope.DELIVERY, envelope.CRASHES]
    + [f"{envelope.FAILURE}_{n}" for n in range(3)]
    + ["other"]
)


def received(data, attributes, key="key"):
    """Make a message as a broker hands it out."""
    return Received(key, data, attributes, None)


def task_of(message, decode=IDENTITY):
    """Read a message as a task that is held."""
    content = envelope.read(message, decode)
    return Task(content.id, content.param, content.attempt, content.delivery, content.crashes, error=content.error)


def test_what_is_put_is_read_as_it_was():
    """Its id, its param to the digit, its past."""
    task = task_of(received(*envelope.fresh(NewTask("ab12", '{"x": 0.10, "y": "\\ud800"}', 3, 1))))
    assert task == Task("ab12", '{"x": 0.10, "y": "\\ud800"}', 3, 1, 1)


def test_what_somebody_else_published_is_read_by_the_decoder():
    """A task at its first attempt, with an id of its message's own, the same each time it is handed out."""
    message = received(b'{"x": 0.10}', {"origin": "sensor"}, "7:0")
    assert task_of(message).param == '"{\\"x\\": 0.10}"'
    assert task_of(message, JSON).param == '{"x":0.10}'
    assert task_of(message).id == task_of(message, JSON).id != task_of(message._replace(key="7:1")).id


def test_a_copy_says_what_became_of_the_task():
    """One attempt and one delivery more; what somebody else published stays as it was published."""
    message = received(b"a b", {"origin": "sensor"})
    copy = received(b"a b", envelope.again(message, task_of(message), attempt=2, subscription="s"), "another")
    assert task_of(copy) == task_of(message)._replace(attempt=2, delivery=2)
    assert copy.attributes["origin"] == "sensor"
    assert [envelope.is_for(copy, name) for name in ("s", "t")] == [True, False]
    assert envelope.is_for(message, "t")


@given(texts, texts, st.sampled_from([b"1", b"\xff", b"{no json", b"x" * 100]))
def test_a_dead_letter_tells_its_failure_and_comes_back_as_new(reason, stderr, data):
    """Whatever the command wrote: in pieces that any broker takes."""
    message = received(data, {"origin": "sensor"})
    failure = Failure("exit", reason[:500], 3, None, stderr[-4096:], "a", "host", 1700000000.25)
    task = task_of(message)._replace(attempt=3, crashes=1)
    letter = received(data, envelope.dead(message, task, failure), "another")
    entry = envelope.entry(letter, IDENTITY)
    assert (entry.id, entry.state, entry.attempt, entry.crashes, entry.failure) == (task.id, "dead", 3, 1, failure)
    assert max(len(value.encode()) for value in letter.attributes.values()) <= 1024
    again = received(data, envelope.revived(letter, "s", IDENTITY), "third")
    assert task_of(again)._replace(delivery=1) == task_of(message)


def test_a_failure_too_long_for_a_broker_loses_the_beginning_of_its_stderr():
    """The end says why it failed."""
    failure = Failure("exit", "x" * 5000, stderr="\U0001f600" * 4096 + "the end")
    message = received(b"1", {})
    letter = received(b"1", envelope.dead(message, task_of(message), failure))
    found = envelope.entry(letter, IDENTITY).failure
    assert found.stderr.endswith("the end")
    assert sum(map(len, letter.attributes.values())) < 13_000


def test_an_id_that_no_attribute_holds_is_replaced():
    """By one made of it, so that the same task has the same one."""
    _, attributes = envelope.fresh(NewTask("a\ud800", "1"))
    assert attributes[envelope.ID].isalnum()
    assert attributes == envelope.fresh(NewTask("a\ud800", "1"))[1]


@pytest.mark.parametrize("data", [b"{no json", b"", b"\xff"])
def test_what_says_that_it_is_ours_and_is_no_json_is_no_param(data):
    """Anybody may write that; unread it would go into every line that is written about the task."""
    task = task_of(received(data, {envelope.MARK: "1"}))
    assert "cannot be decoded" in task.error
    assert isinstance(json.loads(task.param), str)


def test_attributes_that_are_no_numbers_make_a_dead_letter_not_an_error():
    """Anybody may write them."""
    message = received(b"1", {envelope.MARK: "1", envelope.ATTEMPT: "many"})
    assert "many" in task_of(message).error


@given(st.binary(max_size=50), st.dictionaries(names, texts, max_size=8), texts)
def test_nothing_that_anybody_may_write_raises(data, attributes, key):
    """Neither reading, nor copying, nor burying, nor putting back."""
    message = received(data, attributes, key)
    task = task_of(message, JSON)
    assert task.id
    assert isinstance(envelope.is_newer(message), bool)
    envelope.again(message, task, attempt=2, subscription="s")
    letter = received(data, envelope.dead(message, task, Failure("exit", "x")))
    assert envelope.entry(letter, JSON).id == task.id
    assert envelope.read(received(data, envelope.revived(letter, "s", JSON)), JSON).id == task.id
