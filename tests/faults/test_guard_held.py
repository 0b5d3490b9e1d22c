"""A process that holds the queue's guard and stands still: others wait, say whom they wait for, and go on."""

from __future__ import annotations

import signal
import sys

import pytest
from harness import state_of, wait_for_lines, wait_until

from minionize.model import Counts

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


def impatient(camp, *arguments):
    """Start a minion that soon complains."""
    return camp.start(sys.executable, "-c", IMPATIENT, "0.2", *arguments)


def stopped_in(camp, step, *arguments):
    """Start a minion and stop it while it holds the guard."""
    holder = camp.halting(step, *arguments)
    holder.wait()
    holder.signal(signal.SIGSTOP)
    wait_until(lambda: state_of(holder.pid) == "T", "the minion is stopped")
    return holder


def test_a_minion_waits_for_a_stopped_one_and_goes_on_with_it(camp):
    """It names the process and how to wake it, loses nothing, and says when the queue answers again."""
    gate = camp.gate()
    command = camp.script("command", 'echo "$1" >> ran; read _ < gate')
    camp.put("1..4")
    waiting = impatient(camp, command)
    wait_for_lines(camp.ran, 1)
    holder = stopped_in(camp, "in the transaction of a claim", command)
    gate.open()
    waiting.has_said(f"held by process {holder.pid} (python")
    waiting.has_said(", which is stopped) for over 0.2 s")
    waiting.has_said(f"kill -CONT {holder.pid}")
    holder.go_on()
    holder.signal(signal.SIGCONT)
    waiting.has_said("the queue answers again")
    assert waiting.code() == 0, waiting.err
    assert holder.code() == 0, holder.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=4, dead=0)
    assert sorted(camp.runs()) == ["1", "2", "3", "4"]


def test_a_minion_goes_on_when_the_holder_is_killed(camp):
    """The kernel lets go of the lock, and SQLite of what was half written."""
    gate = camp.gate()
    command = camp.script("command", 'echo "$1" >> ran; read _ < gate')
    camp.put("1..4")
    waiting = impatient(camp, command)
    wait_for_lines(camp.ran, 1)
    holder = stopped_in(camp, "in the transaction of a claim", command)
    gate.open()
    waiting.has_said(f"held by process {holder.pid}")
    holder.kill()
    assert waiting.code() == 0, waiting.err
    assert camp.counts() == Counts(0, 0, 0, 4, 0)


def test_time_limits_hold_while_the_queue_does_not_answer(camp):
    """The main thread does not wait for it."""
    camp.gate()
    command = camp.script("command", "echo $$ >> ran; exec sleep 1000")
    camp.put("1..2")
    waiting = impatient(camp, "--timeout", "1s", "--max-attempts", "1", "--reporter", "stdout", command)
    wait_for_lines(camp.ran, 1)
    holder = stopped_in(camp, "in the transaction of a claim", command)
    wait_until(lambda: '"outcome":"timeout"' in waiting.out, "the child is stopped in time")
    assert state_of(holder.pid) == "T"
    holder.kill()
    assert waiting.code() == 1, waiting.err
    assert camp.counts().dead == 2


def test_a_minion_that_finds_the_guard_held_at_its_start_says_so_and_leaves(camp):
    """69: the queue could not be reached, and nothing was taken."""
    command = camp.script("command", "echo >> ran")
    camp.put("1..2")
    holder = stopped_in(camp, "in the transaction of a claim", command)
    late = impatient(camp, command)
    assert late.code() == 69
    assert f"held by process {holder.pid}" in late.err
    assert camp.runs() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_minion_can_be_stopped_while_it_waits_for_the_guard(camp, number):
    """Its children end; its task comes back when it can be seen to be gone."""
    command = camp.script("command", "echo $$ >> ran; test -e go || exec sleep 1000")
    camp.put("1..2")
    waiting = impatient(camp, command)
    (child,) = map(int, wait_for_lines(camp.ran, 1))
    holder = stopped_in(camp, "in the transaction of a claim", command)
    waiting.signal(number)
    assert waiting.code() == 128 + number, waiting.err
    assert state_of(child) in ("", "Z")
    assert "what was held comes back" in waiting.err
    holder.kill()
    (camp.path / "go").touch()
    assert camp.minion(command).code() == 0
    assert camp.counts().done == 2
