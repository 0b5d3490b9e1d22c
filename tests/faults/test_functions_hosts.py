"""Functions on hosts that cannot: no process, no memory, too few files; as pid 1; and what screens tell of it all."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import sys

import pytest
from functions import call, children_of, ends, module
from harness import MINION, state_of, wait_for_lines, wait_until

from minionize.model import Counts

ONCE = {"MINION_MAX_ATTEMPTS": "1"}
#: A minion on a host where a call of the system fails while there is a file ``full``; the name of what fails comes first.
UNABLE = """
import errno, os, sys
from minionize.cli.minionize import main
name, number = sys.argv[1], getattr(errno, sys.argv[2])
act, me = getattr(os, name), os.getpid()
def unable(*arguments, **options):
    if os.path.exists("full") and (name != "fork" or os.getpid() != me):
        raise OSError(number, os.strerror(number))
    return act(*arguments, **options)
setattr(os, name, unable)
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("fork", "EAGAIN", "cannot make a process"),
        ("fork", "ENOMEM", "cannot make a process"),
        ("pwrite", "ENOSPC", "cannot call"),
    ],
)
def test_a_host_that_is_full_costs_no_attempt(camp, name, error, said):
    """Its minion says so and tries again, until there is room."""
    camp.put("1..50")
    (camp.path / "full").touch()
    where = module(camp, "def f(n): note(n)")
    minion = camp.start(
        *(sys.executable, "-c", UNABLE, name, error, "--python", where, "-j2", "--halt", "1"), variables=ONCE
    )
    minion.has_said(said)
    os.unlink(camp.path / "full")
    assert minion.code() == 0, minion.err
    assert minion.err.count("Trying again") == 1
    assert sorted(map(int, camp.runs())) == list(range(1, 51))
    assert {entry.attempt for entry in camp.all_entries()} == {1}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user with a limit of his own")
def test_a_user_with_no_process_left_is_told_so(camp):
    """The kernel's own limit: the tasks are given back, and he can stop the minion."""
    camp.put("1..5")
    os.chmod(camp.path, 0o777)
    for name in os.listdir(camp.path):
        os.chmod(camp.path / name, 0o777)
    where = module(camp, "def f(n): note(n)")

    def become_limited():
        resource.setrlimit(resource.RLIMIT_NPROC, (4, 4))
        os.setgid(54321)
        os.setuid(54321)

    minion = camp.start(*MINION, "--python", where, "-j6", "--reporter", "null", preexec_fn=become_limited)
    code = minion.code()
    if code == 0:
        pytest.skip("this kernel counts the processes of this user otherwise")
    assert "Traceback" not in minion.err
    assert camp.counts().dead == 0


def test_more_slots_than_files_is_a_usage_error(camp):
    """With what to type; nothing was taken, nothing is left."""
    camp.put("1")
    where = module(camp, "def f(n): note(n)")
    minion = camp.start(
        *(*MINION, "--python", where, "-j64"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),
    )
    assert minion.code() == 2, minion.err
    assert "ulimit -n" in minion.err
    assert camp.counts().pending == 1
    camp.is_empty()


def test_a_function_may_open_as_many_files_as_ever(camp):
    """What other slots need is not open in its process."""
    camp.put("1..64")
    minion = call(
        camp,
        """
        def f(n):
            return len(os.listdir("/proc/self/fd"))
        """,
        "-j40",
    )
    assert minion.code() == 0, minion.err
    assert max(event["result"] for event in camp.events()) < 40


@pytest.mark.skipif(not shutil.which("unshare") or os.geteuid() != 0, reason="needs root and unshare")
def test_pid_1_reaps_what_functions_leave_behind(camp):
    """A minion that is a container's entry point: orphans become its children, and none stays a zombie."""
    gate = camp.gate()
    camp.put("1..20")
    where = module(
        camp,
        """
        import subprocess

        def f(n):
            if n < 20:
                subprocess.run(["sh", "-c", "setsid sh -c : & setsid sh -c : &"], check=True)
            else:
                note(n)
                wait()
        """,
    )
    minion = camp.start("unshare", "-pf", "--mount-proc", "--kill-child", *MINION, "--python", where)
    wait_for_lines(camp.ran, 1)
    (inner,) = children_of(minion.pid)
    wait_until(lambda: not any(state_of(child) == "Z" for child in children_of(inner)), "no zombie is left")
    gate.open()
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 20


@pytest.mark.skipif(not shutil.which("unshare") or os.geteuid() != 0, reason="needs root and unshare")
def test_pid_1_obeys_a_stop(camp):
    """Its children too; the task is given back."""
    camp.gate()
    camp.put("1..3")
    where = module(camp, "def f(n):\n    note(n)\n    wait()\n")
    minion = camp.start("unshare", "-pf", "--mount-proc", "--kill-child", *MINION, "--python", where, "-j2")
    wait_for_lines(camp.ran, 2)
    (inner,) = children_of(minion.pid)
    os.kill(inner, signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.counts() == Counts(pending=3, delayed=0, leased=0, done=0, dead=0)


def test_events_tell_what_a_call_cost(camp):
    """Its time, its processor time, its memory, and those of a program that it ran; each task's own."""
    camp.put("1..60")
    minion = call(
        camp,
        """
        import subprocess, sys, time

        def burn(seconds):
            end = time.process_time() + seconds
            while time.process_time() < end:
                pass

        def f(n):
            if n == 30:
                burn(0.3)
            if n == 40:
                subprocess.run([sys.executable, "-c", "x = bytearray(200_000_000); sum(range(5_000_000))"])
            if n == 50:
                time.sleep(0.3)
            if n == 55:
                burn(0.3)
                os._exit(3)
        """,
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    found = ends(camp)
    assert found[30]["cpu"] >= 0.3
    assert found[30]["took"] >= 0.3
    assert found[40]["cpu"] > 0.05
    assert found[40]["rss"] > 200_000_000
    assert found[50]["took"] >= 0.3 > found[50]["cpu"]
    assert (found[55]["exit"], found[55]["outcome"]) == (3, "failed")
    assert 0.3 <= found[55]["cpu"] < found[30]["cpu"] + 0.3
    assert found[55]["took"] >= 0.3
    calls = sorted((end["start"], end["start"] + end["took"]) for end in found.values())
    assert all(end < start + 0.01 for (_, end), (start, _) in itertools.pairwise(calls)), "one after the other"


def test_failures_of_functions_are_grouped_by_cause(camp):
    """As those of programs: one line for each, however many params it hit."""
    camp.put("1..40")
    minion = call(
        camp,
        """
        def f(n):
            if n % 10 == 0:
                raise KeyError("alpha")
            if n % 10 == 1:
                os._exit(9)
            if n % 10 == 2:
                os.kill(os.getpid(), 11)
        """,
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    status = camp.start(sys.executable, "-m", "minionize.cli.status", "--failures")
    assert status.code() == 0, status.err
    for cause in ("KeyError: 'alpha'", "exit 9", "segmentation fault"):
        (line,) = [line for line in status.out.splitlines() if cause in line] or [status.out]
        assert line.split()[1] == "4", line


def test_numbers_drawn_by_numpy_differ_between_slots(camp):
    """Its generator was seeded before the fork; random's too."""
    pytest.importorskip("numpy")
    camp.put("1..8")
    minion = call(
        camp,
        """
        import random
        import numpy
        numpy.random.seed(1)
        random.seed(1)

        def f(n):
            note(n)
            while len(open(f"{CAMP}/ran").readlines()) < 4:
                pass  # until each slot has one
            return [float(numpy.random.random()), random.random()]
        """,
        "-j4",
    )
    assert minion.code() == 0, minion.err
    drawn = [event["result"] for event in camp.events()]
    assert len({numbers[0] for numbers in drawn}) == len({numbers[1] for numbers in drawn}) == 8


def test_a_minion_may_be_the_task_of_another(camp):
    """A function that runs a minion of its own: the inner children are the inner one's."""
    camp.put("1..3")
    minion = call(
        camp,
        """
        import subprocess, sys

        def f(n):
            inner = dict(os.environ, SQLITE_PATH=f"inner{n}.db", REPORTER_JSON_DIRECTORY=f"inner{n}")
            run = lambda *words: subprocess.run([sys.executable, "-m", *words], env=inner, check=True, capture_output=True)
            run("minionize.cli.queue", "put", "1..5")
            run("minionize.cli.minionize", "--python", "f.py:g")
            note(n)

        def g(n):
            return n
        """,
    )
    assert minion.code() == 0, minion.err
    assert sorted(camp.runs()) == ["1", "2", "3"]
