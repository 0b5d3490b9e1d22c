"""Leaving when something else is the matter: a queue that does not answer, a second reason, a child that escaped."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import get_args

import pytest
from harness import has_ended, read_byte, wait_for_lines, wait_for_the_end_of

from minionize import policy

#: Holds the queue's guard until its standard input ends.
HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_EX)
os.write(1, b"!")
os.read(0, 1)
"""
#: A minion that waits for the guard, and when it leaves, for so many seconds only.
IMPATIENT = """
import sys
from minionize import minion
from minionize.engines.guard import Guard
from minionize.cli.minionize import main
minion.PARTING = float(sys.argv[1])
Guard.__init__.__defaults__ = (minion.PARTING,)
sys.exit(main(sys.argv[2:]))
"""


class Holder:
    """Somebody who holds the queue's guard for a while."""

    def __init__(self, camp):
        argv = (sys.executable, "-c", HOLDER, camp.queue_path + "-lock")
        self._process = camp.start(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert read_byte(self._process.popen.stdout.fileno(), "the guard is held") == b"!"

    def let_go(self):
        """Release it."""
        popen = self._process.popen
        popen.stdin.close()
        popen.stdout.close()
        assert self._process.code() == 0


@pytest.mark.parametrize("reason", ["max_tasks", "drain", "settled"])
def test_what_is_finished_is_settled_before_the_minion_leaves_though_the_queue_is_held(camp, reason):
    """It is in no hurry: it waits, for longer than parting may take, and nothing is run twice."""
    gate = camp.gate()
    command = camp.script("command", 'echo "$1" >> ran; read _ < gate')
    camp.put("1" if reason == "settled" else "1..2")
    options = ("--max-tasks", "1") if reason == "max_tasks" else ()
    minion = camp.start(sys.executable, "-c", IMPATIENT, "0.2", *options, command)
    wait_for_lines(camp.ran, 1)
    holder = Holder(camp)
    if reason == "drain":
        minion.signal(signal.SIGUSR1)
        minion.has_taken(signal.SIGUSR1)
    gate.open()
    minion.has_said("held by process")
    holder.let_go()
    assert minion.code() == (0 if reason == "settled" else 99), minion.err
    assert camp.counts().done == 1
    assert camp.counts().leased == 0
    last = camp.minion(command)
    assert last.code() == 0, last.err
    assert camp.runs() == (["1"] if reason == "settled" else ["1", "2"])
    assert {entry.delivery for entry in camp.all_entries()} == {1}


def test_every_reason_to_leave_has_a_rank():
    """One that had none could not be compared with another."""
    assert set(policy.RANKS) == set(get_args(policy.Reason))


def test_reasons_that_need_a_person_prevail_over_those_that_do_not():
    """An exit code tells the worst of what happened: others would start the minion again after a mere end of time."""
    ranks = policy.RANKS
    assert ranks["drain"] < ranks["lifetime"] < ranks["halt"] == ranks["bad_host"] < ranks["signal"]


def test_a_halt_stays_a_halt_when_the_lifetime_ends(camp):
    """Exit 1, although what ran on had a whole lifetime, which did not do either."""
    command = camp.script("command", 'echo "$1" >> ran; test "$1" = 1 && exit 1; exec sleep 1000')
    camp.put("1..2")
    minion = camp.minion("-j2", "--halt", "1", "--max-attempts", "1", "--lifetime", "3s", command)
    assert minion.code() == 1, minion.err
    assert sorted(camp.runs()) == ["1", "2"]
    assert {event["param"]: event["outcome"] for event in camp.events()} == {1: "failed", 2: "timeout"}
    assert [event["reason"] for event in camp.events("minion_stop")] == ["halt"]


def test_a_signal_prevails_over_a_drain(camp):
    """143: whoever stops a minion sees that it was stopped."""
    command = camp.script("command", "echo >> ran; exec sleep 1000")
    camp.put("1..2")
    minion = camp.minion(command)
    wait_for_lines(camp.ran, 1)
    minion.signal(signal.SIGUSR1)
    minion.has_taken(signal.SIGUSR1)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert [event["reason"] for event in camp.events("minion_stop")] == ["signal"]


ESCAPES = "setsid sh -c 'echo $$ >> pids; exec sleep 1000' &"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_minion_takes_along_what_escaped_into_a_session_of_its_own(camp, number):
    """Whoever stops a minion wants the machine back: all of it is gone when the minion is."""
    command = camp.script("command", f"{ESCAPES} wait")
    camp.put("1")
    minion = camp.minion(command)
    (escaped,) = map(int, wait_for_lines(camp.path / "pids", 1))
    minion.signal(number)
    assert minion.code() == 128 + number, minion.err
    assert has_ended(escaped)


def test_a_minion_that_leaves_in_peace_leaves_alone_what_its_tasks_left_running(camp):
    """A task may start what is to outlive it."""
    gate = camp.gate()
    command = camp.script("command", "setsid sh -c 'echo $$ >> pids; read _ < gate' & until [ -s pids ]; do :; done")
    camp.put("1")
    minion = camp.minion(command)
    assert minion.code() == 0, minion.err
    (escaped,) = map(int, wait_for_lines(camp.path / "pids", 1))
    assert not has_ended(escaped)
    gate.open()
    wait_for_the_end_of(escaped)
