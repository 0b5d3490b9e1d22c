"""The google engine's arithmetic of delays, and what it keeps for a moment."""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip("google.pubsub_v1")

from minionize.engines.broker.channel import Received
from minionize.engines.google.calls import Handle
from minionize.engines.google.delays import DELAY, Clock, remaining, with_delay
from minionize.engines.google.keeper import Keeper
from minionize.engines.google.pace import Pace

#: Seconds until something that has to happen is believed not to.
PATIENCE = 20.0


def message(delay, published=1000.0):
    """Make a message that was published then, to be handed out so much later."""
    return Received("key", b"", with_delay({"colour": "red"}, delay), Handle("ack", 0, published))


def test_a_message_without_a_delay_is_due():
    """Nothing is written where there is none, and what an earlier publish wrote is taken away."""
    assert with_delay({"colour": "red", DELAY: "7"}, 0.0) == {"colour": "red"}
    assert remaining(message(0.0), 1000.0) == 0.0


def test_a_delay_counts_from_when_the_service_got_the_message():
    """Whenever it is handed out before, the rest of the delay is what is left."""
    assert remaining(message(90.0), 1000.0) == 90.0
    assert remaining(message(90.0), 1089.5) == 0.5
    assert remaining(message(90.0), 1090.0) == 0.0
    assert remaining(message(90.0), 5000.0) == 0.0


def test_delays_beyond_the_ten_minutes_of_the_service_are_kept():
    """Weeks, if that is asked for; never for ever."""
    assert remaining(message(3 * 7 * 86400.0), 1000.0 + 86400.0) == 20 * 86400.0
    assert remaining(message(float("inf")), 1000.0) == 3650 * 86400.0


def test_a_clock_that_is_behind_makes_no_delay_longer_than_it_was():
    """Such a minion may let go of a message for its whole delay again, and no longer."""
    assert remaining(message(5.0), 0.0) == 5.0


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "1e99", ""])
def test_what_is_no_delay_is_none(text):
    """Anybody may write into a message."""
    assert remaining(Received("key", b"", {DELAY: text}, Handle("ack", 0, 1000.0)), 1000.0) == 0.0


def test_messages_are_kept_until_they_are_due_in_their_order():
    """The first one that is due comes first, whichever was kept first."""
    offered, complete = [], threading.Event()

    def offer(one):
        offered.append((one.key, time.monotonic()))
        if len(offered) == 2:
            complete.set()

    keeper, began = Keeper(offer), time.monotonic()
    keeper.keep(message(0.0)._replace(key="late"), 0.1)
    keeper.keep(message(0.0)._replace(key="soon"), 0.02)
    assert complete.wait(PATIENCE)
    assert [key for key, _ in offered] == ["soon", "late"]
    assert offered[1][1] - began >= 0.1
    assert keeper.close(PATIENCE) == []


def test_what_is_kept_when_all_ends_is_handed_over():
    """So that it can be given back; nothing is offered any more."""
    offered = []
    keeper = Keeper(offered.append)
    keeper.keep(message(0.0), 1000.0)
    assert len(keeper) == 1
    assert [one.key for one in keeper.close(PATIENCE)] == ["key"]
    assert offered == []


# ---------------------------------------------------------------------- what time it is, and how fast the network is


def test_the_service_is_not_earlier_than_what_it_has_published():
    """A clock that is behind is put right by it; one that is ahead is left alone, as nothing tells."""
    clock = Clock(lambda: 1000.0)
    assert clock.now() == 1000.0
    clock.learn([1500.0, 1400.0])
    clock.learn([])
    clock.learn([900.0])
    assert 1500.0 <= clock.now() < 1500.0 + PATIENCE
    assert Clock(lambda: 9000.0).now() == 9000.0


def test_a_pull_that_brought_nothing_is_followed_by_one_for_less_with_more_time():
    """Until messages arrive; then there is time for twice as many, and no more than that."""
    pace = Pace()
    assert (pace.limit, pace.timeout(2.0)) == (1000, 3.0)
    pace.nothing_came(2.0)
    assert (pace.limit, pace.timeout(2.0)) == (250, 6.0)
    for _ in range(10):
        pace.nothing_came(2.0)
    assert (pace.limit, pace.timeout(2.0)) == (1, 30.0)
    assert pace.timeout(60.0) == 61.0
    pace.came(12.0)
    assert (pace.limit, pace.timeout(2.0)) == (2, 24.0)
    for _ in range(20):
        pace.came(0.1)
    assert (pace.limit, pace.timeout(2.0)) == (1000, 3.0)
