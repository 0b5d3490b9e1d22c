"""What functions print: all of it comes out, and each line belongs to the task that printed it."""

from __future__ import annotations

import json
import os

import pytest
from functions import call, ends
from harness import wait_for_lines

ONCE = {"MINION_MAX_ATTEMPTS": "1"}
#: Each of many short calls prints: whole lines, pieces, to the descriptor, by a program, or nothing.
CHATTY = """
import subprocess, sys

def f(n):
    kind = n % 7
    if kind == 1:
        print("out", n)
    elif kind == 2:
        print("out", end=f" {n}")
    elif kind == 3:
        print("err", n, file=sys.stderr)
    elif kind == 4:
        os.write(1, b"out %d\\n" % n)
    elif kind == 5 and n % 5 == 0:
        subprocess.run(["echo", "out", str(n)])
    elif kind == 6:
        print("out", n)
        print("err", n, file=sys.stderr)
"""


def expected(n):
    """Say what a call prints: to standard output, and to standard error."""
    kind = n % 7
    out = kind in (1, 2, 4, 6) or (kind == 5 and n % 5 == 0)
    return f"out {n}" if out else "", f"err {n}" if kind in (3, 6) else ""


def ids(camp):
    """Map the ids of the tasks to the values of their params."""
    return {entry.id: json.loads(entry.param) for entry in camp.all_entries()}


@pytest.mark.parametrize("slots", ["-j1", "-j3"])
def test_each_task_has_its_own_files(camp, slots):
    """Also where hundreds of them run in one batch: what it printed and no more; none where it printed nothing."""
    camp.put("1..400")
    minion = call(camp, CHATTY, slots, variables={"MINION_OUTPUT": "logs"})
    assert minion.code() == 0, minion.err
    found = {}
    for name in os.listdir(camp.path / "logs"):
        id, _, kind = name.rsplit(".", 2)
        found[ids(camp)[id], kind] = (camp.path / "logs" / name).read_text().rstrip("\n")
    wanted = {
        (n, kind): text for n in range(1, 401) for kind, text in zip(("out", "err"), expected(n), strict=True) if text
    }
    assert found == wanted
    assert minion.out == ""


@pytest.mark.parametrize("mode", ["live", "grouped"])
def test_all_that_is_printed_is_passed_on(camp, mode):
    """In whole lines, and a piece of a line at its task's end."""
    camp.put("1..400")
    minion = call(camp, CHATTY, "-j2", variables={"MINION_OUTPUT": mode})
    assert minion.code() == 0, minion.err
    words = minion.out.replace("out", " out").split()
    said = sorted(int(word) for word in words if word.isdigit())
    assert said == [n for n in range(1, 401) if expected(n)[0]]
    assert sorted(int(line.split()[1]) for line in minion.err.splitlines() if line.startswith("err ")) == [
        n for n in range(1, 401) if expected(n)[1]
    ]


def test_none_is_none(camp):
    """But the tail of a failure's standard error is on record."""
    camp.put("1..400")
    minion = call(camp, CHATTY + "    assert n != 300\n", variables={"MINION_OUTPUT": "none", **ONCE})
    assert minion.code() == 1, minion.err
    assert minion.out == ""
    assert "err" not in minion.err.replace("AssertionError", "")
    assert "AssertionError" in camp.entries()[300].failure.stderr


@pytest.mark.parametrize("mode", ["live", "grouped", "none", "logs"])
def test_a_failure_keeps_its_own_last_words(camp, mode):
    """In a batch where everybody writes to standard error, and some die of it."""
    camp.put("1..200")
    minion = call(
        camp,
        """
        import sys

        def f(n):
            print("warning of", n, file=sys.stderr)
            if n % 50 == 0:
                os._exit(3)
            if n % 40 == 0:
                raise KeyError(n)
        """,
        "-j2",
        variables={"MINION_OUTPUT": mode, **ONCE},
    )
    assert minion.code() == 1, minion.err
    failures = {param: entry.failure for param, entry in camp.entries().items() if entry.failure}
    assert set(failures) == {n for n in range(1, 201) if n % 50 == 0 or n % 40 == 0}
    for param, failure in failures.items():
        said = [line for line in failure.stderr.splitlines() if line.startswith("warning")]
        assert said == [f"warning of {param}"]
    assert {event["stderr"] for event in camp.events() if event["outcome"] == "done"} == {""}


def test_much_output_is_all_passed_on(camp):
    """Ten megabytes at once, without a line's end, from several slots."""
    camp.put("1..6")
    minion = call(camp, "def f(n): print(str(n) * 10_000_000, end='')", "-j2")
    assert minion.code() == 0, minion.err
    assert len(minion.out) == 60_000_000
    assert all(minion.out.count(str(n)) == 10_000_000 for n in range(1, 7))


def test_a_long_call_is_heard_while_it_runs(camp):
    """Its lines come as it prints them."""
    gate = camp.gate()
    camp.put("1")
    minion = call(camp, "def f(n):\n    print('first')\n    wait()\n    print('second')\n")
    wait_for_lines(minion.out_path, 1)
    gate.open()
    assert minion.code() == 0, minion.err
    assert minion.out == "first\nsecond\n"


def test_what_a_call_says_early_is_its_own_also_when_others_queue_behind_it(camp):
    """It was read as it came, the batch behind it came later; nothing of it slips into the next task's file."""
    gate = camp.gate()
    camp.put("1..3")
    minion = call(
        camp,
        """
        import time

        def f(n):
            print("of", n, end="")
            if n == 1:
                wait()
            if n == 2:
                time.sleep(0.03)  # long enough for its output to be read, and for more tasks to be sent
        """,
        variables={"MINION_OUTPUT": "logs"},
    )
    gate.open()
    assert minion.code() == 0, minion.err
    names = ids(camp)
    texts = {
        names[name.split(".")[0]]: (camp.path / "logs" / name).read_text() for name in os.listdir(camp.path / "logs")
    }
    assert texts == {1: "of 1", 2: "of 2", 3: "of 3"}


def test_what_belongs_to_no_task_is_in_no_task_s_file(camp):
    """What setup and teardown print has a file of its slot."""
    camp.put("1..3")
    minion = call(
        camp,
        """
        from minionize import minionize

        @minionize(setup=lambda: print("set up"), teardown=lambda: print("torn down"))
        def f(n):
            print("call", n)
        """,
        variables={"MINION_OUTPUT": "logs"},
    )
    assert minion.code() == 0, minion.err
    texts = {name: (camp.path / "logs" / name).read_text() for name in os.listdir(camp.path / "logs")}
    (own,) = (text for name, text in texts.items() if name.startswith("slot-"))
    assert own == "set up\ntorn down\n"
    assert sorted(text for name, text in texts.items() if not name.startswith("slot-")) == [
        "call 1\n",
        "call 2\n",
        "call 3\n",
    ]


@pytest.mark.parametrize(
    "act",
    [
        "os.close(1); os.close(2)",
        "sys.stdout = None; sys.stderr = None",
        "sys.stdout = sys.stderr = Broken()",
        "sys.stdout.close(); sys.stderr.close()",
        "sys.stdout = io.StringIO()",
        "os.chdir('/')",
        "os.environ.clear()",
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
        "threading.Thread(target=time.sleep, args=(1000,)).start()",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "signal.alarm(0); signal.set_wakeup_fd(-1)",
        "gc.disable(); sys.setrecursionlimit(50)",
        "logging.basicConfig(); logging.error('x'); logging.shutdown()",
        "subprocess.run(['true'], check=True)",
        "os.dup2(os.open(os.devnull, os.O_RDWR), 1)",
    ],
)
def test_a_function_may_treat_its_process_badly(camp, act):
    """What it does to its standard files, its signals or its threads costs nobody a task."""
    camp.put("1..20")
    minion = call(
        camp,
        f"""
        import gc, io, logging, signal, subprocess, sys, threading, time

        class Broken:
            def write(self, text):
                raise RuntimeError("broken")
            flush = write

        def f(n):
            note(n)
            if n == 3:
                {act}
            if n == 7:
                raise KeyError(n)
            if n == 9:
                sys.exit("in words")
        """,
        *("--grace", "0.3s"),
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    assert {n for n, end in ends(camp).items() if end["outcome"] != "done"} == {7, 9}
    assert camp.entries()[7].failure.reason == "KeyError: 7"
    assert camp.entries()[9].failure.reason == "exit 1"


def test_a_function_that_closes_all_files_costs_its_task_only(camp):
    """Also those that it is spoken to by: its process ends, another takes its place."""
    camp.put("1..5")
    minion = call(camp, "def f(n):\n    if n == 2: os.closerange(3, 256)\n", variables=ONCE)
    assert minion.code() == 1, minion.err
    assert (camp.counts().done, camp.counts().dead) == (4, 1)
    assert "Bad file descriptor" in camp.entries()[2].failure.stderr
