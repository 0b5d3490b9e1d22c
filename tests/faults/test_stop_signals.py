"""What asks a minion to leave: SIGTERM, SIGINT, SIGHUP, and SIGUSR1 to drain."""

from __future__ import annotations

import os
import signal

import pytest
from harness import MINION, has_ended, wait_for_lines, wait_for_the_end_of, wait_until

from minionize.model import Counts

STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
#: A task that ends when it is told to by a SIGTERM, or goes on for ever.
OBEDIENT = "echo $$ >> ran; exec sleep 1000"
STUBBORN = "trap 'echo >> heard' TERM; echo $$ >> ran; while :; do sleep 1000 & wait; done"


def running(camp, count=1):
    """Wait until so many tasks run, and return their pids."""
    return [int(line) for line in wait_for_lines(camp.ran, count)]


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_ends_the_children_and_gives_their_params_back(camp, number):
    """No attempt is counted, what was held but not begun comes back too, and the exit code names the signal."""
    command = camp.script("command", OBEDIENT)
    camp.put("1..5")
    minion = camp.minion("-j2", command)
    children = running(camp, 2)
    minion.signal(number)
    assert minion.code() == 128 + number, minion.err
    assert all(map(has_ended, children))
    assert camp.counts() == Counts(pending=5, delayed=0, leased=0, done=0, dead=0)
    assert {(entry.attempt, entry.crashes, entry.failure) for entry in camp.entries().values()} == {(1, 0, None)}
    assert camp.outcomes() == {(1, 1): "interrupted", (2, 1): "interrupted"}
    (stop,) = camp.events("minion_stop")
    assert (stop["reason"], stop["exit"]) == ("signal", 128 + number)


@pytest.mark.parametrize("end", ["exit 0", "exit 7", "kill -9 $$"])
def test_a_child_that_ends_because_we_stopped_it_was_interrupted(camp, end):
    """Whatever its exit code: one that traps SIGTERM and says 0 is not done, and one that says 7 is not charged."""
    command = camp.script("command", f"trap '{end}' TERM; echo $$ >> ran; while :; do sleep 1000 & wait; done")
    camp.put("1")
    minion = camp.minion(command, variables={"MINION_MAX_ATTEMPTS": "1"})
    running(camp)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.counts() == Counts(pending=1, delayed=0, leased=0, done=0, dead=0)
    assert camp.entries()[1].attempt == 1
    assert camp.outcomes() == {(1, 1): "interrupted"}


def test_the_whole_group_of_a_child_is_asked_to_end(camp):
    """Not only its leader: what a script runs hears of it as well."""
    inner = "sh -c 'trap \"echo inner >> heard; exit\" TERM; echo $$ >> ran; while :; do sleep 1000 & wait; done'"
    command = camp.script("command", f"trap 'echo outer >> heard; wait; exit' TERM\n{inner} & wait")
    camp.put("1")
    minion = camp.minion(command)
    running(camp)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert set(wait_for_lines(camp.path / "heard", 2)) == {"inner", "outer"}


def test_a_child_that_ignores_the_stop_is_killed_after_the_grace(camp):
    """It was interrupted all the same."""
    command = camp.script("command", STUBBORN)
    camp.put("1")
    minion = camp.minion("--grace", "0.2s", command)
    (child,) = running(camp)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert has_ended(child)
    wait_for_lines(camp.path / "heard", 1)
    assert camp.outcomes() == {(1, 1): "interrupted"}
    assert camp.counts().pending == 1


def test_a_second_control_c_does_not_wait_for_the_grace(camp):
    """Who presses it again means it."""
    command = camp.script("command", STUBBORN)
    camp.put("1")
    minion = camp.minion("--grace", "1h", command)
    (child,) = running(camp)
    minion.signal(signal.SIGINT)
    wait_for_lines(camp.path / "heard", 1)
    assert not has_ended(child)
    minion.signal(signal.SIGINT)
    assert minion.code() == 130, minion.err
    assert has_ended(child)
    assert camp.counts().pending == 1


def test_two_control_c_that_come_at_once_count_as_two(camp):
    """Even where the minion was too busy to see the first one alone."""
    command = camp.script("command", STUBBORN)
    camp.put("1..2")
    minion = camp.halting("before the second slot starts a child", "-j2", "--grace", "1h", command)
    running(camp, 1)
    minion.wait()
    minion.signal(signal.SIGINT)
    minion.has_taken(signal.SIGINT)
    minion.signal(signal.SIGINT)
    minion.has_taken(signal.SIGINT)
    minion.go_on()
    assert minion.code() == 130, minion.err
    assert camp.counts().pending == 2


def test_a_repeated_sigterm_changes_nothing(camp):
    """Schedulers repeat themselves: a child keeps its whole grace to save its state."""
    gate = camp.gate()
    trap = "echo >> heard; read _ < gate; echo saved > state; exit"
    command = camp.script("command", f"trap '{trap}' TERM; echo $$ >> ran; while :; do sleep 1000 & wait; done")
    camp.put("1")
    minion = camp.minion("--grace", "1h", command)
    (child,) = running(camp)
    for _ in range(3):
        minion.signal(signal.SIGTERM)
        minion.has_taken(signal.SIGTERM)
    wait_for_lines(camp.path / "heard", 1)
    minion.signal(signal.SIGTERM)
    minion.has_taken(signal.SIGTERM)
    assert not has_ended(child)
    gate.open()
    assert minion.code() == 143, minion.err
    assert (camp.path / "state").read_text() == "saved\n"
    assert len(wait_for_lines(camp.path / "heard", 1)) == 1


def test_the_first_signal_names_the_exit_code(camp):
    """A SIGTERM after a Ctrl-C adds nothing."""
    gate = camp.gate()
    command = camp.script(
        "command", "trap 'echo >> heard; read _ < gate; exit' TERM; echo $$ >> ran; sleep 1000 & wait"
    )
    camp.put("1")
    minion = camp.minion("--grace", "1h", command)
    running(camp)
    minion.signal(signal.SIGINT)
    wait_for_lines(camp.path / "heard", 1)
    minion.signal(signal.SIGTERM)
    minion.has_taken(signal.SIGTERM)
    gate.open()
    assert minion.code() == 130, minion.err


def test_a_child_that_was_stopped_hears_of_the_end(camp):
    """One that somebody suspended is woken, so that it can obey."""
    command = camp.script(
        "command", "trap 'echo >> heard; exit' TERM; echo $$ >> ran; kill -STOP $$; sleep 1000 & wait"
    )
    camp.put("1")
    minion = camp.minion("--grace", "1h", command)
    running(camp)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err


def test_nohup_keeps_a_minion_from_a_hangup(camp):
    """A SIGHUP that is ignored stays ignored, for the minion and its children."""
    gate = camp.gate()
    command = camp.script("command", "echo $$ >> ran; read _ < gate")
    camp.put("1")
    minion = camp.start("nohup", *MINION, command)
    (child,) = running(camp)
    minion.signal(signal.SIGHUP)
    minion.has_taken(signal.SIGHUP)
    gate.open()
    assert minion.code() == 0, minion.err
    assert has_ended(child)
    assert camp.counts().done == 1


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_while_nothing_runs_is_obeyed_at_once(camp, number):
    """A minion that waits for what others hold leaves, too."""
    command = camp.script("command", OBEDIENT)
    camp.put("1")
    busy = camp.minion(command)
    running(camp)
    idle = camp.minion("--wait", command)
    idle.has_said("takes params from")
    idle.signal(number)
    assert idle.code() == 128 + number, idle.err
    assert camp.counts().leased == 1
    busy.signal(number)
    assert busy.code() == 128 + number


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_drain_lets_end_what_runs_and_takes_no_more(camp, number):
    """The exit code says that there is work left: 99."""
    gate = camp.gate()
    command = camp.script("command", "echo $$ >> ran; read _ < gate")
    camp.put("1..9")
    minion = camp.minion("-j2", command)
    running(camp, 2)
    minion.signal(number)
    minion.has_taken(number)
    gate.open()
    assert minion.code() == 99, minion.err
    assert camp.counts() == Counts(pending=7, delayed=0, leased=0, done=2, dead=0)
    assert len(camp.runs()) == 2


def test_a_drain_with_nothing_left_is_a_good_end(camp):
    """Nothing needs to be submitted again."""
    gate = camp.gate()
    command = camp.script("command", "echo $$ >> ran; read _ < gate")
    camp.put("1")
    minion = camp.minion(command)
    running(camp)
    minion.signal(signal.SIGUSR1)
    minion.has_taken(signal.SIGUSR1)
    gate.open()
    assert minion.code() == 0, minion.err


def test_a_stop_ends_a_drain(camp):
    """A minion that drains for hours still obeys a SIGTERM."""
    command = camp.script("command", OBEDIENT)
    camp.put("1..2")
    minion = camp.minion(command)
    running(camp)
    minion.signal(signal.SIGUSR1)
    minion.has_taken(signal.SIGUSR1)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.counts().pending == 2


def test_a_child_that_is_signalled_first_was_interrupted(camp):
    """Schedulers signal a whole job at once: in a job, a failure waits whether a stop follows it."""
    command = camp.script("command", OBEDIENT)
    camp.put("1")
    minion = camp.minion(command, variables={"OAR_JOB_ID": "1", "OAR_JOB_TYPES": "", "MINION_MAX_ATTEMPTS": "1"})
    (child,) = running(camp)
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: has_ended(child), "the end of the child")
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.outcomes() == {(1, 1): "interrupted"}
    assert camp.counts().pending == 1


def test_a_program_that_ends_well_by_the_stop_of_its_job_was_interrupted(camp):
    """One that traps SIGTERM and exits with 0 is not done: its end and our stop came together."""
    command = camp.script("command", "trap 'exit 0' TERM; echo $$ >> ran; while :; do sleep 1000 & wait; done")
    camp.put("1")
    minion = camp.minion(command, variables={"OAR_JOB_ID": "1", "OAR_JOB_TYPES": ""})
    (child,) = running(camp)
    minion.signal(signal.SIGSTOP)
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: has_ended(child), "the end of the child")
    minion.signal(signal.SIGTERM)
    minion.signal(signal.SIGCONT)
    assert minion.code() == 143, minion.err
    assert camp.outcomes() == {(1, 1): "interrupted"}
    assert camp.counts() == Counts(pending=1, delayed=0, leased=0, done=0, dead=0)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_drain_that_ends_a_program_too_costs_no_attempt(camp, number):
    """Where a whole job is told to drain, what does not know that signal dies of it."""
    command = camp.script("command", OBEDIENT)
    camp.put("1")
    minion = camp.minion(command, variables={"OAR_JOB_ID": "1", "OAR_JOB_TYPES": "", "MINION_MAX_ATTEMPTS": "1"})
    (child,) = running(camp)
    os.kill(child, number)
    minion.signal(number)
    assert minion.code() == 99, minion.err
    assert camp.outcomes() == {(1, 1): "interrupted"}
    assert camp.counts().pending == 1


def test_a_failure_before_the_end_of_our_own_lifetime_is_one(camp):
    """It waits whether a stop from outside follows; that we leave ourselves meanwhile explains nothing."""
    command = camp.script("command", "exit 3")
    camp.put("1")
    variables = {"OAR_JOB_ID": "1", "OAR_JOB_TYPES": "", "MINION_MAX_ATTEMPTS": "1"}
    minion = camp.minion("--lifetime", "1.9s", command, variables=variables)
    assert minion.code() == 1, minion.err
    assert camp.outcomes() == {(1, 1): "failed"}
    assert camp.entries()[1].failure.exit == 3


def test_a_crash_of_its_own_is_a_failure_in_a_job_too(camp):
    """Nobody stops a program by a segmentation fault."""
    command = camp.script("command", "kill -SEGV $$")
    camp.put("1")
    minion = camp.minion(command, variables={"OAR_JOB_ID": "1", "OAR_JOB_TYPES": "", "MINION_MAX_ATTEMPTS": "1"})
    assert minion.code() == 1, minion.err
    assert camp.outcomes() == {(1, 1): "failed"}
    assert camp.entries()[1].failure.signal == signal.SIGSEGV


def test_a_task_past_its_time_limit_is_stopped_and_charged(camp):
    """SIGTERM to the group, then SIGKILL; that one is a failure."""
    command = camp.script("command", STUBBORN)
    camp.put("1")
    minion = camp.minion("--timeout", "0.2s", "--grace", "0.2s", "--max-attempts", "1", command)
    (child,) = running(camp)
    assert minion.code() == 1, minion.err
    wait_for_the_end_of(child)
    assert camp.outcomes() == {(1, 1): "timeout"}
    assert "timeout" in camp.entries()[1].failure.reason
