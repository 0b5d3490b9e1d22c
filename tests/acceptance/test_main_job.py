"""The main job: fill a queue, run minions, see what happened; and a file of params in place of a queue."""

from __future__ import annotations

import json
import os
import subprocess

from .harness import RECORD, located, recorded, runs, signal, until


def test_two_minions_run_every_param_once(here):
    """Both leave with 0, what they did adds up, and the status says so."""
    simulate = here.script("simulate.sh", 'echo "$1 $2" >> ran')
    put = here.run("minion-queue", "put", "seed=1..100", "alpha=0.1,0.5")
    assert put.out == "minion-queue.db: 200 added\n"
    minions = [here.start("minionize", "-j", "2", simulate, "{seed}", "{alpha}") for _ in range(2)]
    assert [minion.wait().code for minion in minions] == [0, 0]
    assert sorted(here.lines("ran")) == sorted(f"{seed} {alpha}" for seed in range(1, 101) for alpha in ("0.1", "0.5"))
    assert here.outcomes() == ["done"] * 200
    assert here.run("minion-status").out.splitlines()[2] == "done 200"


def test_lines_of_standard_input_are_params(here):
    """As the original had it: one line each, in order."""
    done = here.minionize("echo", "hello", input=b"".join(b"%d\n" % n for n in range(1, 11)), MINION_ENGINE="file")
    assert done.code == 0
    assert done.out == "".join(f"hello {n}\n" for n in range(1, 11))
    assert here.names() == ["minion-report"]


def test_a_child_that_reads_standard_input_eats_no_param(here):
    """Its own is empty."""
    done = here.minionize("sh", "-c", 'cat; echo "$0"', input=b"1\n2\n3\n", MINION_ENGINE="file")
    assert (done.code, done.out) == (0, "1\n2\n3\n")


def test_lines_of_standard_input_run_as_they_come(here):
    """A pipe may stay open for hours; what it has given does not wait for its end."""
    reader, writer = os.pipe()
    minion = here.start("minionize", "echo", stdin=reader, MINION_ENGINE="file")
    os.close(reader)
    for line in ("one", "two"):
        os.write(writer, f"{line}\n".encode())
        until(lambda line=line: minion.out.endswith(f"{line}\n"), line)
    os.write(writer, b"three without a newline")
    os.close(writer)
    assert minion.wait() == (0, "one\ntwo\nthree without a newline\n", minion.err)


def test_four_minions_share_a_file_and_one_of_them_is_killed(here):
    """Its lines are put once, each runs once, and the param that died with its minion is run by another one."""
    gate = here.gate()
    run = here.script("run.sh", 'echo "$1 $$ $PPID" >> begun; read _ < gate; echo "$1" >> ended')
    here.write("params.txt", "".join(f"line-{n}\n" for n in range(40)))
    file = {"MINION_ENGINE": "file", "FILE_PATH": "params.txt"}
    minions = [here.start("minionize", run, **file) for _ in range(4)]
    begun = [line.split() for line in here.wait_for_lines("begun", 4)]
    victim = minions.pop()
    victim.signal(signal.SIGKILL)
    [(param, child)] = [(param, int(child)) for param, child, parent in begun if int(parent) == victim.pid]
    until(lambda: not runs(child), "the end of the orphan")
    gate.open()
    assert [minion.wait().code for minion in minions] == [0, 0, 0]
    assert sorted(here.lines("ended")) == sorted(f"line-{n}" for n in range(40))
    assert sorted(line.split()[0] for line in here.lines("begun")) == sorted([param, *here.lines("ended")])


def test_a_file_that_was_run_is_not_run_again(here):
    """A second start does nothing and says so; a line that was added since is run."""
    record = here.script("record", RECORD)
    here.write("params.txt", "a\nb\n")
    file = {"MINION_ENGINE": "file", "FILE_PATH": "params.txt"}
    assert here.minionize(record, **file).code == 0
    assert here.names() == [
        "argv",
        "minion-report",
        "params.txt",
        *(f"params.txt.queue.db{end}" for end in ("", "-lock")),
        "record",
    ]
    again = here.minionize(record, **file)
    assert again.code == 0
    assert "nothing to do: the queue is empty (2 done)" in again.err
    assert recorded(here) == [[b"a"], [b"b"]]
    here.write("params.txt", "a\nb\nc\n")
    assert here.minionize(record, **file).code == 0
    assert recorded(here) == [[b"a"], [b"b"], [b"c"]]
    assert here.run("minion-queue", "show", **file).out.splitlines()[4] == "done     3"


def test_a_file_of_params_is_read_as_its_decoder_says(here):
    """Lines are strings, JSON values, or rows under a header; a bad line is named, and nothing is made of the others."""
    record = here.script("record", RECORD)
    for name, content, words in (
        ("identity", "007 {x}\n", ["{}"]),
        ("json", '{"seed": 007}\n', ["{seed}"]),
        ("csv", "seed,name\n007,a b\n", ["{seed}", "{name}"]),
    ):
        here.write(name, content)
        done = here.minionize(record, *words, MINION_ENGINE="file", FILE_PATH=name, FILE_DECODER=name)
        assert done.code == (2 if name == "json" else 0)
        assert ("json, line 1: not valid JSON" in done.err) == (name == "json")
    assert recorded(here) == [[b"007 {x}"], [b"007", b"a b"]]


def test_a_file_that_is_not_there(here):
    """It is a typo: exit 2, and nothing is made."""
    done = here.minionize("echo", MINION_ENGINE="file", FILE_PATH="parms.txt")
    assert done.code == 2
    assert "there is no file parms.txt" in done.err
    assert here.names() == []


def test_minions_that_start_together_make_the_queue_of_a_file_once(here):
    """Whichever comes first; the others find its lines known."""
    here.write("params.txt", "".join(f"{n}\n" for n in range(50)))
    minions = [here.start("minionize", "echo", MINION_ENGINE="file", FILE_PATH="params.txt") for _ in range(4)]
    ended = [minion.wait() for minion in minions]
    assert [done.code for done in ended] == [0] * 4
    assert sorted(int(line) for done in ended for line in done.out.splitlines()) == list(range(50))


def test_a_minion_without_a_queue(here):
    """It says how to make one, makes none itself, and leaves with 2."""
    done = here.minionize("true")
    assert done.code == 2
    assert "there is no queue at minion-queue.db" in done.err
    assert "minion-queue put" in done.err
    assert here.names() == []


def test_the_queue_is_where_the_variable_says(here):
    """One directory may have several."""
    here.put("here")
    other = {"SQLITE_PATH": "other.db"}
    assert here.run("minion-queue", "put", "there", **other).out == "other.db: 1 added\n"
    assert here.minionize("echo", **other).out == "there\n"
    assert here.minionize("echo").out == "here\n"


def test_the_status_of_a_run_for_programs(here):
    """One JSON object with the same numbers as the screen."""
    here.put("0..4")
    fail = here.script("fail", '[ "$1" = 3 ] && kill -SEGV $$ || true')
    assert here.minionize(fail, MINION_MAX_ATTEMPTS="1").code == 1
    status = json.loads(here.run("minion-status", "--json").out)
    assert (status["counts"]["done"], status["counts"]["dead"], status["counts"]["total"]) == (4, 1, 5)
    screen = here.run("minion-status").out
    assert "done 4  dead 1 (20.0%)" in screen
    assert "signal 11" in screen
    assert max(map(len, screen.splitlines())) <= 80
    assert "signal 11" in here.run("minion-status", "--failures", "1").out


def test_the_status_shows_what_runs_now(here):
    """With its param; a command that waits needs no end to be seen."""
    gate = here.gate()
    here.put("alpha", "beta")
    minion = here.start("minionize", "sh", "-c", "read _ < gate")
    until(lambda: here.events("task_start"), "the announcement of a task that runs")
    assert "alpha" in here.run("minion-status", "--in-flight").out
    gate.open()
    assert minion.wait().code == 0


def test_a_queue_is_filled_by_two_at_once(here):
    """What both put is added by one of them and known to the other."""
    puts = [here.start("minion-queue", "put", "seed=1..300"), here.start("minion-queue", "put", "seed=201..500")]
    outs = [put.wait().out for put in puts]
    assert sum(int(out.split()[1]) for out in outs) == 500
    assert sum("100 known (100 pending)" in out for out in outs) == 1
    assert here.books() == {"pending": 500}


def test_params_that_are_put_while_minions_run(here):
    """They are run too."""
    gate = here.gate()
    here.put("a")
    minion = here.start("minionize", here.script("run", "echo $1 >> begun; read _ < gate"))
    here.wait_for_lines("begun")
    here.put("b", "c")
    gate.open()
    assert minion.wait().code == 0
    assert here.lines("begun") == ["a", "b", "c"]


def test_a_minion_runs_without_a_home_or_a_path_of_its_own(here):
    """An empty environment is enough: a scheduler may give no more."""
    here.put("x")
    minimal = subprocess.run(
        [*located("minionize"), "/bin/echo"], cwd=here.path, env={}, capture_output=True, check=False
    )
    assert (minimal.returncode, minimal.stdout) == (0, b"x\n")
