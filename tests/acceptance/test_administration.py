"""``minion-queue``: looking at tasks, and changing what becomes of them, also while minions hold them."""

from __future__ import annotations

import json
import re

from .harness import runs, signal, until

#: A program that says which param it has, and waits until it is let through.
WAIT = 'echo "$1 $$" >> begun; read _ < gate; echo "$1" >> ended'
#: Leases that are renewed every 0.3 seconds: that is when a minion learns what became of its tasks.
BRIEF = {"MINION_LEASE": "0.9s"}


def start_holder(here, **environment):
    """Start a minion that holds the first task; return it, the id, and the pid of the program."""
    minion = here.start("minionize", here.script("wait", WAIT), **environment)
    pid = int(here.wait_for_lines("begun")[0].split()[1])
    [(id, *_)] = here.tasks("--state", "leased")
    return minion, id, pid


def test_the_books(here):
    """Every state, also those that no task is in."""
    here.put("a", "b")
    assert here.run("minion-queue", "show").out == (
        "minion-queue.db\npending  2\ndelayed  0\nleased   0\ndone     0\ndead     0\n"
    )


def test_a_listing_is_cut_unless_it_is_asked_for(here):
    """Twenty tasks, with a word that there are more; as many as are asked for; of one state."""
    here.put("1..25")
    listed = here.run("minion-queue", "list")
    assert len(listed.out.splitlines()) == 20
    assert "more than 20; --limit 0 lists all" in listed.err
    assert len(here.queue("list", "--limit", "3").splitlines()) == 3
    assert len(here.tasks()) == 25
    assert here.tasks("--state", "done") == []
    assert [task[3] for task in here.tasks("--state", "pending")] == [str(n) for n in range(1, 26)]


def test_a_task_is_shown_by_the_beginning_of_its_id(here):
    """If that is the beginning of one only."""
    here.put("0..40")  # more than the first digits of their ids
    ids = [task[0] for task in here.tasks()]
    assert here.show(ids[7][:12]) == here.show(ids[7])
    shared = next(digit for digit in "0123456789abcdef" if sum(id.startswith(digit) for id in ids) > 1)
    done = here.run("minion-queue", "show", shared)
    assert done.code == 2
    assert "is the beginning of more than one task id" in done.err


def test_a_task_in_full(here):
    """Who has it, since when, and what it left."""
    here.gate()
    here.put_lines({"seed": 7})
    minion, id, _ = start_holder(here)
    [start] = here.events("minion_start")
    shown = here.show(id)
    assert '\nparam    {"seed":7}\nstate    leased\nattempt  1\ndelivery 1\n' in shown
    assert f"\nminion   {start['minion']} on {start['host']}\n" in shown
    assert re.search(r"\nsince    \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n", shown)
    minion.signal(signal.SIGTERM)
    minion.wait()


def test_what_is_shown_is_safe_for_a_terminal(here):
    """Params come from anywhere: escapes are made visible."""
    here.put_lines("\x1b[31mred\u202e")
    for out in (here.queue("list"), here.show(here.tasks()[0][0]), here.minionize("-n", "echo").out):
        assert "red" in out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_a_cancelled_task_is_gone(here):
    """From the books, for good; it may be put again."""
    here.put("a", "b", "c")
    ids = [task[0] for task in here.tasks()]
    done = here.run("minion-queue", "cancel", ids[0], ids[2])
    assert (done.code, done.out.split(";")[0]) == (0, "2 tasks cancelled")
    assert here.minionize("echo").out == "b\n"
    assert "2 added, 1 known (1 done)" in here.run("minion-queue", "put", "a", "b", "c").out


def test_a_running_task_that_is_cancelled_is_stopped(here):
    """At the next renewal of its minion, which says so, goes on with others, and leaves with 0."""
    here.gate()
    here.put("a")
    minion, id, pid = start_holder(here, **BRIEF)
    assert here.run("minion-queue", "cancel", id).code == 0
    assert minion.wait().code == 0
    assert not runs(pid)
    assert here.outcomes() == ["cancelled"]
    assert here.lines("ended") == []
    assert here.books() == {}


def test_a_running_task_that_is_released_is_run_again(here):
    """Whoever held it learns so at its next renewal, stops it, and settles nothing."""
    gate = here.gate()
    here.put("a")
    minion, id, pid = start_holder(here, **BRIEF)
    assert here.run("minion-queue", "release", id).out == "1 task given back\n"
    until(lambda: here.outcomes() == ["lost"], "the holder has learned so")
    assert not runs(pid)
    gate.open()
    assert minion.wait().code == 0
    assert here.lines("ended") == ["a"]
    assert [(end["outcome"], end["delivery"], end["attempt"]) for end in here.events()] == [
        ("lost", 1, 1),
        ("done", 2, 1),
    ]


def test_what_lost_minions_hold_is_released(here):
    """At once where it is seen that their processes are gone; what others hold stays theirs."""
    gate = here.gate()
    here.put("a", "b")
    lost, _, pid = start_holder(here)
    other = here.start("minionize", here.script("wait", WAIT))
    here.wait_for_lines("begun", 2)
    assert here.run("minion-queue", "release", "--lost").out == "0 tasks given back\n"
    lost.signal(signal.SIGKILL)
    lost.wait()
    assert here.run("minion-queue", "release", "--lost").out == "1 task given back\n"
    assert sorted(task[1] for task in here.tasks()) == ["leased", "pending"]
    until(lambda: not runs(pid), "the end of the orphan")
    gate.open()
    assert other.wait().code == 0
    assert sorted(here.lines("ended")) == ["a", "b"]


def test_the_status_shows_what_is_lost(here):
    """And how to give it back."""
    here.gate()
    here.put("a")
    lost, _, _ = start_holder(here)
    lost.signal(signal.SIGKILL)
    lost.wait()
    here.run("minion-queue", "release", "--lost")
    status = json.loads(here.run("minion-status", "--json").out)
    assert status["counts"]["pending"] == 1
    assert status["counts"]["leased"] == 0


def test_a_queue_is_cleared_while_a_minion_works(here):
    """What runs is stopped at the next renewal, and all is as new."""
    gate = here.gate()
    here.put("0..4")
    minion, _, pid = start_holder(here, **BRIEF)
    refused = here.run("minion-queue", "clear")
    assert (refused.code, "this takes 5 tasks off the books" in refused.err) == (2, True)
    assert here.run("minion-queue", "clear", "--yes").out == "5 tasks removed\n"
    assert minion.wait().code == 0
    assert not runs(pid)
    assert here.outcomes() == ["cancelled"]
    assert here.books() == {}
    assert here.run("minion-queue", "put", "0..4").out == "minion-queue.db: 5 added\n"
    gate.open()
    assert here.minionize("./wait").code == 0
    assert here.lines("ended") == ["0", "1", "2", "3", "4"]


def test_a_queue_is_cleared_and_filled_while_a_minion_works(here):
    """What it held of before is not taken for what came after: each new task runs once, by the same minion."""
    gate = here.gate()
    here.put("a")
    minion, _, _ = start_holder(here, **BRIEF, MINION_SERVICE="1")  # it may notice before the queue is filled again
    assert here.run("minion-queue", "clear", "--yes").code == 0
    here.put("a", "b")
    here.wait_for_lines("begun", 2)
    gate.open()
    until(lambda: here.outcomes() == ["cancelled", "done", "done"], "both are done")
    minion.signal(signal.SIGTERM)
    assert minion.wait().code == 143
    assert here.lines("ended") == ["a", "b"]
    assert here.books() == {"done": 2}


def test_a_drain_may_be_taken_back_before_anybody_noticed(here):
    """And taking back what was not asked for is said."""
    here.put("a")
    assert here.run("minion-queue", "resume").out == "it was not drained\n"
    here.queue("drain")
    assert here.queue("resume").startswith("resumed: ana@")
    assert here.minionize("echo").out == "a\n"


def test_the_queue_beside_a_file_is_administered_like_any_other(here):
    """With the variables that the minions have."""
    file = {"MINION_ENGINE": "file", "FILE_PATH": "params.txt"}
    here.write("params.txt", "a\nb\n")
    assert here.minionize("true", **file).code == 0
    assert "done     2" in here.run("minion-queue", "show", **file).out
    assert here.run("minion-queue", "clear", "--yes", **file).out == "2 tasks removed\n"
    assert here.minionize("echo", **file).out == "a\nb\n"


def test_standard_input_is_no_queue_to_administer(here):
    """This is said, with what to do."""
    done = here.run("minion-queue", "show", MINION_ENGINE="file")
    assert done.code == 2
    assert "FILE_PATH=params.txt" in done.err


def test_a_limit_below_zero_is_no_limit(here):
    """It is refused, like a word."""
    here.put("1..3")
    for limit in ("-3", "three"):
        done = here.run("minion-queue", "list", "--limit", limit)
        assert (done.code, done.out) == (2, "")
        assert f"{limit} is no whole number" in done.err


def test_who_looks_is_told_what_minions_are_told(here):
    """Where a spool is, and who else may write there, stands below its books."""
    here.run("minion-queue", "put", "1..3", MINION_ENGINE="spool")
    (here.path / "minion-queue.d").chmod(0o775)
    *_, where, who = here.run("minion-queue", "show").out.splitlines()
    assert where.startswith("minion-queue.d is on ")
    assert "by its group" in who
