"""Minions that are stopped and go on: Ctrl-Z, a debugger, a laptop's lid, a host that swaps."""

from __future__ import annotations

import signal
import time

from harness import has_ended, state_of, wait_for_lines, wait_for_the_end_of, wait_until

from minionize.model import Counts

#: The first delivery waits at the gate, the next ones end at once.
FIRST_WAITS = 'echo "$MINION_ID $$" >> ran; test -e once && exit 0; echo > once; read _ < gate'


def running(camp, count=1):
    """Wait until so many tasks run, and return the pid of the last one."""
    return int(wait_for_lines(camp.ran, count)[count - 1].split()[-1])


def freeze(process):
    """Stop a process as it cannot resist, and see that it stands."""
    process.signal(signal.SIGSTOP)
    wait_until(lambda: state_of(process.pid) == "T", "the process is stopped")


def test_control_z_stops_the_children_and_going_on_lets_them_go_on(camp):
    """A suspended minion does not leave its tasks computing behind it."""
    gate = camp.gate()
    command = camp.script("command", "echo $$ >> ran; read _ < gate")
    camp.put("1..2")
    minion = camp.minion("-j2", command)
    pids = [minion.pid, running(camp, 1), running(camp, 2)]
    minion.signal(signal.SIGTSTP)
    for pid in pids:
        wait_until(lambda pid=pid: state_of(pid) == "T", f"process {pid} is stopped")
    gate.open()
    assert [state_of(pid) for pid in pids] == ["T"] * 3
    minion.signal(signal.SIGCONT)
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 2
    assert set(camp.outcomes().values()) == {"done"}


def test_a_suspended_minion_can_be_stopped_for_good(camp):
    """SIGTERM and SIGCONT, as a shell sends them at its end: the children obey, the params come back."""
    command = camp.script("command", "echo $$ >> ran; exec sleep 1000")
    camp.put("1")
    minion = camp.minion("--grace", "1h", command)
    child = running(camp)
    minion.signal(signal.SIGTSTP)
    wait_until(lambda: state_of(minion.pid) == "T", "the minion is stopped")
    minion.signal(signal.SIGTERM)
    minion.signal(signal.SIGCONT)
    assert minion.code() == 143, minion.err
    assert has_ended(child)
    assert camp.counts().pending == 1


def test_going_on_right_after_control_z_leaves_nothing_stopped(camp):
    """The two signals may reach a busy minion together."""
    gate = camp.gate()
    command = camp.script("command", "echo $$ >> ran; read _ < gate")
    camp.put("1..2")
    minion = camp.halting("before the second slot starts a child", "-j2", command)
    running(camp)
    minion.wait()
    for number in (signal.SIGTSTP, signal.SIGCONT):
        minion.signal(number)
        minion.has_taken(number)
    minion.go_on()
    running(camp, 2)
    gate.open()
    assert minion.code() == 0, minion.err


def test_a_minion_that_stood_still_beyond_its_lease_has_lost_its_task(camp):
    """Another one takes over; when the first goes on its child is stopped, nothing is done twice, the outcome is lost."""
    camp.gate()
    command = camp.script("command", FIRST_WAITS)
    camp.put("1")
    first = camp.minion("--lease", "1s", "--service", command)
    child = running(camp)
    freeze(first)
    second = camp.minion("--lease", "1s", command)
    assert second.code() == 0, second.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=1, dead=0)
    assert not has_ended(child)
    first.signal(signal.SIGCONT)
    wait_for_the_end_of(child)
    wait_until(lambda: (1, 1) in camp.outcomes(), "the first minion tells what became of its task")
    assert camp.outcomes() == {(1, 1): "lost", (1, 2): "done"}
    first.signal(signal.SIGTERM)
    assert first.code() == 143, first.err
    assert camp.counts().done == 1
    entry = camp.entries()[1]
    assert (entry.delivery, entry.attempt, entry.crashes) == (2, 1, 1)


def test_a_task_that_ended_while_its_minion_stood_still_is_not_done_twice(camp):
    """The settlement is refused, and a second event of the same delivery says so."""
    gate = camp.gate()
    command = camp.script("command", FIRST_WAITS)
    camp.put("1")
    first = camp.minion("--lease", "1s", command)
    child = running(camp)
    freeze(first)
    second = camp.minion("--lease", "1s", command)
    assert second.code() == 0, second.err
    gate.open()
    wait_for_the_end_of(child)
    first.signal(signal.SIGCONT)
    assert first.code() == 0, first.err
    mine = [event["outcome"] for event in camp.events() if event["delivery"] == 1]
    assert mine in (["done", "lost"], ["lost"])
    assert camp.outcomes() == {(1, 1): "lost", (1, 2): "done"}
    assert "1 lost to others" in first.err
    assert camp.counts().done == 1


def test_a_failure_that_is_told_too_late_does_no_harm(camp):
    """Who holds the task now keeps it: no attempt is charged, nothing is given away."""
    gate, second_gate = camp.gate(), camp.gate("gate2")
    command = camp.script(
        "command",
        "echo $$ >> ran; test -e once && { read _ < gate2; exit 0; }; echo > once; read _ < gate; kill -SEGV $$",
    )
    camp.put("1")
    first = camp.minion("--lease", "1s", "--idle-timeout", "0.01s", command)
    child = running(camp)
    freeze(first)
    second = camp.minion("--lease", "1s", command)
    running(camp, 2)
    gate.open()
    wait_for_the_end_of(child)
    first.signal(signal.SIGCONT)
    assert first.code() == 0, first.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=1, done=0, dead=0)
    second_gate.open()
    assert second.code() == 0, second.err
    entry = camp.entries()[1]
    assert (entry.state, entry.delivery, entry.attempt) == ("done", 2, 1)


def test_a_minion_that_stood_still_and_lost_nothing_goes_on(camp):
    """Where nobody took over, a lease that ran out is renewed, and the task is done."""
    gate = camp.gate()
    command = camp.script("command", "echo $$ >> ran; read _ < gate")
    camp.put("1")
    minion = camp.minion("--lease", "0.2s", command)
    running(camp)
    freeze(minion)
    wait_until(lambda: camp.lease() < time.monotonic(), "the lease runs out")
    minion.signal(signal.SIGCONT)
    gate.open()
    assert minion.code() == 0, minion.err
    assert camp.outcomes() == {(1, 1): "done"}
