"""What schedulers answer, in states that a small one of one's own is rarely in: commands on PATH that say it."""

from __future__ import annotations

import os
import shlex

import pytest

from minionize.errors import LaunchError, LaunchRefused
from minionize.launchers.base import Plan
from minionize.launchers.minions import seen
from minionize.launchers.oar import OarLauncher
from minionize.launchers.records import Record
from minionize.launchers.slurm import SlurmLauncher

PLAN = Plan("l00f00d", "minions", 3, "/", "/tmp", ("minionize", "true"), {})
HANDLE = {"job": "12", "cluster": "", "array": True}


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return a function that puts a command on PATH, which records its arguments, prints a text and exits with a code."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def put(name, out="", err="", code=0):
        path = tmp_path / "bin" / name
        path.write_text(
            f'#!/bin/sh\ncat > /dev/null\necho "$0 $*" >> {shlex.quote(str(tmp_path / "said"))}\n'
            f"printf %s {shlex.quote(out)}\nprintf %s {shlex.quote(err)} >&2\nexit {code}\n"
        )
        path.chmod(0o755)

    put.said = lambda: [line.rpartition("/")[2] for line in (tmp_path / "said").read_text().splitlines()]
    return put


def row(index, state, node="", exit="0", reason="None"):
    """Write a line as squeue does with fixed columns."""
    return f"{index:<16}{state:<24}{node:<256}{exit:<16}{reason:<96}\n"


@pytest.mark.parametrize(
    ("line", "state", "exit", "note"),
    [
        (row(0, "PENDING", reason="Priority"), "pending", None, "Priority"),
        (row(0, "CONFIGURING", "node1"), "pending", None, ""),
        (row(0, "RUNNING", "node1"), "running", None, ""),
        (row(0, "COMPLETING", "node1"), "running", None, ""),
        (row(0, "SUSPENDED", "node1"), "running", None, ""),
        (row(0, "COMPLETED", "node1"), "ended", 0, ""),
        (row(0, "FAILED", "node1", str(99 << 8), "NonZeroExitCode"), "ended", 99, ""),
        (row(0, "FAILED", "node1", "9", "RaisedSignal:9(Killed)"), "ended", 137, ""),
        (row(0, "TIMEOUT", "node1", "15", "TimeLimit"), "ended", 143, "timeout"),
        (row(0, "NODE_FAIL", "node1", "0"), "ended", 0, "node_fail"),
        (row(0, "PREEMPTED", "node1", "15"), "ended", 143, "preempted"),
        (row(0, "OUT_OF_MEMORY", "node1", "9"), "ended", 137, "out_of_memory"),
        (row(0, "CANCELLED"), "ended", None, "cancelled"),
    ],
)
def test_states_of_slurm(command, line, state, exit, note):
    """As minion-launch status shows them."""
    command("squeue", line)
    [element] = SlurmLauncher().status(HANDLE, 1)
    assert (element.state, element.exit, element.note) == (state, exit, note)


def test_what_squeue_has_forgotten_the_accounting_knows(command):
    """It keeps elements for some minutes; an array may be longer than that."""
    command("squeue", row(2, "RUNNING", "node3"))
    command(
        "sacct",
        "12_0|COMPLETED|node1|0:0\n12_1|CANCELLED by 1000|node2|0:15\n12_[3-4]|PENDING|None assigned|0:0\n12_2|RUNNING|node3|0:0\n",
    )
    elements = SlurmLauncher().status(HANDLE, 4)
    assert [(one.number, one.state, one.host, one.exit, one.note) for one in elements] == [
        (0, "ended", "node1", 0, ""),
        (1, "ended", "node2", 143, "cancelled"),
        (2, "running", "node3", None, ""),
        (3, "ended", "", None, "Slurm has forgotten it"),
    ]


def test_one_of_several_clusters(command):
    """Sbatch names it, and every later command asks there."""
    command("sbatch", "12;north\n")
    command("squeue", f"CLUSTER: north\n{row(0, 'RUNNING', 'node1')}{row(1, 'RUNNING')}{row(2, 'RUNNING')}")
    command("scancel")
    handle = SlurmLauncher().submit(PLAN)
    assert [one.state for one in SlurmLauncher().status(handle, 3)] == ["running"] * 3
    SlurmLauncher().stop(handle)
    assert command.said()[1].startswith("squeue -M north -h ")
    assert command.said()[2] == "scancel -M north 12"
    assert SlurmLauncher().by_hand(handle) == "scancel -M north 12"


def test_what_may_have_been_submitted_is_not_tried_elsewhere(command):
    """A time-out says nothing of what the controller did."""
    command(
        "sbatch", err="sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n", code=1
    )
    with pytest.raises(LaunchError, match="It may have taken the job") as caught:
        SlurmLauncher().submit(PLAN)
    assert not isinstance(caught.value, LaunchRefused)


def test_an_answer_that_names_no_job(command):
    """A site's wrapper may print anything."""
    command("sbatch", "Welcome to the cluster!\n")
    with pytest.raises(LaunchError, match="did not say what the job is called, but: 'Welcome to the cluster!'"):
        SlurmLauncher().submit(PLAN)


@pytest.mark.parametrize("said", ["You have 100 hours left\n12\n", "12\nGood luck!\n"])
def test_the_job_stands_alone_on_its_line(command, said):
    """Before and after it is what a site's filter prints."""
    command("sbatch", said)
    assert SlurmLauncher().submit(PLAN)["job"] == "12"


def test_a_front_end_of_another_cluster_ends_no_job(command):
    """A home may be shared by two clusters; the same number is somebody else's sweep there."""
    command("sbatch", "12\n")
    command("scontrol", "ClusterName             = north\n")
    handle = SlurmLauncher().submit(PLAN)
    command("squeue", row(0, "RUNNING", "node1"))
    command("scancel")
    SlurmLauncher().stop(handle)
    command("scontrol", "ClusterName             = south\n")
    for ask in (SlurmLauncher().stop, SlurmLauncher().drain, lambda handle: SlurmLauncher().status(handle, 3)):
        with pytest.raises(LaunchError, match="one of the cluster north, and this is south"):
            ask(handle)
    assert [line for line in command.said() if line.startswith(("scancel", "squeue"))] == ["scancel 12"]


def test_an_array_of_another_oar_is_not_ours(command):
    """It has the number, and not the directory."""
    job = '{"7": {"Job_Id": 7, "array_index": 1, "state": "Running", "launchingDirectory": "/home/%s"}}'
    command("oarstat", job % "mine")
    command("oardel")
    OarLauncher().stop({"job": "7", "directory": "/home/l1"}, kill=True)
    assert not any(line.startswith("oardel") for line in command.said())
    command("oarstat", job % "l1")
    OarLauncher().stop({"job": "7", "directory": "/home/l1"}, kill=True)
    assert command.said()[-1] == "oardel 7"


@pytest.mark.parametrize(
    ("extra", "environ", "passes"),
    [
        ((), None, True),
        ((), "NONE", False),
        ((), "ALL,A=1", True),
        (("--export=NONE",), None, False),
        (("--export=ALL",), "NONE", True),
        (("--export", "NIL"), None, False),
    ],
)
def test_whether_slurm_hands_on_the_environment(monkeypatch, extra, environ, passes):
    """Where a site or its user says no, secrets in it do not reach minions."""
    monkeypatch.delenv("SBATCH_EXPORT", raising=False)
    if environ:
        monkeypatch.setenv("SBATCH_EXPORT", environ)
    assert SlurmLauncher(extra).passes_environment is passes


def test_passwords_in_what_a_scheduler_says_are_masked(command):
    """It repeats what it was given."""
    command("sbatch", err="bad: redis://:hush@db/0\n", code=1)
    with pytest.raises(LaunchRefused, match=r"redis://:\*\*\*@db/0"):
        SlurmLauncher().submit(PLAN)


def test_a_grace_that_leaves_time_to_give_back(command):
    """Six tenths of what the cluster waits, but not for ever; nothing where it does not tell."""
    for waits, grace in (("30 sec", "18s"), ("5 sec", "3s"), ("600 sec", "20s")):
        command("scontrol", f"KeepAliveTime           = SYSTEM_DEFAULT\nKillWait                = {waits}\n")
        assert SlurmLauncher().defaults() == {"MINION_GRACE": grace}
    command("scontrol", code=1)
    assert SlurmLauncher().defaults() == {}


@pytest.mark.parametrize(
    ("job", "state", "exit", "note"),
    [
        ('"state": "Waiting", "startTime": 0', "pending", None, ""),
        ('"state": "Hold", "startTime": 0', "pending", None, "hold"),
        ('"state": "Running", "startTime": 5', "running", None, ""),
        ('"state": "Suspended", "startTime": 5', "running", None, "suspended"),
        ('"state": "Terminated", "startTime": 5, "exit_code": 25344', "ended", 99, ""),
        ('"state": "Error", "startTime": 5, "exit_code": null', "ended", None, "error"),
        ('"state": "Error", "startTime": 0, "exit_code": null', "ended", None, "never begun"),
        ('"state": "Dreaming", "startTime": 5', "unknown", None, "dreaming"),
    ],
)
def test_states_of_oar(command, job, state, exit, note):
    """As minion-launch status shows them."""
    command("oarstat", f'{{"7": {{"Job_Id": 7, "array_index": 1, {job}}}}}')
    [element] = OarLauncher().status({"job": "7"}, 1)
    assert (element.state, element.exit, element.note) == (state, exit, note)


def test_an_element_that_oar_began_once_more(command):
    """It has a new id, and the same index; the newest counts, also where its number is longer."""
    jobs = ", ".join(
        f'"{id}": {{"Job_Id": {id}, "array_index": {index}, "state": "{state}", "startTime": 5}}'
        for id, index, state in ((10, 1, "Running"), (9, 1, "Error"), (8, 2, "Terminated"))
    )
    command("oarstat", f"{{{jobs}}}")
    assert [(one.job, one.state) for one in OarLauncher().status({"job": "8"}, 2)] == [
        ("10", "running"),
        ("8", "ended"),
    ]


def test_a_job_that_ends_while_it_is_told_to_is_no_error(command):
    """That is what was wanted; anything else is said."""
    command("oarstat", '{"7": {"Job_Id": 7, "array_index": 1, "state": "Running", "startTime": 5}}')
    command("oardel", err="Cannot signal 7 ; This job is not running.\n", code=5)
    OarLauncher().drain({"job": "7"})
    command("oardel", err="Cannot signal 7 ; You are not the right user.\n", code=5)
    with pytest.raises(LaunchError, match="You are not the right user"):
        OarLauncher().drain({"job": "7"})


def test_minions_are_found_by_the_names_of_their_jobs(tmp_path):
    """Of one that was begun again the last one counts; broken files, and those of before the launch, do not."""
    record = Record(
        "l1", "slurm", "m", 1, 1e9, "ana", "login", "/", "/", str(tmp_path), "q", "c", "launched", {"job": "12"}
    )
    start = '{"type": "minion_start", "t": %d, "minion": "%s", "host": "node1", "pid": 5, "start": 6, "boot": "b", "job": %s}\n'
    stop = '{"type": "minion_stop", "reason": "drain", "exit": 99}\n'
    job = '{"scheduler": "slurm", "id": "13", "array": "12", "index": "0"}'
    (tmp_path / "a.jsonl").write_text(start % (2, "first", job))
    (tmp_path / "b.jsonl").write_text(start % (3, "second", job) + stop)
    (tmp_path / "c.jsonl").write_text("{")
    (tmp_path / "old.jsonl").write_text(start % (4, "old", job))
    os.utime(tmp_path / "old.jsonl", (9e8, 9e8))
    minions = seen(record)
    assert minions["slurm", "12", "0"][:1] + minions["slurm", "12", "0"][3:] == ("second", "drain", 99)
    assert minions["process", "b", "5", "6"].uid == "second"
    assert seen(record._replace(reports="/nonexistent")) == {}
