"""Reporters that fail: no task does."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from harness import wait_for_lines

from minionize.model import Counts

#: A reporter of somebody else's, which raises in the methods that FAULTS names.
PLUGIN = """
import os
FAULTS = os.environ["FAULTS"].split()

class Reporter:
    @classmethod
    def from_settings(cls, settings, minion, console):
        return cls()

    def fail(self, method):
        if method in FAULTS:
            raise ValueError(f"no {method} today")

    def report(self, lines):
        self.fail("report")

    def beat(self):
        self.fail("beat")

    def close(self):
        self.fail("close")
"""


@pytest.fixture
def plugin(camp):
    """Install the reporter ``faulty``, as a package would bring it."""
    packages = camp.path / "packages"
    metadata = packages / "faulty-1.0.dist-info"
    metadata.mkdir(parents=True)
    (packages / "faulty.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[minionize.reporters]\nfaulty = faulty:Reporter\n")
    camp.environment["PYTHONPATH"] += os.pathsep + str(packages)
    camp.environment["MINION_REPORTER"] = "faulty"


@pytest.mark.parametrize("faults", ["report", "close", "beat", "report beat close"])
def test_a_reporter_that_raises_fails_no_task(camp, plugin, faults):
    """It is said once that events are missing; all tasks are done, failures are failures, and the exit code is theirs."""
    command = camp.script("command", 'test "$1" != 3 || kill -SEGV $$')
    camp.put("1..5")
    minion = camp.minion("--max-attempts", "1", command, variables={"FAULTS": faults})
    assert minion.code() == 1, minion.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=4, dead=1)
    assert minion.err.count("events are not recorded") == (faults != "beat")
    assert "4 done, 1 dead" in minion.err
    assert "Traceback" not in minion.err


def test_a_heartbeat_that_raises_ends_no_minion(camp, plugin):
    """Whatever it raises."""
    program = "import sys; from minionize import events; events.HEARTBEAT = 0.01; "
    program += "from minionize.cli.minionize import main; sys.exit(main(sys.argv[1:]))"
    command = camp.script("command", "echo >> ran; sleep 0.1")
    camp.put("1..2")
    minion = camp.start(sys.executable, "-c", program, command, variables={"FAULTS": "beat"})
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 2


def test_a_report_directory_that_is_deleted_under_a_minion_fails_no_task(camp):
    """The open file goes on to take events that nobody will read."""
    gate = camp.gate()
    command = camp.script("command", "echo >> ran; read _ < gate")
    camp.put("1..3")
    minion = camp.minion(command)
    wait_for_lines(camp.ran, 1)
    shutil.rmtree(camp.path / "minion-report")
    gate.open()
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 3


def test_a_report_directory_that_cannot_be_made_is_an_error_before_the_first_task(camp):
    """It names the directory and what to type; nothing was taken."""
    (camp.path / "minion-report").write_text("a file")
    command = camp.script("command", "echo >> ran")
    camp.put("1")
    minion = camp.minion(command)
    assert minion.code() == 2
    assert "cannot write events to minion-report" in minion.err
    assert "MINION_REPORTER=null" in minion.err
    assert camp.runs() == []
    assert camp.counts().pending == 1


def test_an_output_directory_that_is_deleted_under_a_minion_fails_no_task(camp):
    """The task that removed it is done, and the next ones find it there again."""
    command = camp.script("command", 'echo "$1" >> ran; echo out; rm -rf out')
    camp.put("1..3")
    minion = camp.minion("--output", "out", "--max-attempts", "1", command)
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 3
    assert camp.runs() == ["1", "2", "3"]


@pytest.mark.parametrize("setting", ["MINION_OUTPUT", "TMPDIR"])
def test_a_directory_that_cannot_be_made_is_an_error_before_the_first_task(camp, setting):
    """Not one of ours to report, but one that names the directory."""
    (camp.path / "file").write_text("not a directory")
    command = camp.script("command", "echo >> ran")
    camp.put("1")
    minion = camp.minion(command, variables={setting: "file/below"})
    assert minion.code() == 2, minion.err
    assert "file/below" in minion.err
    assert "Not a directory" in minion.err
    assert camp.runs() == []
    assert camp.counts().pending == 1
