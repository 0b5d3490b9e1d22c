"""``isolate=False``: the function runs in the minion itself, with all that this can still give."""

from __future__ import annotations

import os
import pty
import signal

import pytest
from functions import call, ends, module
from harness import MINION, has_ended, wait_for_lines, wait_until

from minionize.model import Counts

ONCE = {"MINION_MAX_ATTEMPTS": "1"}
INLINE = "from minionize import minionize\n\n@minionize(isolate=False)\n"


def inline(camp, text, *arguments, **options):
    """Start a minion that calls this function itself."""
    return call(camp, INLINE + text, *arguments, **options)


def test_it_runs_in_the_minion_itself(camp):
    """In its process, one task after the other."""
    camp.put("1..20")
    minion = inline(camp, "def f(n):\n    note(os.getpid(), n)\n    return n * n\n")
    assert minion.code() == 0, minion.err
    assert {int(line.split()[0]) for line in camp.runs()} == {minion.pid}
    assert {event["param"]: event["result"] for event in camp.events()} == {n: n * n for n in range(1, 21)}


def test_more_than_one_at_a_time_is_refused(camp):
    """With what to type; nothing was taken."""
    camp.put("1")
    minion = inline(camp, "def f(n): note(n)", "-j2")
    assert minion.code() == 2, minion.err
    assert "-j 1" in minion.err
    assert camp.counts().pending == 1


def test_what_it_raises_means_what_it_means_in_a_process_of_its_own(camp):
    """Dead, Retry, Interrupted, an exit code, and an exception with its trace on record."""
    camp.put("1..6")
    minion = inline(
        camp,
        """
        def f(n):
            import sys
            from minionize import Dead, Interrupted, Retry, current_task
            task = current_task()
            note(n, task.attempt, task.delivery)
            if n == 1:
                raise Dead("no")
            if n == 2 and task.attempt == 1:
                raise Retry("again", delay=0)
            if n == 3 and task.delivery == 1:
                raise Interrupted("later")
            if n == 4:
                raise KeyError("x")
            if n == 5:
                sys.exit(7)
        """.replace("\n        ", "\n"),
        variables={"MINION_MAX_ATTEMPTS": "2"},
    )
    assert minion.code() == 1, minion.err
    assert camp.runs().count("1 1 1") == 1
    entries = camp.entries()
    assert {n: (entry.state, entry.attempt) for n, entry in entries.items()} == {
        1: ("dead", 1),
        2: ("done", 2),
        3: ("done", 1),
        4: ("dead", 2),
        5: ("dead", 2),
        6: ("done", 1),
    }
    assert (entries[4].failure.reason, entries[5].failure.reason) == ("KeyError: 'x'", "exit 7")
    assert "in f\n" in entries[4].failure.stderr


def test_a_first_param_that_does_not_fit_ends_the_minion(camp):
    """As it does elsewhere."""
    camp.put("a=1..3")
    minion = inline(camp, "def f(b): note(b)")
    assert minion.code() == 2, minion.err
    assert "f(b) cannot be called" in minion.err
    assert camp.counts().pending == 3


@pytest.mark.parametrize("answer", ["raise", "return n", "raise KeyError(n)"])
def test_a_stop_is_raised_inside_it(camp, answer):
    """The task was interrupted, whatever the function makes of that."""
    camp.gate()
    camp.put("1..3")
    minion = inline(
        camp,
        f"def f(n):\n    note(n)\n    try:\n        wait()\n    except BaseException:\n        note('cleaned up')\n        {answer}\n",
        variables=ONCE,
    )
    wait_for_lines(camp.ran, 1)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.runs() == ["1", "cleaned up"]
    assert camp.counts() == Counts(pending=3, delayed=0, leased=0, done=0, dead=0)
    assert camp.outcomes() == {(1, 1): "interrupted"}


@pytest.mark.parametrize("answer", ["raise", "return n"])
def test_the_end_of_its_time_is_raised_inside_it(camp, answer):
    """The task is charged, and the next one begins."""
    camp.gate()
    camp.put("1..2")
    minion = inline(
        camp,
        f"def f(n):\n    try:\n        if n == 1: wait()\n    except BaseException:\n        {answer}\n",
        *("--timeout", "0.2s"),
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    assert camp.outcomes() == {(1, 1): "timeout", (2, 1): "done"}


def test_a_minion_in_a_long_call_is_seen_to_live(camp):
    """Its lease is renewed, and its task is announced after a second."""
    gate = camp.gate()
    camp.put("1")
    minion = inline(camp, "def f(n):\n    note(n)\n    wait()\n", variables={"MINION_LEASE": "2s"})
    wait_for_lines(camp.ran, 1)
    first = camp.lease()
    wait_until(lambda: camp.events("task_start"), "its start is announced")
    wait_until(lambda: camp.lease() > first + 2, "the lease goes on beyond its first end")
    gate.open()
    assert minion.code() == 0, minion.err
    assert camp.outcomes() == {(1, 1): "done"}


def test_a_setup_that_fails_ends_the_minion(camp):
    """With its trace, and nothing was taken."""
    camp.put("1")
    minion = call(
        camp,
        """
        from minionize import minionize

        def setup():
            raise KeyError("model")

        @minionize(setup=setup, isolate=False)
        def f(n):
            note(n)
        """,
    )
    assert minion.code() == 2, minion.err
    assert "setup failed: KeyError: 'model'" in minion.err
    assert "in setup" in minion.err
    assert camp.counts().pending == 1


def test_a_debugger_can_be_used(camp):
    """The prompt of pdb, on a terminal: look at the param, and go on."""
    camp.put("42")
    where = module(camp, INLINE + "def f(n):\n    breakpoint()\n    return n + 1\n")
    outside, inside = pty.openpty()
    minion = camp.start(*MINION, "--python", where, stdin=inside, stdout=inside, start_new_session=True)
    os.close(inside)
    os.write(outside, b"p n * 1000\nc\n")
    code = minion.code()
    drawn = os.read(outside, 65536).decode()
    os.close(outside)
    assert code == 0, minion.err
    assert "42000" in drawn
    assert ends(camp)[42]["result"] == 43


def test_a_killed_minion_leaves_nothing_its_function_has_started(camp):
    """The warden sees to it."""
    camp.gate()
    camp.put("1")
    minion = inline(
        camp,
        "def f(n):\n    import subprocess\n    note(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid)\n    wait()\n",
    )
    (program,) = wait_for_lines(camp.ran, 1)
    minion.kill()
    wait_until(lambda: has_ended(int(program)), "what it has started ends")
