"""A host that cannot start anything just now, and a callback that asks for what cannot be started."""

from __future__ import annotations

import os
import sys

import pytest
from harness import wait_for_lines, wait_until

from minionize.model import Counts

#: A minion on a host that has no process left to give while there is a file ``full``.
CROWDED = """
import errno, os, sys
from minionize.cli.minionize import main
spawn = os.posix_spawn
def crowded(*arguments, **options):
    if os.path.exists("full"):
        raise OSError(int(sys.argv[1]), os.strerror(int(sys.argv[1])))
    return spawn(*arguments, **options)
os.posix_spawn = crowded
sys.exit(main(sys.argv[2:]))
"""
#: A callback that makes something impossible of three params, and ``ok`` of the others.
ODD = """
import sys
from minionize import ProcessCallback, minionizer

class Odd(ProcessCallback):
    def to_cmd(self, param):
        if param == "exit":
            sys.exit("enough")
        return ["./ok", param]

    def prepare(self, task, slot):
        launch = super().prepare(task, slot)
        strange = {'"nul"': {b"A": b"0\\0"}, '"type"': {b"A": 7}}
        return launch._replace(environment=strange.get(task.param, {b"A": b"fine"}))

sys.exit(minionizer(Odd()).run())
"""


def interruptions(camp):
    """List the executions that were given back without a charge."""
    return [event for event in camp.events() if event["outcome"] == "interrupted"]


def test_an_output_directory_that_became_a_file_costs_no_attempt(camp):
    """The minion says so and tries again, until somebody takes the file away."""
    gate = camp.gate()
    command = camp.script("command", 'echo "$1" >> ran; echo "out $1"; read _ < gate')
    camp.put("1..3")
    minion = camp.minion("--output", "out", "--max-attempts", "1", "--halt", "1", command)
    wait_for_lines(camp.ran, 1)
    (camp.path / "out").rename(camp.path / "before")
    (camp.path / "out").write_text("in the way\n")
    gate.open()
    minion.has_said("cannot start tasks here: ")
    wait_until(lambda: len(interruptions(camp)) > 1, "it tries again, in vain")
    assert camp.runs() == ["1"]
    (camp.path / "out").unlink()
    assert minion.code() == 0, minion.err
    assert sorted(camp.runs()) == ["1", "2", "3"]
    assert {(entry.state, entry.attempt, entry.crashes) for entry in camp.all_entries()} == {("done", 1, 0)}
    assert minion.err.count("Trying again") == 1
    texts = sorted(path.read_text() for where in ("before", "out") for path in (camp.path / where).glob("*.out"))
    assert texts == ["out 1\n", "out 2\n", "out 3\n"]


@pytest.mark.parametrize("error", ["EAGAIN", "ENOMEM", "EMFILE"])
def test_a_host_with_no_room_for_a_process_costs_no_attempt(camp, error):
    """No task dies of it, no slot is lost, and the minion goes on when there is room."""
    import errno

    command = camp.script("command", 'echo "$1" >> ran')
    camp.put("1..4")
    (camp.path / "full").touch()
    number = str(getattr(errno, error))
    argv = ("-j2", "--max-attempts", "1", "--halt", "1", "--bad-host", "2", command)
    minion = camp.start(sys.executable, "-c", CROWDED, number, *argv)
    minion.has_said(f"cannot start tasks here: {os.strerror(int(number))}")
    wait_until(lambda: len(interruptions(camp)) > 2, "it tries again, in vain")
    assert camp.counts().dead == 0
    (camp.path / "full").unlink()
    assert minion.code() == 0, minion.err
    assert sorted(camp.runs()) == ["1", "2", "3", "4"]
    assert {(entry.state, entry.attempt) for entry in camp.all_entries()} == {("done", 1)}
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=4, dead=0)


def test_what_a_callback_makes_impossible_fails_that_task_only(camp):
    """A NUL or a number in the environment, an exit: each costs its task an attempt, and the only slot goes on."""
    camp.script("ok", 'echo "$1 $A" >> ran')
    camp.put("a", "nul", "b", "type", "c", "exit", "d")
    minion = camp.start(sys.executable, "-c", ODD, variables={"MINION_SLOTS": "1", "MINION_MAX_ATTEMPTS": "2"})
    assert minion.code() == 1, minion.err
    assert sorted(camp.runs()) == ["a fine", "b fine", "c fine", "d fine"]
    dead = {name: entry for name, entry in camp.entries().items() if entry.state == "dead"}
    assert {name: (entry.attempt, entry.delivery) for name, entry in dead.items()} == {
        "nul": (2, 2),
        "type": (2, 2),
        "exit": (2, 2),
    }
    assert dead["exit"].failure.reason == "SystemExit: enough"
    assert dead["nul"].failure.reason.startswith("ValueError")
    assert dead["type"].failure.reason.startswith("TypeError")
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=4, dead=3)
