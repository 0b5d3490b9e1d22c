"""Tasks that fail: attempts and backoff, time limits, dead letters with their reason, exit codes with a meaning."""

from __future__ import annotations

import re

import pytest

from .harness import runs, signal, until

#: A program that fails at once, also where a failure waits for a stop that may have caused it.
FAIL = "ulimit -c 0; kill -SEGV $$"
#: No delay between attempts worth waiting for.
SOON = {"MINION_BACKOFF": "0.01s", "MINION_BAD_HOST": "0"}


def dead(here):
    """Show the only dead letter in full."""
    [(id, *_)] = here.tasks("--state", "dead")
    return here.show(id)


def test_a_task_is_attempted_so_often_and_then_dead(here):
    """Each attempt is charged and told to the child; the events say whether and when it is offered again."""
    here.put("a")
    again = here.script("again", f'echo "$MINION_ATTEMPT" >> attempts; {FAIL}')
    assert here.minionize(again, **SOON, MINION_MAX_ATTEMPTS="4").code == 1
    assert here.lines("attempts") == ["1", "2", "3", "4"]
    ends = here.events()
    assert [end["attempt"] for end in ends] == [end["delivery"] for end in ends] == [1, 2, 3, 4]
    assert [end["retry_in"] is None for end in ends] == [False, False, False, True]
    assert [end["dead"] for end in ends] == [False, False, False, True]
    assert "attempt  4\n" in dead(here)


def test_failed_tasks_are_delayed_and_the_others_run_meanwhile(here):
    """Their next attempts come after a backoff, with no slot waiting for them."""
    gate = here.gate()
    here.put("bad1", "bad2", "bad3", "good", "last")
    run = here.script("run", f"case $1 in bad*) {FAIL};; last) read _ < gate;; esac; echo $1 >> ended")
    minion = here.start("minionize", run, MINION_BACKOFF="5m")  # at random below it, but hardly at once for all three
    here.wait_for_lines("ended")
    delayed = here.tasks("--state", "delayed")
    assert delayed
    assert {(attempt, what.split("  ")[1]) for _, _, attempt, what in delayed} == {
        (2, "signal 11 (segmentation fault)")
    }
    assert "\nstate    delayed until " in here.show(delayed[0][0])
    minion.signal(signal.SIGUSR1)
    gate.open()
    assert minion.wait().code == 99
    assert here.lines("ended") == ["good", "last"]


def test_success_ends_the_attempts(here):
    """A task that failed before is done."""
    here.put("a")
    assert here.minionize(here.script("third", f"[ $MINION_ATTEMPT = 3 ] || {{ {FAIL}; }}"), **SOON).code == 0
    assert here.outcomes() == ["failed", "failed", "done"]
    assert here.books() == {"done": 1}


def test_a_dead_letter_says_why(here):
    """The signal, the host, and the last 4 KiB that the program wrote to standard error."""
    here.put("a")
    loud = here.script("loud", f"i=0; while [ $i -lt 1000 ]; do echo line $i >&2; i=$((i + 1)); done; {FAIL}")
    assert here.minionize("--max-attempts", "1", loud, MINION_OUTPUT="none").code == 1
    shown = dead(here)
    assert "\nfailure  signal 11 (segmentation fault), on " in shown
    stderr = shown.partition("\nstderr\n")[2].splitlines()
    assert stderr[-1] == "  line 999"
    assert 3500 < sum(len(line) - 1 for line in stderr) <= 4096
    [end] = here.events()
    assert (end["exit"], end["signal"], end["outcome"]) == (None, 11, "failed")
    assert end["stderr"].endswith("line 998\nline 999\n")
    assert "line 999" in here.run("minion-status", "--failures", "1").out


def test_exit_codes_have_a_meaning(here):
    """0 is done, and all else has failed; but some are not worth another attempt, and some are no attempt at all."""
    here.put("0", "3", "64", "65", "75")
    first = here.script("first", 'echo "$1 $MINION_ATTEMPT" >> runs; [ ! -e ran.$1 ] || exit 0; echo > ran.$1; exit $1')
    done = here.minionize("-j", "5", "--dead-on", "64,65", "--requeue-on", "75", first, **SOON)
    assert done.code == 1
    assert sorted(here.lines("runs")) == sorted(["0 1", "3 1", "3 2", "64 1", "65 1", "75 1", "75 1"])
    states = {what.split()[0]: (state, attempt) for _, state, attempt, what in here.tasks()}
    assert states == {"0": ("done", 1), "3": ("done", 2), "64": ("dead", 1), "65": ("dead", 1), "75": ("done", 1)}
    ends = {(end["param"], end["delivery"]): (end["outcome"], end["reason"]) for end in here.events()}
    assert ends == {
        (0, 1): ("done", ""),
        (3, 1): ("failed", "exit 3"),
        (3, 2): ("done", ""),
        (64, 1): ("failed", "exit 64"),
        (65, 1): ("failed", "exit 65"),
        (75, 1): ("interrupted", "exit 75"),
        (75, 2): ("done", ""),
    }


def test_tasks_that_take_too_long_are_stopped(here):
    """SIGTERM goes to all of a group, SIGKILL after the grace; that is a failure, whatever the exit code."""
    here.put("polite", "stubborn", "plain")
    programs = {
        "polite": "sh -c 'echo $$ >> pids; sleep 60' & trap 'exit 0' TERM; sleep 60 & wait",
        "stubborn": "trap '' TERM; sh -c 'echo $$ >> pids; sleep 60'; sleep 60",
        "plain": "exec sleep 60",
    }
    cases = " ".join(f"{name}) {program} ;;" for name, program in programs.items())
    slow = here.script("slow", f"[ $MINION_ATTEMPT = 1 ] || exit 0; case $1 in {cases} esac")
    assert here.minionize("-j", "3", "--timeout", "1s", "--grace", "0.1s", slow, **SOON).code == 0
    ends = {end["param"]: end for end in here.events() if end["attempt"] == 1}
    assert {param: (end["outcome"], end["exit"], end["signal"]) for param, end in ends.items()} == {
        "polite": ("timeout", 0, None),
        "stubborn": ("timeout", None, signal.SIGKILL),
        "plain": ("timeout", None, signal.SIGTERM),
    }
    assert all(re.fullmatch(r"timeout after [0-9.]+s", end["reason"]) for end in ends.values())
    assert [end["outcome"] for end in here.events() if end["attempt"] == 2] == ["done"] * 3
    pids = [int(line) for line in here.lines("pids")]
    assert len(pids) == 2
    until(lambda: not any(map(runs, pids)), "the end of both groups")


def test_a_task_that_always_takes_too_long_is_dead(here):
    """With its time limit as the reason."""
    here.put("60")
    assert here.minionize("--timeout", "0.1s", "--max-attempts", "1", "sleep").code == 1
    assert re.search(r"\nfailure  timeout after [0-9.]+s, on ", dead(here))


def test_a_program_that_cannot_be_started_is_a_failure_of_its_task(here):
    """With the reason."""
    here.put("a")
    here.write("broken", "#!/no/such/interpreter\n")
    (here.path / "broken").chmod(0o755)
    assert here.minionize("./broken", **SOON, MINION_MAX_ATTEMPTS="2").code == 1
    assert here.outcomes() == ["failed", "failed"]
    assert "cannot start ./broken: No such file or directory" in dead(here)


def test_failures_are_grouped_by_cause(here):
    """However their numbers differ."""
    here.put("1..5")
    fail = here.script("fail", f"echo bad file $1 >&2; {FAIL}")
    assert here.minionize("-j", "5", fail, **SOON, MINION_MAX_ATTEMPTS="1").code == 1
    listed = here.run("minion-status", "--failures").out
    assert listed.count("signal 11") == 1
    assert "bad file #" in listed


def test_a_program_whose_result_counts_only_where_it_is_done(here):
    """What a failed attempt left does not outlive it."""
    here.put("a")
    twice = here.script("twice", f'[ $MINION_ATTEMPT = 2 ] || {{ echo 1 > "$MINION_RESULT_FILE"; {FAIL}; }}')
    assert here.minionize(twice, **SOON).code == 0
    [(id, *_)] = here.tasks()
    assert "\nresult" not in here.show(id)


@pytest.mark.parametrize("verb", [["--all"], []])
def test_dead_letters_are_put_back(here, verb):
    """As if new, by name or all of them."""
    here.put("a", "b")
    mended = here.script("run", f"[ -e mended ] || {{ {FAIL}; }}; echo $1 $MINION_ATTEMPT")
    assert here.minionize(mended, **SOON, MINION_MAX_ATTEMPTS="1").code == 1
    ids = [task[0] for task in here.tasks("--state", "dead")]
    here.write("mended", "")
    named = verb or [ids[0], ids[1][:10]]
    assert here.run("minion-queue", "retry", *named).out == "2 tasks put back\n"
    assert here.minionize(mended).out == "a 1\nb 1\n"
    assert here.books() == {"done": 2}
