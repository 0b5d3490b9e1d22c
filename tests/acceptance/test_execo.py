"""A ParamSweeper's directory as a queue: the original's commands, by their users' hands."""

from __future__ import annotations

import importlib.util
import os
import re
import sys

import pytest

from .harness import RECORD, recorded, until

if importlib.util.find_spec("execo_engine") is None:
    pytest.skip("execo is not installed: pip install 'minionize[execo]'", allow_module_level=True)

#: The line of the original's README that makes a queue.
README = "from execo_engine.sweep import ParamSweeper; ParamSweeper('sweeps', sweeps=range(10), save_sweeps=True)"


@pytest.fixture
def here(here):
    """Have the engine chosen in the environment."""
    here.environ["MINION_ENGINE"] = "execo"
    return here


def sweep(here, code):
    """Run Python code there, as a user would."""
    done = here.run(sys.executable, "-W", "ignore", "-c", code)
    assert done.code == 0, done.err
    return done.out


def test_the_line_of_the_originals_readme(here):
    """A directory made by it works as it is, and prints what it printed."""
    sweep(here, README)
    done = here.minionize("echo", "hello")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [f"hello {n}" for n in range(10)]
    assert "takes params from sweeps" in done.err
    assert "Warning" not in done.err
    assert here.books() == {"done": 10}
    assert sweep(here, "from execo_engine.sweep import ParamSweeper as P; print(P('sweeps'))") == (
        "sweeps <10 total, 10 done, 0 skipped, 0 in progress, 0 remaining>\n"
    )
    assert here.minionize("echo", "hello").out == ""


def test_the_originals_variable_names_the_directory(here):
    """EXECO_PERSISTENCE_DIR, as ever."""
    sweep(here, README.replace("'sweeps'", "'elsewhere'"))
    done = here.minionize("echo", EXECO_PERSISTENCE_DIR="elsewhere")
    assert sorted(map(int, done.out.split())) == list(range(10))


def test_params_of_a_sweep(here):
    """What ``sweep()`` makes are objects: fields for the command line; tuples are lists."""
    code = """
from execo_engine.sweep import ParamSweeper, sweep
params = sweep({"alpha": [0.5, 1], "name": ["a b"]})
ParamSweeper("sweeps", sweeps=[*params, ("x", "y")], save_sweeps=True)
"""
    sweep(here, code)
    record = here.script("record", RECORD)
    assert here.minionize(record).code == 0
    assert recorded(here) == [[b"x", b"y"], [b"--alpha=0.5", b"--name=a b"], [b"--alpha=1", b"--name=a b"]]


def test_the_whole_life_of_a_queue(here):
    """Made by put, run, retried, removed: the commands are those of any other queue."""
    here.put("n=1..4")
    script = here.script("run", '[ "$1" != 3 ] || [ -e mended ] || { echo "three is bad" >&2; exit 7; }')
    done = here.minionize(script, "{n}", MINION_MAX_ATTEMPTS="2", MINION_BACKOFF="0s")
    assert done.code == 1
    assert here.books() == {"done": 3, "dead": 1}
    ((id, state, attempt, param),) = here.tasks("--state", "dead")
    assert (state, attempt, param.partition("  ")[0]) == ("dead", 2, '{"n":3}')
    assert "three is bad" in here.show(id)
    assert "1" in here.queue("retry", "--all")
    here.write("mended", "")
    assert here.minionize(script, "{n}").code == 0
    assert here.books() == {"done": 4}
    here.put("n=1..5")
    assert here.books() == {"pending": 1, "done": 4}
    here.queue("clear", "--yes")
    assert here.books() == {}


def test_no_directory_is_no_queue(here):
    """Exit code 2, how to make one, and nothing is made."""
    done = here.minionize("echo")
    assert done.code == 2
    assert "there is no ParamSweeper at sweeps" in done.err
    assert "minion-queue put" in done.err
    assert here.names() == []


def test_a_directory_that_everybody_can_write_is_refused(here):
    """Pickles are programs: exit code 2, and nothing of it is run."""
    sweep(here, README)
    os.chmod(here.path / "sweeps", 0o777)
    done = here.minionize("echo")
    assert (done.code, done.out) == (2, "")
    assert "chmod -R go-w sweeps" in done.err


def test_what_a_crashed_program_left_in_progress(here):
    """It is held by nobody we know: the minion leaves it, says so, and a release gives it back."""
    sweep(here, README + ".get_next_batch(3)")
    done = here.minionize("--idle-timeout", "0.1s", "echo")
    assert sorted(done.out.split()) == list("3456789")
    assert here.books() == {"leased": 3, "done": 7}
    assert here.queue("release", "--lost")
    assert here.books() == {"pending": 3, "done": 7}
    assert sorted(here.minionize("echo").out.split()) == list("012")


def test_minions_that_are_killed_lose_nothing(here):
    """Three share 60 params; one after the other is killed with -9 and replaced; all params are run, most of them once."""
    here.put("1..60")
    script = here.script("run", "echo $1 >> ran; sleep 0.02")
    here.environ |= {"MINION_MAX_CRASHES": "100", "MINION_PREEMPTIBLE": "1"}
    minions = [here.start("minionize", "-j", "2", script) for _ in range(3)]
    for kill in range(4):
        here.wait_for_lines("ran", (kill + 1) * 8)
        minions[kill % 3].kill()
        minions[kill % 3] = here.start("minionize", "-j", "2", script)
    for minion in minions:
        assert minion.wait().code == 0, minion.err
    until(lambda: not here.processes(), "the end of all")
    assert here.books() == {"done": 60}
    ran = here.lines("ran")
    assert set(ran) == {str(n) for n in range(1, 61)}
    assert len(ran) <= 60 + 4 * 2 * 8, "more was run twice than the killed ones can have held"
    assert re.search("60 done", sweep(here, "from execo_engine.sweep import ParamSweeper as P; print(P('sweeps'))"))
