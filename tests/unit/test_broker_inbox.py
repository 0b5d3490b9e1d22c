"""Where threads that receive meet the one that takes."""

from __future__ import annotations

import threading

import pytest

from minionize.engines.broker import inbox as module
from minionize.engines.broker.channel import Received
from minionize.engines.broker.inbox import Inbox

BOUND = 20.0


def message(name):
    """Make a message."""
    return Received(name, b"", {}, None)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Shorten the time for which a message waits for its taker."""
    monkeypatch.setattr(module, "GRACE", 0.05)


def beside(act):
    """Run ``act`` in a thread; returns a function that waits for what it returned."""
    found = []
    thread = threading.Thread(target=lambda: found.append(act()), daemon=True)
    thread.start()

    def result():
        thread.join(BOUND)
        assert found, "the thread did not end"
        return found[0]

    return result


def test_what_is_offered_is_taken_by_who_waits():
    """And the thread that offered learns that nothing is left."""
    inbox = Inbox()
    taken = beside(lambda: inbox.take(2, BOUND))
    assert inbox.wanted(BOUND) == 2
    assert inbox.offer([message("a"), message("b")]) == []
    assert [one.key for one in taken()] == ["a", "b"]


def test_what_comes_for_nobody_is_given_back():
    """After a moment, in which the taker may ask again."""
    inbox = Inbox()
    assert [one.key for one in inbox.offer([message("a")])] == ["a"]
    assert inbox.take(1, 0.0) == []


def test_who_asks_again_within_the_moment_gets_what_came_between():
    """So nothing goes back and forth between two takes."""
    inbox = Inbox()
    module.GRACE = BOUND
    inbox.take(1, 0.0)
    left = beside(lambda: inbox.offer([message("a")]))
    assert [one.key for one in inbox.take(1, BOUND)] == ["a"]
    assert left() == []


def test_more_than_is_wanted_goes_back():
    """A limit is kept; what is over is for others."""
    inbox = Inbox()
    taken = beside(lambda: inbox.take(1, BOUND))
    assert inbox.wanted(BOUND) == 1
    assert [one.key for one in inbox.offer([message("a"), message("b")])] == ["b"]
    assert [one.key for one in taken()] == ["a"]


def test_a_take_lingers_where_messages_come_singly():
    """Those that follow at once are of the same take."""
    inbox = Inbox(linger=BOUND)
    taken = beside(lambda: inbox.take(3, BOUND))
    for name in "abc":
        assert inbox.wanted(BOUND) > 0
        assert inbox.offer([message(name)]) == []
    assert [one.key for one in taken()] == ["a", "b", "c"]


def test_nothing_is_asked_for_where_nothing_is_wanted():
    """A thread that receives asks the broker only for who waits."""
    inbox = Inbox()
    assert inbox.wanted(0.01) == 0
    inbox.take(1, 0.0)
    assert inbox.wanted(0.01) == 0


def test_a_wake_cuts_one_take_short():
    """The one that goes on, or the next, and no other."""
    inbox = Inbox()
    taken = beside(lambda: inbox.take(1, BOUND))
    assert inbox.wanted(BOUND) == 1
    inbox.wake()
    assert taken() == []
    again = beside(lambda: inbox.take(1, BOUND))
    assert inbox.wanted(BOUND) == 1
    assert inbox.offer([message("a")]) == []
    assert len(again()) == 1


def test_closing_ends_all_waits_and_hands_over_what_is_left():
    """Neither the one that takes nor those that receive stay."""
    inbox = Inbox()
    taken, wanted = beside(lambda: inbox.take(1, BOUND)), beside(lambda: inbox.wanted(BOUND) and inbox.wanted(BOUND))
    inbox.close()
    assert taken() == []
    assert wanted() in (0, 1)
    assert [one.key for one in inbox.offer([message("a")])] == ["a"]
    assert inbox.wanted(BOUND) == 0
