"""How long a job may last: what its environment says, and what its scheduler answers."""

from __future__ import annotations

import os
import time

import pytest

from minionize.place import grant
from minionize.place.grant import Grant, slurm_time
from minionize.place.question import Question

SLURM = {"SLURM_JOB_ID": "9"}
OARSTAT = """Job_Id: 7
    state = Running
    walltime = 1:30:0
    startTime = {}
    message = R=1,W=1:30:0,J=B (Karma=0.000,quota_ok)
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return a function that puts a command on the PATH, which holds no other."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name, script):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


def answered(environ):
    """Ask the scheduler, and read what it says."""
    question = grant.ask(environ)
    assert question is not None
    return grant.read(question.wait(30))


def test_oar_grants_its_walltime_from_the_start_of_the_job(tmp_path, monkeypatch):
    """The node file is written then; this minion may have started much later."""
    nodes = tmp_path / "nodes"
    nodes.write_text("n1\n")
    os.utime(nodes, (1000, 1000))
    monkeypatch.setattr(time, "time", lambda: 1600.0)
    job = {"OAR_JOB_ID": "7", "OAR_NODE_FILE": str(nodes), "OAR_JOB_WALLTIME_SECONDS": "3600"}
    assert grant.granted(job) == (3000.0, 3600.0)
    assert grant.granted(job | {"OAR_NODE_FILE": "/nowhere"}) == (3600.0, 3600.0)
    assert grant.granted(job | {"OAR_JOB_WALLTIME_SECONDS": "60"}) == (0.0, 60.0)
    assert grant.granted({"OAR_JOB_ID": "7"}) is None


def test_oarstat_tells_a_walltime_that_was_changed(command):
    """And when the job started, by the server's clock."""
    start = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - 600))
    command("oarstat", f'[ "$*" = "-f -j 7" ] && echo "{OARSTAT.format(start)}"')
    told = answered({"OAR_JOB_ID": "7"})
    assert told.whole == 5400
    assert 4700 < told.left <= 4800


def test_squeue_tells_the_time_left(command):
    """Asked for this very element of an array, not for all of them."""
    command("squeue", '[ "$*" = "-h -j 8_0 -o %L %l" ] && echo 1:30 2:00 || echo 2-01:00:00 3-00:00:00')
    assert answered({"SLURM_JOB_ID": "8", "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "0"}) == (90, 120)
    assert answered(SLURM) == (2 * 86400 + 3600, 3 * 86400)


def test_slurm_may_tell_the_end_in_the_environment(monkeypatch):
    """Since 23.02: then a thousand minions that start at once ask it nothing."""
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    job = SLURM | {"SLURM_JOB_END_TIME": "1060"}
    assert grant.granted(job) == (60, 60)
    assert grant.granted(job | {"SLURM_JOB_START_TIME": "960"}) == (60, 100)
    assert grant.granted(SLURM) is None


def test_outside_a_job_nobody_is_asked():
    """There is no end, and nobody who would know."""
    assert grant.ask({}) is None
    assert grant.granted({}) is None


@pytest.mark.parametrize("answer", ["", "NOT_SET 1:00", "1:00", "INVALID INVALID", "slurm_load_jobs error: ...\n", "x"])
def test_what_is_no_answer_grants_nothing_and_takes_nothing(answer):
    """A scheduler that is down, or another version's words."""
    assert grant.read(answer) is None


def test_a_job_without_a_limit_has_no_end():
    """Slurm says so in a word."""
    assert grant.read("UNLIMITED UNLIMITED\n") == grant.NO_LIMIT == Grant(float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:30", 30.0),
        ("02:03:04", 7384.0),
        ("1-02:03:04", 93784.0),
        ("UNLIMITED", float("inf")),
        ("NOT_SET", None),
        ("", None),
        ("x-1:00", None),
        ("1:2:3:4", None),
    ],
)
def test_slurms_lengths_of_time_are_read(text, seconds):
    """What is no length of time is unknown."""
    assert slurm_time(text) == seconds


def test_a_question_is_answered_by_what_was_printed(command):
    """Much of it, too: nobody reads before the command has ended."""
    command("talk", "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done")
    lines = Question("talk").wait(30).split()
    assert (len(lines), lines[-1]) == (20000, "19999")


@pytest.mark.parametrize("script", ["echo 1:30; exit 1", "echo 1:30; kill -9 $$"])
def test_a_question_that_failed_has_no_answer(command, script):
    """Whatever it printed before."""
    command("fail", script)
    assert Question("fail").wait(30) == ""


def test_a_command_that_is_missing_answers_nothing(command):
    """As on most nodes of a cluster, where there is no oarstat."""
    question = Question("missing")
    assert question.answer() == ""
    assert question.wait(30) == ""


def test_a_question_is_dropped_with_its_command(command):
    """One that takes for ever is not left behind."""
    command("sleep", "exec /bin/sleep 1000")
    question = Question("sleep")
    assert question.answer() is None
    (child,) = children()
    assert question.wait(0) == ""
    assert not os.path.exists(f"/proc/{child}")
    dropped = Question("sleep")
    dropped.drop()
    assert dropped.answer() == ""
    assert children() == []


def children():
    """List the children of this thread."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="utf-8") as file:
        return file.read().split()
