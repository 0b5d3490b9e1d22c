"""When a minion leaves, and with which exit code: done, dead, drained, out of time, stopped by a signal, unread."""

from __future__ import annotations

import os

import pytest

from .harness import located, runs, signal, state, until

#: A program that fails at once, also where a failure waits for a stop that may have caused it.
FAIL = "ulimit -c 0; kill -SEGV $$"
#: A program that says who it is, and waits until it is let through.
WAIT = 'echo "$1 $$" >> begun; read _ < gate; echo "$1" >> ended'
#: One attempt, and no delay.
ONCE = {"MINION_MAX_ATTEMPTS": "1"}


def stop_reason(here):
    """Tell why the only minion left, as its last event has it."""
    [stop] = here.events("minion_stop")
    return stop["reason"]


def test_nothing_left_and_all_done(here):
    """0; last words say what this minion did and where to look."""
    here.put("0..2")
    done = here.minionize("true")
    assert done.code == 0
    assert done.err.splitlines()[-1].startswith("minionize: all settled. This minion: 3 done in ")
    assert done.err.endswith("Details: minion-status\n")
    assert stop_reason(here) == "settled"


def test_a_task_that_died_here(here):
    """1, and what to do about it; 0 where failures are to be ignored, and for the minion that comes after."""
    here.put("0..2")
    fail = here.script("fail", f'[ "$1" = 1 ] || exit 0; {FAIL}')
    done = here.minionize(fail, **ONCE)
    assert done.code == 1
    assert "This minion: 2 done, 1 dead in " in done.err
    assert "minion-queue retry --all" in done.err
    assert here.minionize(fail).code == 0
    here.queue("retry", "--all")
    assert here.minionize("--ignore-failures", fail, **ONCE).code == 0


def test_halt_after_so_many_dead_tasks(here):
    """1, with the rest untouched."""
    here.put("0..9")
    done = here.minionize("--halt", "2", here.script("fail", FAIL), **ONCE, MINION_BAD_HOST="0")
    assert done.code == 1
    assert here.books() == {"pending": 8, "dead": 2}
    assert stop_reason(here) == "halt"


def test_as_many_tasks_as_it_was_to_run(here):
    """99 where work is left, 0 where none is; what was taken ahead is given back."""
    here.put("0..4")
    assert here.minionize("--max-tasks", "3", "true").code == 99
    assert here.books() == {"pending": 2, "done": 3}
    assert here.minionize("--max-tasks", "2", "true").code == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_drain_by_signal(here, number):
    """What runs may end, nothing more is taken, and 99 says that work is left."""
    gate = here.gate()
    here.put("a", "b")
    minion = here.start("minionize", here.script("wait", WAIT))
    here.wait_for_lines("begun")
    minion.signal(number)
    gate.open()
    assert minion.wait().code == 99
    assert here.lines("ended") == ["a"]
    assert here.books() == {"pending": 1, "done": 1}
    assert stop_reason(here) == "drain"


def test_a_drain_of_the_whole_queue(here):
    """Every minion leaves with 99 when its task has ended, new ones at once; it names who asked; ``resume`` ends it."""
    gate = here.gate()
    here.put("0..4")
    wait = here.script("wait", WAIT)
    minions = [here.start("minionize", wait) for _ in range(2)]
    here.wait_for_lines("begun", 2)
    assert here.run("minion-queue", "drain").code == 0
    gate.open()
    assert [minion.wait().code for minion in minions] == [99, 99]
    assert here.minionize(wait).code == 99
    assert here.books() == {"pending": 3, "done": 2}
    assert f"asked by ana@{os.uname().nodename}" in here.queue("show")
    assert "ana@" in here.queue("resume")
    assert here.minionize(wait).code == 0
    assert here.books() == {"done": 5}


def test_a_task_that_usually_takes_longer_than_is_left(here):
    """It is not begun: the minion leaves early, with 99."""
    here.put("a", "b")
    done = here.minionize("--lifetime", "1.2s", here.script("run", "echo $1 >> begun; sleep 0.7"))
    assert done.code == 99
    assert here.lines("begun") == ["a"]
    assert here.books() == {"pending": 1, "done": 1}
    assert stop_reason(here) == "lifetime"


def test_a_task_that_takes_a_whole_lifetime(here):
    """It fits in none: it is stopped, and this is charged as a timeout."""
    here.put("a")
    slow = here.script("slow", "trap 'sleep 0.5; exit 0' TERM; sleep 60 & wait")
    assert here.minionize("--lifetime", "1s", slow, MINION_BACKOFF="0").code == 99
    [(_, state, attempt, _)] = here.tasks()
    assert (state, attempt) == ("pending", 2)
    [end] = here.events()
    assert (end["outcome"], end["reason"]) == ("timeout", "timeout after a whole lifetime")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
    ids=lambda value: str(int(value)),
)
def test_a_stop_by_signal(here, number, code):
    """Children are stopped, and so are theirs; tasks are given back with no attempt counted; 128 and the signal."""
    here.gate()
    here.put("0..4")
    nested = here.script("nested", "sh -c 'echo $$ >> begun; read _ < gate; echo >> ended' & echo $$ >> begun; wait")
    minion = here.start("minionize", "-j", "2", nested)
    pids = [int(line) for line in here.wait_for_lines("begun", 4)]
    minion.signal(number)
    assert minion.wait().code == code
    until(lambda: not any(map(runs, pids)), "the end of the programs")
    assert [task[1:3] for task in here.tasks()] == [("pending", 1)] * 5
    assert here.outcomes() == ["interrupted"] * 2
    assert "2 interrupted and given back" in minion.err


def test_a_program_that_traps_the_stop_and_ends_well_is_not_done(here):
    """It was interrupted, whatever its exit code."""
    here.gate()
    here.put("a")
    minion = here.start("minionize", here.script("trap", "trap 'exit 0' TERM; echo >> begun; sleep 60 & wait"))
    here.wait_for_lines("begun")
    minion.signal(signal.SIGTERM)
    assert minion.wait().code == 143
    assert here.outcomes() == ["interrupted"]
    assert here.books() == {"pending": 1}


def test_a_program_that_ignores_the_stop_is_killed_after_the_grace(here):
    """And given back like any other."""
    here.put("a")
    stubborn = here.script("stubborn", "trap '' TERM; echo >> begun; sleep 60")
    minion = here.start("minionize", "--grace", "0.1s", stubborn)
    here.wait_for_lines("begun")
    minion.signal(signal.SIGTERM)
    assert minion.wait().code == 143
    [end] = here.events()
    assert (end["outcome"], end["signal"]) == ("interrupted", signal.SIGKILL)


def test_a_second_interrupt_does_not_wait_for_the_grace(here):
    """The first one has been heard by the child; a repeated SIGTERM changes nothing."""
    here.put("a")
    stubborn = here.script("stubborn", "trap 'echo >> heard' TERM; echo >> begun; while :; do read _ < gate; done")
    here.gate()
    minion = here.start("minionize", "--grace", "1h", stubborn)
    here.wait_for_lines("begun")
    minion.signal(signal.SIGINT)
    here.wait_for_lines("heard")
    minion.signal(signal.SIGTERM)
    minion.signal(signal.SIGINT)
    assert minion.wait().code == 130
    assert here.books() == {"pending": 1}


def test_a_hangup_that_is_ignored_stays_ignored(here):
    """That is what ``nohup`` is for."""
    gate = here.gate()
    here.put("a")
    minion = here.start("nohup", *located("minionize"), here.script("wait", WAIT))
    here.wait_for_lines("begun")
    minion.signal(signal.SIGHUP)
    gate.open()
    assert minion.wait().code == 0
    assert here.lines("ended") == ["a"]


def test_a_suspended_minion_suspends_its_children(here):
    """And they go on together."""
    gate = here.gate()
    here.put("a")
    minion = here.start("minionize", here.script("wait", WAIT))
    child = int(here.wait_for_lines("begun")[0].split()[1])
    minion.signal(signal.SIGTSTP)
    until(lambda: state(minion.pid) == state(child) == "T", "both are stopped")
    gate.open()
    minion.signal(signal.SIGCONT)
    assert minion.wait().code == 0
    assert here.lines("ended") == ["a"]


def test_nobody_reads_the_output_any_more(here):
    """141, as for any writer into ``head``; what ran is given back."""
    here.put("0..9999")
    reader, writer = os.pipe()
    minion = here.start("minionize", "sh", "-c", "yes | head -n 1000", stdout=writer)
    os.close(writer)
    assert os.read(reader, 2) == b"y\n"
    os.close(reader)
    assert minion.wait().code == 141
    books = here.books()
    assert books["pending"] > 0
    assert books["pending"] + books["done"] == 10_000
    assert stop_reason(here) == "output"


def test_a_host_where_everything_fails_while_others_succeed(here):
    """71; the tasks that failed here are left to others."""
    gate = here.gate()
    here.put("0..299")
    good = here.start("minionize", here.script("good", "read _ < gate; sleep 0.01"))
    bad = here.start(
        "minionize",
        here.script("bad", f"echo >> failed; {FAIL}"),
        MINION_BAD_HOST="2",
        MINION_MAX_ATTEMPTS="1000",
        MINION_BACKOFF="0.01s",
    )
    here.wait_for_lines("failed")
    gate.open()
    done = bad.wait()
    assert done.code == 71
    assert "this host is bad" in done.err
    good.signal(signal.SIGTERM)
    assert good.wait().code == 143
    assert "dead" not in here.books()


def test_nothing_to_do(here):
    """0 at once, and the books are said: an array whose late members find nothing has not failed."""
    here.put("a")
    assert here.minionize("true").code == 0
    late = here.minionize("true")
    assert late.code == 0
    assert "nothing to do: the queue is empty (1 done)" in late.err


def test_a_minion_with_nothing_to_run_leaves_after_a_while(here):
    """0, saying what others still hold; they go on."""
    gate = here.gate()
    here.put("a")
    holder = here.start("minionize", here.script("wait", WAIT))
    here.wait_for_lines("begun")
    idle = here.minionize("--idle-timeout", "0.1s", "true")
    assert idle.code == 0
    assert "nothing left to run here: 1 held by others, 0 delayed" in idle.err
    gate.open()
    assert holder.wait().code == 0


def test_a_minion_waits_for_a_delay_that_it_set_itself(here):
    """Also where it is longer than its patience with others."""
    here.put("a")
    again = here.script("again", f"[ $MINION_ATTEMPT = 2 ] || {{ {FAIL}; }}")
    done = here.minionize("--idle-timeout", "0.4s", again, MINION_BACKOFF="1s")
    assert done.code == 0
    assert here.outcomes() == ["failed", "done"]


def test_a_minion_that_waits_takes_over(here):
    """With ``--wait`` it stays as long as others hold tasks, and runs what they give back."""
    gate = here.gate()
    here.put("a")
    wait = here.script("wait", WAIT)
    holder = here.start("minionize", wait)
    here.wait_for_lines("begun")
    patient = here.start("minionize", "--wait", "--idle-timeout", "0.001s", wait)
    until(lambda: len(here.events("minion_start")) == 2, "the second minion has begun")
    holder.signal(signal.SIGTERM)
    assert holder.wait().code == 143
    here.wait_for_lines("begun", 2)
    gate.open()
    assert patient.wait().code == 0
    assert here.lines("ended") == ["a"]


def test_a_service_waits_for_its_queue_and_stays(here):
    """There need not be one when it starts; it leaves when it is told to."""
    service = here.start("minionize", "--service", "--idle-timeout", "0.001s", here.script("run", "echo $1 >> ran"))
    until(lambda: len(here.processes()) == 2, "it is set up: its warden is there")
    until(lambda: state(service.pid) == "S", "it sleeps")
    here.put("a")
    here.wait_for_lines("ran")
    here.put("b")
    until(lambda: here.outcomes() == ["done", "done"], "both are done")
    service.signal(signal.SIGTERM)
    assert service.wait().code == 143
    assert here.books() == {"done": 2}


def test_as_many_slots_as_there_are_processors(here):
    """Those that this process may use."""
    here.put("a")
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})  # which those that we start inherit
    try:
        minion = here.start("minionize", "-j", "auto", "true")
    finally:
        os.sched_setaffinity(0, mine)
    assert minion.wait().code == 0
    [start] = here.events("minion_start")
    assert start["slots"] == 1


def test_slots_run_side_by_side(here):
    """As many as were asked for, and no more."""
    gate = here.gate()
    here.put("0..5")
    minion = here.start("minionize", "-j", "3", here.script("wait", WAIT))
    begun = here.wait_for_lines("begun", 3)
    assert [runs(int(line.split()[1])) for line in begun] == [True] * 3
    gate.open(1)
    here.wait_for_lines("begun", 4)
    assert len(here.lines("begun")) == 4
    gate.open()
    assert minion.wait().code == 0
    assert sorted(here.lines("ended")) == list("012345")


def test_a_minion_leaves_no_child_of_a_child_behind(here):
    """What a program has put into the background ends with its task."""
    here.gate()
    here.put("a")
    leave = here.script("leave", "sh -c 'echo $$ >> begun; read _ < gate' & until [ -s begun ]; do sleep 0.01; done")
    assert here.minionize(leave).code == 0
    [pid] = here.lines("begun")
    until(lambda: not runs(int(pid)), "the end of what was left in the background")
