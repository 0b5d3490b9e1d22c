"""Short calls travel in batches: nothing is stuck behind a long one, and limits are kept to the task."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
from functions import call, module
from harness import MINION, wait_for_lines, wait_until

from minionize.model import Counts

ONCE = {"MINION_MAX_ATTEMPTS": "1"}
#: The param 300 waits at the gate, the others are over at once.
MIXED = "def f(n):\n    note(n)\n    if n == 300:\n        wait()\n"


def test_another_slot_does_what_is_behind_a_long_task(camp):
    """All the others are done while it runs."""
    gate = camp.gate()
    camp.put("1..600")
    minion = call(camp, MIXED, "-j2")
    wait_until(lambda: camp.counts().done == 599, lambda: f"599 are done: {camp.counts()}")
    gate.open()
    assert minion.code() == 0, minion.err
    assert sorted(map(int, camp.runs())) == list(range(1, 601))


def test_another_minion_does_what_is_behind_a_long_task(camp):
    """A minion whose only slot is busy hands back what it was ahead; nobody is charged for it."""
    gate = camp.gate()
    camp.put("1..600")
    minion = call(camp, MIXED)
    wait_until(lambda: "300" in camp.runs(), "the long one runs")
    other = call(camp, MIXED, "--wait")
    wait_until(lambda: camp.counts().done == 599, lambda: f"599 are done: {camp.counts()}")
    gate.open()
    assert (minion.code(), other.code()) == (0, 0), other.err
    assert sorted(map(int, camp.runs())) == list(range(1, 601))
    assert {(entry.attempt, entry.crashes) for entry in camp.all_entries()} == {(1, 0)}


def test_tasks_that_turn_long_no_longer_travel_in_batches(camp):
    """What was learned from short ones does not hold for ever: few are held when others could have them."""
    gate = camp.gate()
    camp.put("1..600")
    minion = call(camp, "def f(n):\n    note(n)\n    if n > 300:\n        wait()\n")
    wait_until(lambda: "301" in camp.runs(), "the first long one runs")
    wait_until(lambda: camp.counts().leased == 1, lambda: f"the others are given back: {camp.counts()}")
    gate.open(600)
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 600


@pytest.mark.parametrize("slots", ["-j1", "-j3"])
@pytest.mark.parametrize("most", [1, 7, 333])
def test_exactly_as_many_tasks_run_as_were_granted(camp, slots, most):
    """However short they are."""
    camp.put("1..600")
    minion = call(camp, "def f(n): note(n)", slots, "--max-tasks", str(most))
    assert minion.code() == 99, minion.err
    assert len(camp.runs()) == most
    assert camp.counts() == Counts(pending=600 - most, delayed=0, leased=0, done=most, dead=0)


def test_what_was_granted_is_used_up_also_behind_a_long_task(camp):
    """What was taken back from behind it is not given back to the queue."""
    gate = camp.gate()
    camp.put("1..600")
    minion = call(camp, MIXED, "--max-tasks", "310")
    wait_until(lambda: "300" in camp.runs(), "the long one runs")
    wait_until(lambda: camp.counts().done == 299, "what was before it is settled")
    gate.open()
    assert minion.code() == 99, minion.err
    assert camp.counts().done == 310


def test_a_minion_halts_after_exactly_so_many_dead_tasks(camp):
    """Nothing is begun beyond the last of them."""
    camp.put("1..600")
    minion = call(camp, "def f(n):\n    note(n)\n    assert n % 100\n", "--halt", "2", variables=ONCE)
    assert minion.code() == 1, minion.err
    assert camp.counts() == Counts(pending=400, delayed=0, leased=0, done=198, dead=2)
    assert len(camp.runs()) == 200


def test_a_lifetime_ends_a_batch(camp):
    """What has not begun is given back and charged nothing."""
    camp.gate()
    camp.put("1..600")
    minion = call(camp, MIXED, *("--lifetime", "3s", "--grace", "1s"))
    assert minion.code() == 99, minion.err
    counts = camp.counts()
    assert (counts.done, counts.dead, counts.leased) == (299, 0, 0)
    assert "300" in camp.runs()


def test_minions_that_share_short_tasks_do_each_of_them_once(camp):
    """Four slots of two minions, thousands of tasks."""
    camp.put("1..4000")
    where = module(camp, "def f(n): note(n)")
    minions = [camp.start(*MINION, "--python", where, "-j2") for _ in range(2)]
    assert [minion.code() for minion in minions] == [0, 0], minions[0].err
    assert Counter(camp.runs()).most_common(1)[0][1] == 1
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=4000, dead=0)


def test_many_slots_do_each_task_once(camp):
    """Sixty-four children at a time."""
    camp.put("1..2000")
    minion = call(camp, "def f(n): note(n, os.environ['MINION_SLOT'])", "-j64")
    assert minion.code() == 0, minion.err
    assert sorted(int(line.split()[0]) for line in camp.runs()) == list(range(1, 2001))
    assert {int(line.split()[1]) for line in camp.runs()} <= set(range(64))


def test_minions_that_are_killed_again_and_again_lose_nothing(camp):
    """One of four at a time: each param is done once in the books, and none is charged for what was not its fault."""
    camp.put("1..3000")
    variables = {"MINION_LEASE": "2s", "MINION_MAX_CRASHES": "100"}
    where = module(camp, "import time\ndef f(n):\n    note(n)\n    time.sleep(0.002)\n")

    def start():
        return camp.start(*MINION, "--python", where, "--wait", variables=variables)

    minions = [start() for _ in range(4)]
    killed = 0
    while camp.counts().done < 2700:
        seen = len(camp.runs())
        wait_until(lambda seen=seen: len(camp.runs()) > seen + 250 or camp.counts().done >= 2700, "some more are done")
        minions[killed % 4].kill()
        minions[killed % 4] = start()
        killed += 1
    assert killed > 3
    assert [minion.code() for minion in minions] == [0] * 4, minions[0].err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=3000, dead=0)
    assert {entry.attempt for entry in camp.all_entries()} == {1}
    assert set(map(int, camp.runs())) == set(range(1, 3001))


def test_a_crowd_of_crashing_tasks_costs_each_its_own_attempts(camp):
    """Every tenth task ends its process, among short ones: nobody else is charged, or lost, or done twice."""
    camp.put("1..500")
    minion = call(
        camp,
        """
        def f(n):
            note(n)
            if n % 10 == 0:
                os._exit(3)
        """,
        "-j3",
    )
    assert minion.code() == 1, minion.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=450, dead=50)
    ran = Counter(map(int, camp.runs()))
    assert {n: times for n, times in ran.items() if times != (3 if n % 10 == 0 else 1)} == {}


def test_a_stop_in_the_middle_of_short_tasks_leaves_the_books_in_order(camp):
    """What was done is done once, the rest is pending, nothing is charged."""
    camp.put("1..20000")
    minion = call(camp, "def f(n): note(n)", "-j2")
    wait_for_lines(camp.ran, 2000)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    counts = camp.counts()
    assert (counts.leased, counts.delayed, counts.dead) == (0, 0, 0)
    assert counts.done + counts.pending == 20000
    ran = Counter(camp.runs())
    assert max(ran.values()) == 1
    assert 0 <= len(ran) - counts.done <= 2  # those that were stopped had begun
