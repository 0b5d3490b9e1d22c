"""Functions that are told to end: by their time limit, by a signal to the minion or to all of its job, by a lost lease."""

from __future__ import annotations

import os
import signal

import pytest
from functions import call, children_of, ends, module
from harness import MINION, has_ended, state_of, wait_for_lines, wait_for_the_end_of, wait_until

from minionize.model import Counts

ONCE = {"MINION_MAX_ATTEMPTS": "1"}
#: Never comes back to Python, nor hears of a signal before it is over.
LOOP = "sum(range(10**15))"
#: Waits where a signal is heard at once.
WAIT = "wait()"
#: Runs until it is told to end.
OBEDIENT = "def f(n):\n    note(os.getpid())\n    wait()\n"


def running(camp, count=1):
    """Wait until so many calls run, and return the pids of their processes."""
    return [int(line.split()[0]) for line in wait_for_lines(camp.ran, count)]


@pytest.mark.parametrize("what", ["sum(range(10**15))", "wait()", "swallow()"])
def test_a_time_limit_hits_the_task_that_is_over_it_and_no_other(camp, what):
    """In a batch of short ones: those before and behind it are done, in their one attempt."""
    camp.gate()
    camp.put("1..600")
    minion = call(
        camp,
        f"""
        def swallow():
            while True:
                try:
                    wait()
                except BaseException:
                    pass

        def f(n):
            note(n)
            if n == 300:
                {what}
        """,
        *("--timeout", "1s", "--grace", "0.2s"),
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=599, dead=1)
    assert sorted(map(int, camp.runs())) == list(range(1, 601))
    end = ends(camp)[300]
    assert (end["outcome"], end["reason"]) == ("timeout", "timeout after 1s")
    assert end["took"] >= 1


def test_a_function_past_its_time_cleans_up(camp):
    """SystemExit is raised inside it: what it has open is closed, and its child goes in order."""
    camp.gate()
    camp.put("1")
    minion = call(
        camp,
        """
        import time
        from minionize import minionize

        @minionize(teardown=lambda: note("torn down"))
        def f(n):
            try:
                wait()
            finally:
                note("cleaned up")
        """,
        *("--timeout", "0.2s"),
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    assert camp.runs() == ["cleaned up", "torn down"]
    assert ends(camp)[1]["outcome"] == "timeout"


@pytest.mark.parametrize("what", [LOOP, WAIT])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_gives_what_runs_back(camp, what, number):
    """Interrupted and not charged, whatever it is at; what waits behind it too."""
    camp.gate()
    camp.put("1..50")
    minion = call(camp, f"def f(n):\n    note(os.getpid())\n    {what}\n", *("-j2", "--grace", "0.2s"))
    children = running(camp, 2)
    minion.signal(number)
    assert minion.code() == 128 + number, minion.err
    assert all(map(has_ended, children))
    assert camp.counts() == Counts(pending=50, delayed=0, leased=0, done=0, dead=0)
    assert {(entry.attempt, entry.crashes) for entry in camp.all_entries()} == {(1, 0)}
    assert set(camp.outcomes().values()) == {"interrupted"}


@pytest.mark.parametrize(
    "answer",
    [
        "return n",
        "os._exit(0)",
        "os._exit(3)",
        "raise KeyError(n)",
        "raise minionize.Dead('no')",
        "raise SystemExit(0)",
    ],
)
def test_what_a_stopped_function_says_is_no_news(camp, answer):
    """It was interrupted: one that catches the stop and returns is not done, and one that raises is not charged."""
    camp.gate()
    camp.put("1")
    minion = call(
        camp,
        f"""
        import minionize

        def f(n):
            note(os.getpid())
            try:
                wait()
            except BaseException:
                {answer}
        """,
        variables=ONCE,
    )
    running(camp)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.counts() == Counts(pending=1, delayed=0, leased=0, done=0, dead=0)
    assert camp.outcomes() == {(1, 1): "interrupted"}


@pytest.mark.parametrize("how", ["--timeout", "a stop"])
def test_a_stop_that_python_has_missed_reaches_the_function_all_the_same(camp, how):
    """It came to a thread, while the function was in a call that blocks: there it waits for the next signal."""
    camp.gate()
    camp.put("1")
    minion = call(
        camp,
        """
        import signal, threading, time

        def f(n):
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            note(os.getpid())
            fd = os.open(f"{CAMP}/gate", os.O_RDONLY)
            try:
                os.read(fd, 1)
            finally:
                note("cleaned up")
        """,
        *("--grace", "1h", *(("--timeout", "1s") if how == "--timeout" else ())),
        variables=ONCE,
    )
    running(camp)
    if how == "a stop":
        minion.signal(signal.SIGTERM)
    assert minion.code() == (1 if how == "--timeout" else 143), minion.err
    assert camp.runs()[1:] == ["cleaned up"]


def test_a_function_that_traps_the_signal_itself_is_killed_after_the_grace(camp):
    """As a program is."""
    camp.gate()
    camp.put("1")
    minion = call(
        camp,
        """
        import signal

        def f(n):
            signal.signal(signal.SIGTERM, lambda *_: note("heard"))
            note(os.getpid())
            while True:
                wait()
        """,
        *("--grace", "0.3s"),
    )
    (child,) = running(camp)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert has_ended(child)
    assert camp.runs()[1:] == ["heard"]
    assert camp.counts().pending == 1


def test_a_second_control_c_does_not_wait_for_the_grace(camp):
    """Not for a call, nor for the teardown of a slot where nothing runs."""
    camp.gate()
    camp.put("1..2")
    minion = call(
        camp,
        """
        import signal
        from minionize import minionize

        @minionize(teardown=wait)
        def f(n):
            if n == 1:
                return
            signal.signal(signal.SIGTERM, lambda *_: note("heard"))
            note(os.getpid())
            while True:
                wait()
        """,
        *("-j2", "--grace", "1h"),
    )
    (child,) = running(camp)
    wait_until(lambda: camp.counts().done == 1, "the first is done")
    minion.signal(signal.SIGINT)
    wait_for_lines(camp.ran, 2)
    minion.signal(signal.SIGINT)
    assert minion.code() == 130, minion.err
    assert has_ended(child)
    assert camp.counts().pending == 1


def test_a_job_that_is_signalled_as_a_whole_was_interrupted(camp):
    """The children first, then all the others, as schedulers do: nothing is charged, nothing is left."""
    camp.gate()
    camp.put("1..4")
    minion = call(camp, OBEDIENT, "-j2", variables={**ONCE, "OAR_JOB_ID": "1", "OAR_JOB_TYPES": ""})
    children = running(camp, 2)
    helpers = children_of(minion.pid)
    for pid in (*children, *helpers, minion.pid):
        os.kill(pid, signal.SIGTERM)
    assert minion.code() == 143, minion.err
    wait_for_the_end_of(*children, *helpers)
    assert camp.counts() == Counts(pending=4, delayed=0, leased=0, done=0, dead=0)
    assert {entry.attempt for entry in camp.all_entries()} == {1}
    assert set(camp.outcomes().values()) == {"interrupted"}


def test_a_function_that_catches_the_stop_of_its_job_is_not_done(camp):
    """Its process hears of it before the minion does: what it returns then is not known to be whole."""
    camp.gate()
    camp.put("1")
    minion = call(
        camp,
        """
        def f(n):
            note(os.getpid())
            try:
                wait()
            except BaseException:
                return "half"
        """,
        variables={**ONCE, "OAR_JOB_ID": "1", "OAR_JOB_TYPES": ""},
    )
    (child,) = running(camp)
    os.kill(child, signal.SIGTERM)
    wait_for_the_end_of(child)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.outcomes() == {(1, 1): "interrupted"}
    assert camp.counts() == Counts(pending=1, delayed=0, leased=0, done=0, dead=0)


def test_nohup_keeps_functions_from_a_hangup_too(camp):
    """A SIGHUP that the minion ignores is ignored by its children."""
    gate = camp.gate()
    camp.put("1")
    minion = camp.start("nohup", *MINION, "--python", module(camp, OBEDIENT))
    (child,) = running(camp)
    os.kill(child, signal.SIGHUP)
    minion.signal(signal.SIGHUP)
    minion.has_taken(signal.SIGHUP)
    gate.open()
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 1


def test_a_drain_in_the_middle_of_a_batch_gives_back_what_has_not_begun(camp):
    """What runs is done; the rest of its batch is pending again, and charged nothing."""
    gate = camp.gate()
    camp.put("1..600")
    minion = call(
        camp,
        """
        def f(n):
            note(n)
            if n == 300:
                wait()
        """,
    )
    wait_until(lambda: "300" in camp.runs(), "the long one runs")
    minion.signal(signal.SIGUSR1)
    minion.has_taken(signal.SIGUSR1)
    wait_until(lambda: camp.counts().leased <= 1, "the rest is given back")
    gate.open()
    assert minion.code() == 99, minion.err
    assert sorted(map(int, camp.runs())) == list(range(1, 301))
    assert camp.counts() == Counts(pending=300, delayed=0, leased=0, done=300, dead=0)
    assert {(entry.attempt, entry.crashes) for entry in camp.all_entries()} == {(1, 0)}


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_drain_that_reaches_the_children_too_lets_them_end(camp, number):
    """Schedulers signal all of a job: a function that knows nothing of it goes on to its end."""
    gate = camp.gate()
    camp.put("1..4")
    minion = call(camp, OBEDIENT, "-j2", variables=ONCE)
    for pid in (*running(camp, 2), *children_of(minion.pid), minion.pid):
        os.kill(pid, number)
    minion.has_taken(number)
    gate.open()
    assert minion.code() == 99, minion.err
    assert camp.counts() == Counts(pending=2, delayed=0, leased=0, done=2, dead=0)


def test_a_lease_is_renewed_while_a_function_never_comes_back(camp):
    """By the minion, which no function can block: nobody else gets the task."""
    camp.put("1")
    minion = call(camp, f"def f(n):\n    note(os.getpid())\n    {LOOP}\n", variables={"MINION_LEASE": "3s"})
    (child,) = running(camp)
    first = camp.lease()
    wait_until(lambda: camp.lease() > first + 3, "the lease goes on beyond its first end")
    assert not has_ended(child)
    minion.signal(signal.SIGTERM)
    os.kill(child, signal.SIGKILL)
    assert minion.code() == 143, minion.err


def test_control_z_stops_the_calls_and_their_time(camp):
    """They go on with the minion, and were not over their time limit meanwhile."""
    gate = camp.gate()
    camp.put("1..2")
    minion = call(camp, OBEDIENT, *("-j2", "--timeout", "5s"), variables=ONCE)
    pids = [minion.pid, *running(camp, 2)]
    minion.signal(signal.SIGTSTP)
    for pid in pids:
        wait_until(lambda pid=pid: state_of(pid) == "T", f"process {pid} is stopped")
    gate.open()
    assert [state_of(pid) for pid in pids] == ["T"] * 3
    minion.signal(signal.SIGCONT)
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 2


def test_a_minion_that_stood_still_beyond_its_lease_has_lost_its_task(camp):
    """Another one takes over while the first child runs on; that one is stopped, and nothing it did counts."""
    gate = camp.gate()
    camp.put("1")
    text = """
    def f(n):
        note(os.environ["MINION_ID"], os.getpid())
        if len(open(f"{CAMP}/ran").readlines()) == 1:
            wait()
        return os.environ["MINION_ID"]
    """
    frozen = call(camp, text, variables={"MINION_LEASE": "1s"})
    (first,) = wait_for_lines(camp.ran, 1)
    frozen.signal(signal.SIGSTOP)
    wait_until(lambda: state_of(frozen.pid) == "T", "the minion stands still")
    other = call(camp, text, variables={"MINION_LEASE": "1s"})
    assert other.code() == 0, other.err
    frozen.signal(signal.SIGCONT)
    assert frozen.code() == 0, frozen.err
    wait_for_the_end_of(int(first.split()[1]))
    (entry,) = camp.all_entries()
    assert entry.state == "done"
    assert first.split()[0] not in entry.result
    outcomes = {event["minion"]: event["outcome"] for event in camp.events()}
    assert outcomes.pop(first.split()[0]) == "lost"
    assert list(outcomes.values()) == ["done"]
    gate.open()


def test_a_task_that_was_cancelled_is_stopped(camp):
    """One that runs is ended, one that waits behind it in the same batch never begins."""
    camp.gate()
    camp.put("1..600")
    minion = call(
        camp,
        """
        def f(n):
            note(n)
            if n == 300:
                wait()
        """,
        variables={"MINION_LEASE": "1s"},
    )
    wait_until(lambda: "300" in camp.runs(), "the long one runs")
    (entry,) = (entry for entry in camp.all_entries() if entry.param == "300")
    cancel = camp.queue("cancel", entry.id)
    assert cancel.code() == 0, cancel.err
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 599
    assert ends(camp)[300]["outcome"] == "cancelled"


def test_output_that_nobody_reads_stops_nothing_but_itself(camp):
    """The reader has stopped: time limits hold, and a SIGTERM is obeyed."""
    camp.put("1..20")
    reader, writer = os.pipe()
    minion = call(
        camp,
        """
        def f(n):
            note(n)
            print("x" * 1_000_000)
        """,
        stdout=writer,
    )
    os.close(writer)
    wait_for_lines(camp.ran, 1)
    minion.signal(signal.SIGTERM)
    try:
        assert minion.code() == 143, minion.err
    finally:
        os.close(reader)
    counts = camp.counts()
    assert counts.leased == 0
    assert counts.pending + counts.done == 20


def test_standard_files_may_be_closed_or_full(camp):
    """A full disk behind standard output ends a minion as the end of its reader does; a closed standard input is none at all."""
    camp.gate()
    camp.put("1..3")
    with open("/dev/full", "wb") as full:
        minion = call(camp, "def f(n):\n    print(n)\n    if n > 1: wait()\n", stdout=full)
    assert minion.code() == 141, minion.err
    assert camp.counts() == Counts(pending=2, delayed=0, leased=0, done=1, dead=0)
    closed = call(
        camp,
        "import sys\ndef f(n):\n    assert sys.stdin.read() == ''\n    print(n)\n",
        preexec_fn=lambda: [os.close(fd) for fd in (0, 1)],
    )
    assert closed.code() == 0, closed.err
    assert camp.counts().done == 3
