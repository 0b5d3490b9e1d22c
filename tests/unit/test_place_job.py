"""What the environment of a scheduler says about this process."""

from __future__ import annotations

import os
import re

import pytest

from minionize import place
from minionize.status.rows import job_id, job_words


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
        (
            {"SLURM_JOB_ID": "9", "SLURMD_NODENAME": "node7", "SLURM_RESTART_COUNT": "2"},
            {"scheduler": "slurm", "id": "9", "node": "node7", "restarts": "2"},
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


def test_the_job_of_a_minion_is_named_as_its_scheduler_does():
    """An element of Slurm's array as 12_3; OAR's elements are jobs with ids of their own."""
    slurm = {"scheduler": "slurm", "id": "15", "array": "12", "index": "3"}
    oar = {"scheduler": "oar", "id": "7", "array": "5", "index": "3"}
    assert [job_id(job) for job in (slurm, oar, {})] == ["12_3", "7", None]
    assert job_words(slurm | {"restarts": "2"}) == "12_3 (restart 2)"
    assert job_words(oar) == "7 [3]"
    assert job_words({}) == "-"
