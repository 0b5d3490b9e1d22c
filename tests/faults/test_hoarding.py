"""A minion keeps nothing to itself that it does not use: tasks that others could run, and open files."""

from __future__ import annotations

import sys

import pytest
from harness import wait_for_lines, wait_until

from minionize.model import Counts

#: A minion that fetches as much ahead as it ever does, once it has seen one short task.
GREEDY = """
import sys
from minionize import policy
from minionize.cli.minionize import main
policy.AHEAD = 1e9
sys.exit(main(sys.argv[1:]))
"""
#: Three minions, one after the other, in one process; it tells how many files are open after each.
THRICE = """
import os
from minionize import ProcessCallback, minionizer

class Say(ProcessCallback):
    def to_cmd(self, param):
        return ["echo", str(param)]

minion = minionizer(Say(), quiet=True)
for _ in range(3):
    code = minion.run()
    print(code, len(os.listdir("/proc/self/fd")), flush=True)
"""


def greedy_on_a_long_task(camp):
    """Start a minion that learns from a short task, fetches all the others, and comes upon one that waits at a gate."""
    command = camp.script("command", 'echo "$1" >> ran; test "$1" != 2 || read _ < gate')
    camp.put("1..50")
    minion = camp.start(sys.executable, "-c", GREEDY, "-j1", command)
    assert wait_for_lines(camp.ran, 2) == ["1", "2"]
    return minion, command


def test_tasks_that_were_fetched_ahead_of_a_long_one_are_given_back(camp):
    """The books say that one is held, the one that runs; nothing was charged."""
    gate = camp.gate()
    minion, _ = greedy_on_a_long_task(camp)
    wait_until(lambda: camp.counts() == Counts(pending=48, delayed=0, leased=1, done=1, dead=0), camp.counts)
    assert {entry.delivery for entry in camp.all_entries()[2:]} == {1}, "they had been fetched"
    gate.open()
    assert minion.code() == 0, minion.err
    assert {(entry.state, entry.attempt) for entry in camp.all_entries()} == {("done", 1)}
    assert sorted(map(int, camp.runs())) == list(range(1, 51))


def test_another_minion_runs_what_was_fetched_ahead_of_a_long_task(camp):
    """It need not wait for the end of the long one."""
    gate = camp.gate()
    first, command = greedy_on_a_long_task(camp)
    second = camp.minion(command)
    wait_for_lines(camp.ran, 50)
    wait_until(lambda: camp.counts().done == 49, camp.counts)
    assert first.popen.poll() is None
    gate.open()
    assert first.code() == 0, first.err
    assert second.code() == 0, second.err
    assert sorted(map(int, camp.runs())) == list(range(1, 51))
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=50, dead=0)


@pytest.mark.parametrize("engine", ["sqlite", "file"])
@pytest.mark.parametrize("output", ["live", "grouped", "none", "out"])
def test_minions_of_one_process_leave_no_file_open(camp, output, engine):
    """A program may run many, one after the other: each gives back all that it opened."""
    (camp.path / "params.txt").write_text("1\n2\n3\n")
    camp.put("1..3")
    variables = {
        "MINION_ENGINE": engine,
        "FILE_PATH": "params.txt",
        "MINION_OUTPUT": output,
        "MINION_MAX_TASKS": "1",
        "MINION_SLOTS": "2",
    }
    program = camp.start(sys.executable, "-c", THRICE, variables=variables)
    assert program.code() == 0, program.err
    said = [line.split() for line in program.out.splitlines() if " " in line]
    assert [code for code, _ in said] == ["99", "99", "0"]
    assert len({count for _, count in said}) == 1, said
