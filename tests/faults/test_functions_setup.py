"""``setup`` and ``teardown`` of functions: once in each process, and what happens where they are slow, fail, or never end."""

from __future__ import annotations

import os
import signal

import pytest
from functions import call
from harness import has_ended, wait_for_lines, wait_until

from minionize.model import Counts

ONCE = {"MINION_MAX_ATTEMPTS": "1"}
#: A function with hooks, which are defined before it.
HOOKED = """
from minionize import minionize
{}
@minionize(setup=setup, teardown=teardown)
def f(n):
    note("call", n)
    if n == 300:
        os._exit(1)
"""


def hooked(setup="pass", teardown="pass"):
    """Write a function whose hooks do this."""
    hooks = f"def setup():\n    note('setup', os.getpid())\n    {setup}\ndef teardown():\n    note('teardown', os.getpid())\n    {teardown}\n"
    return HOOKED.format(hooks)


def noted(camp, word):
    """List what was noted beside a word."""
    return [line.split()[1] for line in camp.runs() if line.startswith(word + " ")]


def test_hooks_run_once_in_each_process(camp):
    """One for each slot that has work, and for the one that takes the place of a process that crashed."""
    camp.put("1..600")
    minion = call(camp, hooked(), variables=ONCE)
    assert minion.code() == 1, minion.err
    setups, teardowns = noted(camp, "setup"), noted(camp, "teardown")
    assert len(setups) == len(set(setups)) == 2
    assert teardowns == setups[1:]  # the one that crashed cannot


def test_a_slow_setup_hoards_nothing_and_has_no_time_limit(camp):
    """What waits for it is one task a slot, also where calls are known to be short; a time limit is the call's own."""
    gate = camp.gate()
    camp.put("1..600")
    minion = call(camp, hooked(setup="wait()"), *("--timeout", "1s"), variables=ONCE)
    gate.open(1)
    wait_until(lambda: len(noted(camp, "setup")) == 2, "the second process is set up, after the crash")
    wait_until(lambda: camp.counts().leased == 1, lambda: f"only one is held: {camp.counts()}")
    first = camp.counts()
    assert (first.done, first.dead) == (299, 1)
    gate.open(1)
    assert minion.code() == 1, minion.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=599, dead=1)


#: How a setup can go wrong, and what is said of it.
WRONG = {
    "raise KeyError('model')": "setup failed: KeyError: 'model'",
    "import sys; sys.exit('no model')": "setup failed: SystemExit: no model",
    "os._exit(0)": "setup ended its process: exit 0",
    "os._exit(3)": "setup ended its process: exit 3",
    "os.kill(os.getpid(), 11)": "setup ended its process: signal 11",
}


@pytest.mark.parametrize("setup", WRONG)
def test_a_setup_that_fails_ends_the_minion(camp, setup):
    """Nothing is called, nothing is charged, all is given back, and it says why."""
    camp.put("1..5")
    minion = call(camp, hooked(setup=setup), "-j2")
    assert minion.code() == 2, minion.err
    assert WRONG[setup] in minion.err
    assert noted(camp, "call") == []
    assert camp.counts() == Counts(pending=5, delayed=0, leased=0, done=0, dead=0)
    assert {(entry.attempt, entry.crashes) for entry in camp.all_entries()} == {(1, 0)}


@pytest.mark.parametrize("trouble", ["raise KeyError('model')", "os._exit(0)"])
def test_a_setup_that_fails_later_is_tried_again(camp, trouble):
    """It went well here before: what waits for it is given back, uncharged, until it does again."""
    camp.put("1..600")
    minion = call(
        camp,
        hooked(setup=f"if 2 <= len([l for l in open(CAMP + '/ran') if l.startswith('setup')]) <= 3: {trouble}"),
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    assert "Trying again" in minion.err
    assert len(noted(camp, "setup")) == 4
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=599, dead=1)
    assert {entry.attempt for entry in camp.all_entries()} == {1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_minion_that_is_told_to_leave_does_not_wait_for_its_setup(camp, number):
    """A drain neither: there is nothing to drain yet."""
    camp.gate()
    camp.put("1..5")
    minion = call(camp, hooked(setup="wait()"), *("-j2", "--grace", "1h"))
    children = [int(line.split()[1]) for line in wait_for_lines(camp.ran, 2)]
    minion.signal(number)
    assert minion.code() == (99 if number == signal.SIGUSR1 else 128 + number), minion.err
    assert all(map(has_ended, children))
    assert camp.counts() == Counts(pending=5, delayed=0, leased=0, done=0, dead=0)


def test_a_job_that_is_signalled_as_a_whole_while_it_sets_up_was_stopped(camp):
    """A scheduler signals the children first: that is no failure of the setup."""
    camp.gate()
    camp.put("1..5")
    minion = call(camp, hooked(setup="wait()"), "-j2")
    children = [int(line.split()[1]) for line in wait_for_lines(camp.ran, 2)]
    for child in children:
        os.kill(child, signal.SIGTERM)
    minion.has_said("Trying again")
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.counts().pending == 5


def test_a_teardown_that_fails_says_so_and_changes_nothing(camp):
    """What is done is done."""
    camp.put("1..3")
    minion = call(camp, hooked(teardown="raise KeyError('socket')"))
    assert minion.code() == 0, minion.err
    assert "KeyError: 'socket'" in minion.err
    assert camp.counts().done == 3


def test_a_teardown_that_does_not_end_is_killed_after_the_grace(camp):
    """And what is done was settled before."""
    camp.gate()
    camp.put("1..3")
    minion = call(camp, hooked(teardown="wait()"), *("--grace", "0.3s"))
    assert minion.code() == 0, minion.err
    assert has_ended(int(noted(camp, "teardown")[0]))
    assert camp.counts().done == 3


def test_a_teardown_that_does_not_end_can_be_cut_short(camp):
    """By Ctrl-C: what is done was settled before."""
    camp.gate()
    camp.put("1..3")
    minion = call(camp, hooked(teardown="wait()"), *("--grace", "1h"))
    (child,) = wait_until(lambda: noted(camp, "teardown"), "the teardown begins")
    minion.signal(signal.SIGINT)
    assert minion.code() == 0, minion.err
    assert has_ended(int(child))
    assert camp.counts().done == 3


def test_hooks_may_say_as_much_as_they_like(camp):
    """More than a pipe holds, also when nothing runs any more."""
    camp.put("1..3")
    minion = call(camp, hooked(setup="print('s' * 1_000_000)", teardown="print('t' * 1_000_000)"), "--grace", "1h")
    assert minion.code() == 0, minion.err
    assert sorted(map(len, minion.out.split())) == [1_000_000] * 2
    assert minion.out.startswith("s")
