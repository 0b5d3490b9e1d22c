"""Functions that end their process, and functions whose processes somebody ends: only the guilty task is charged."""

from __future__ import annotations

import os
import signal

import pytest
from functions import call, children_of
from harness import has_ended, wait_for_lines, wait_for_the_end_of

from minionize.model import Counts

#: What a crash looks like: what the function does, and what its failure says.
CRASHES = {
    "a segmentation fault": ("os.kill(os.getpid(), 11)", None, 11, "segmentation fault"),
    "abort": ("os.abort()", None, 6, "aborted"),
    "a kill": ("os.kill(os.getpid(), 9)", None, 9, "out of memory"),
    "an exit with 0": ("os._exit(0)", None, None, "ended its process, with exit code 0"),
    "an exit with 3": ("os._exit(3)", 3, None, "exit 3"),
}
ALONE = {"MINION_MAX_ATTEMPTS": "1"}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_costs_its_task_an_attempt_and_nobody_else_anything(camp, crash):
    """In the middle of a batch: those before it are done once, those behind it are neither charged nor lost."""
    act, code, number, reason = CRASHES[crash]
    camp.put("1..600")
    minion = call(
        camp,
        f"""
        def f(n):
            note(n)
            if n == 300:
                os.write(2, b"these were the last words\\n")
                {act}
        """,
        variables=ALONE,
    )
    assert minion.code() == 1, minion.err
    assert sorted(map(int, camp.runs())) == list(range(1, 601))
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=599, dead=1)
    assert {(entry.attempt, entry.crashes) for entry in camp.entries().values()} == {(1, 0)}
    guilty = camp.entries()[300]
    assert (guilty.state, guilty.failure.exit, guilty.failure.signal) == ("dead", code, number)
    assert reason in guilty.failure.reason
    assert "these were the last words" in guilty.failure.stderr
    assert ("in f" in guilty.failure.stderr) == (number in (6, 11))  # where it was
    assert {event["delivery"] for event in camp.events()} == {1}


def test_a_crash_is_tried_again_in_a_new_process(camp):
    """As any failure is: three attempts, each in a child of its own; the others share one each time."""
    camp.put("1..3")
    minion = call(
        camp,
        """
        def f(n):
            note(os.getpid(), n)
            if n == 2:
                os._exit(1)
        """,
    )
    assert minion.code() == 1, minion.err
    ran = [line.split() for line in camp.runs()]
    assert len({pid for pid, n in ran if n == "2"}) == 3
    assert camp.entries()[2].attempt == 3


def test_memory_that_runs_out_is_a_failure_with_its_trace(camp):
    """A limit of the process becomes a MemoryError; the child goes on."""
    camp.put("1..2")
    minion = call(
        camp,
        """
        import resource

        def setup():
            resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))

        from minionize import minionize

        @minionize(setup=setup)
        def f(n):
            note(os.getpid())
            return len(bytearray(1 << 30)) if n == 1 else n
        """,
        variables=ALONE,
    )
    assert minion.code() == 1, minion.err
    assert camp.entries()[1].failure.reason == "MemoryError"
    assert "bytearray" in camp.entries()[1].failure.stderr
    assert len(set(camp.runs())) == 1


def test_a_child_that_is_killed_from_outside_is_replaced(camp):
    """The task it was at has failed, by that signal; a new child does the rest."""
    camp.gate()
    camp.put("1..5")
    minion = call(
        camp,
        """
        def f(n):
            note(os.getpid())
            if n == 1:
                wait()
        """,
        variables=ALONE,
    )
    (child, *_) = wait_for_lines(camp.ran, 1)
    os.kill(int(child), signal.SIGKILL)
    assert minion.code() == 1, minion.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=4, dead=1)
    assert len(set(camp.runs())) == 2


def test_a_helper_that_is_killed_ends_the_minion_and_loses_nothing(camp):
    """It says what has happened, gives its tasks back, and leaves no child behind."""
    camp.gate()
    camp.put("1..5")
    minion = call(
        camp,
        """
        def f(n):
            note(os.getpid(), os.getppid())
            wait()
        """,
        "-j2",
    )
    ran = [line.split() for line in wait_for_lines(camp.ran, 2)]
    (helper,) = {int(parent) for _, parent in ran}
    os.kill(helper, signal.SIGKILL)
    code = minion.code()
    assert (code, "has gone" in minion.err) == (70, True), minion.err
    wait_for_the_end_of(*(int(child) for child, _ in ran))
    assert camp.counts() == Counts(pending=5, delayed=0, leased=0, done=0, dead=0)
    assert {entry.attempt for entry in camp.entries().values()} == {1}


#: What a function leaves running: children of all kinds.
LEAVES = {
    "a program": 'subprocess.Popen(["sleep", "1000"])',
    "a program in a session of its own": 'subprocess.Popen(["sleep", "1000"], start_new_session=True)',
    "a fork": "os.fork() or time.sleep(1000)",
    "a fork in a group of its own": "os.fork() or (os.setpgid(0, 0), time.sleep(1000))",
    "a fork in a session of its own": "os.fork() or (os.setsid(), time.sleep(1000))",
    "a process of multiprocessing": "multiprocessing.get_context('fork').Process(target=time.sleep, args=(1000,)).start()",
}


@pytest.mark.parametrize("what", LEAVES)
def test_a_killed_minion_leaves_no_orphan(camp, what):
    """Neither the child nor the helper nor what the function has started, wherever that hid."""
    camp.gate()
    camp.put("1..5")
    minion = call(
        camp,
        f"""
        import multiprocessing, subprocess, time

        def f(n):
            {LEAVES[what]}
            note(os.getpid())
            wait()
        """,
        "-j2",
    )
    wait_for_lines(camp.ran, 2)
    minion.kill()
    camp.is_empty()


def test_a_minion_killed_with_its_warden_leaves_no_child(camp):
    """The helper sees it as well, and ends what it has forked."""
    camp.gate()
    camp.put("1..5")
    minion = call(
        camp,
        """
        def f(n):
            note(os.getpid())
            wait()
        """,
        "-j2",
    )
    wait_for_lines(camp.ran, 2)
    warden = next(pid for pid in children_of(minion.pid) if name_of(pid) == "minion-warden")
    os.kill(warden, signal.SIGKILL)
    minion.kill()
    camp.is_empty()


def test_a_minion_whose_warden_and_helper_were_killed_too_leaves_no_child(camp):
    """What has lost everybody ends by itself."""
    camp.gate()
    camp.put("1..5")
    minion = call(
        camp,
        """
        def f(n):
            note(os.getpid())
            wait()
        """,
        "-j2",
    )
    wait_for_lines(camp.ran, 2)
    for pid in children_of(minion.pid):
        os.kill(pid, signal.SIGSTOP)
    minion.signal(signal.SIGSTOP)
    for pid in (*children_of(minion.pid), minion.pid):
        os.kill(pid, signal.SIGKILL)
    camp.is_empty()


def test_what_a_function_leaves_running_ends_with_its_process(camp):
    """In its process group, that is: as with a program."""
    camp.put("1")
    minion = call(
        camp,
        """
        import subprocess

        def f(n):
            note(subprocess.Popen(["sleep", "1000"]).pid)
        """,
    )
    assert minion.code() == 0, minion.err
    assert has_ended(int(camp.runs()[0]))


def test_a_fork_that_comes_back_from_the_function_is_no_second_child(camp):
    """The copy ends where the function ends: it takes no tasks and says nothing."""
    camp.put("1..50")
    minion = call(
        camp,
        """
        def f(n):
            if os.fork() == 0:
                return n
            note(n)
        """,
    )
    assert minion.code() == 0, minion.err
    assert sorted(map(int, camp.runs())) == list(range(1, 51))
    assert camp.counts().done == 50
    assert {event.get("result") for event in camp.events()} == {None}


def test_a_fork_that_raises_is_no_second_child(camp):
    """Nor does its exception fail the task."""
    camp.put("1..20")
    minion = call(
        camp,
        """
        def f(n):
            if os.fork() == 0:
                raise KeyError(n)
            os.wait()
            note(n)
        """,
    )
    assert minion.code() == 0, minion.err
    assert len(camp.runs()) == 20


def test_processes_of_a_function_can_be_ended_as_usual(camp):
    """A pool of multiprocessing, which sends SIGTERM to its workers, does not mistake them for us."""
    camp.put("1..3")
    minion = call(
        camp,
        """
        import multiprocessing

        def f(n):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                return sum(pool.map(abs, range(-n, 0)))
        """,
    )
    assert minion.code() == 0, minion.err
    assert {event["param"]: event["result"] for event in camp.events()} == {1: 1, 2: 3, 3: 6}


def name_of(pid):
    """Read the name of a process."""
    with open(f"/proc/{pid}/comm", encoding="utf-8") as name:
        return name.read().strip()
