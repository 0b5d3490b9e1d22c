"""What the environment of a scheduler says about this process."""

from __future__ import annotations

import os
import re
import time

import pytest

from minionize import place
from minionize.place.scheduler import slurm_time


def command(directory, name, script):
    """Put a command of that name on a PATH of its own, and return the environment that has it."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(directory)


def test_an_identity_is_ours_and_new_each_time():
    """Two minions in one process are two."""
    one, other = place.identity(), place.identity()
    assert re.fullmatch("[0-9a-f]{12}", one.uid)
    assert one.uid != other.uid
    assert one._replace(uid="") == other._replace(uid="")
    assert (one.pid, one.host, one.preemptible) == (os.getpid(), os.uname().nodename, False)
    assert one.start > 0
    assert re.fullmatch("[0-9a-f-]{36}", one.boot)
    assert one.namespace.startswith("pid:[")


def test_an_identity_may_be_given():
    """A minion whose name others know keeps it."""
    assert place.identity("abc", preemptible=True)[::6] == ("abc", True)


@pytest.mark.parametrize(
    ("environ", "job"),
    [
        ({}, {}),
        ({"OAR_JOB_ID": "7"}, {"scheduler": "oar", "id": "7"}),
        (
            {"OAR_JOB_ID": "7", "OAR_ARRAY_ID": "5", "OAR_ARRAY_INDEX": "3"},
            {"scheduler": "oar", "id": "7", "array": "5", "index": "3"},
        ),
        (
            {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "0"},
            {"scheduler": "slurm", "id": "9", "array": "8", "index": "0"},
        ),
        ({"FLUX_JOB_ID": "f7", "FLUX_TASK_RANK": "1"}, {"scheduler": "flux", "id": "f7", "index": "1"}),
        ({"AWS_BATCH_JOB_ID": "u-1"}, {"scheduler": "aws-batch", "id": "u-1"}),
        ({"AWS_BATCH_JOB_ID": "u-1:4"}, {"scheduler": "aws-batch", "id": "u-1:4", "array": "u-1", "index": "4"}),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "sweep-2-x7", "JOB_COMPLETION_INDEX": "2"},
            {"scheduler": "kubernetes", "id": "sweep-2-x7", "index": "2"},
        ),
    ],
)
def test_a_job_is_known_by_its_variables(environ, job):
    """Ids and indexes as the scheduler writes them."""
    assert place.job(environ) == job


def test_a_job_is_a_place_where_others_stop_us():
    """There a failure may be somebody's signal."""
    assert place.in_job_or_container({"SLURM_JOB_ID": "9"})
    assert place.in_job_or_container({"container": "podman"})


def test_outside_of_jobs_and_containers_nobody_else_stops_us(monkeypatch):
    """Then a failure is settled at once."""
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    assert not place.in_job_or_container({})
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert place.in_job_or_container({})


def test_a_container_is_known_by_its_marks(monkeypatch):
    """Docker and podman leave a file each."""
    for mark in ("/.dockerenv", "/run/.containerenv"):
        monkeypatch.setattr(os.path, "exists", mark.__eq__)
        assert place.in_job_or_container({})


@pytest.mark.parametrize(
    ("types", "expected"),
    [("besteffort=1;idempotent=1", True), ("besteffort", True), ("container=besteffort", False), ("", False)],
)
def test_oar_tells_best_effort_in_the_environment(types, expected):
    """Where it does, nobody is asked."""
    assert place.best_effort({"OAR_JOB_ID": "7", "OAR_JOB_TYPES": types}) is expected


def test_oarstat_is_asked_where_the_environment_does_not_tell(tmp_path, monkeypatch):
    """Its full report of this very job."""
    answer = "    name = x\\n    types = besteffort, idempotent\\n    queue = q\\n"
    monkeypatch.setenv("PATH", command(tmp_path, "oarstat", f'[ "$*" = "-f -j 7" ] && printf "{answer}"'))
    assert place.best_effort({"OAR_JOB_ID": "7"})
    assert not place.best_effort({"OAR_JOB_ID": "8"})
    assert not place.best_effort({})


def test_no_oarstat_means_no_best_effort(tmp_path, monkeypatch):
    """Many sites have it on the front end only."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not place.best_effort({"OAR_JOB_ID": "7"})


def test_oar_grants_its_walltime_from_the_start_of_the_job(tmp_path, monkeypatch):
    """The node file is written then; this minion may have started much later."""
    nodes = tmp_path / "nodes"
    nodes.write_text("n1\n")
    os.utime(nodes, (1000, 1000))
    monkeypatch.setattr(time, "time", lambda: 1600.0)
    job = {"OAR_JOB_ID": "7", "OAR_NODE_FILE": str(nodes), "OAR_JOB_WALLTIME_SECONDS": "3600"}
    assert place.lifetime(job) == 3000.0
    assert place.lifetime(job | {"OAR_NODE_FILE": "/nowhere"}) == 3600.0
    assert place.lifetime(job | {"OAR_JOB_WALLTIME_SECONDS": "60"}) == 0.0
    assert place.lifetime({"OAR_JOB_ID": "7"}) is None


def test_squeue_tells_the_time_left(tmp_path, monkeypatch):
    """Asked for this very element of an array, not for all of them."""
    path = command(tmp_path, "squeue", '[ "$*" = "-h -j 8_0 -o %L" ] && echo 1:30 || echo 2-01:00:00')
    monkeypatch.setenv("PATH", path)
    array = {"SLURM_JOB_ID": "8", "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "0"}
    assert place.lifetime(array) == 90.0
    assert place.lifetime({"SLURM_JOB_ID": "9"}) == 2 * 86400 + 3600


def test_slurm_may_tell_the_end_in_the_environment(tmp_path, monkeypatch):
    """Then a thousand minions that start at once ask it nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    assert place.lifetime({"SLURM_JOB_ID": "9", "SLURM_JOB_END_TIME": "1060"}) == 60.0


def test_a_scheduler_that_does_not_answer_grants_no_known_time(tmp_path, monkeypatch):
    """Missing, failing, or too slow: a minion starts nevertheless."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert place.lifetime({"SLURM_JOB_ID": "9"}) is None
    command(tmp_path, "squeue", "echo 1:30; exit 1")
    assert place.lifetime({"SLURM_JOB_ID": "9"}) is None
    command(tmp_path, "squeue", "exec /bin/sleep 60")
    monkeypatch.setattr("minionize.place.scheduler._PATIENCE", 0.05)
    assert place.lifetime({"SLURM_JOB_ID": "9"}) is None


def test_outside_a_job_there_is_no_end():
    """None is no limit."""
    assert place.lifetime({}) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:30", 30.0),
        ("02:03:04", 7384.0),
        ("1-02:03:04", 93784.0),
        ("UNLIMITED", None),
        ("NOT_SET", None),
        ("", None),
        ("x-1:00", None),
        ("1:2:3:4", None),
    ],
)
def test_slurms_lengths_of_time_are_read(text, seconds):
    """What is no length of time is no limit."""
    assert slurm_time(text) == seconds
