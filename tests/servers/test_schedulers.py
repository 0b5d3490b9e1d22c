"""The schedulers that tests use are real, and leave this machine as it was."""

from __future__ import annotations

import os

import pytest

from servers.oar import Oar
from servers.slurm import Slurm

#: What other tools put into these directories is theirs to change; these files a careless starter would.
FILES = ("/etc/hosts", "/etc/passwd", "/etc/group", "/etc/oar/oar.conf", "/usr/lib/oar/Almighty")


def contents():
    """Read the files of the machine that a scheduler is interested in."""
    found = {}
    for path in filter(os.path.exists, FILES):
        with open(path, "rb") as file:
            found[path] = file.read()
    return found


def processes(directory):
    """Find the processes that have to do with a directory, or run in it."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read()
            if directory.encode() in words or os.readlink(f"/proc/{pid}/cwd").startswith(directory):
                found.append(int(pid))
        except OSError:
            continue
    return found


def test_two_slurms_live_side_by_side():
    """Each has its nodes with their own names; they end with their jobs."""
    before = contents()
    with Slurm() as one, Slurm() as other:
        for cluster in (one, other):
            job = cluster.submit("-w", "node3", "--output=out", "--wrap", "hostname", cwd=cluster.directory)
            assert cluster.wait(job) == {job: "COMPLETED"}
            with open(os.path.join(cluster.directory, "out"), encoding="utf-8") as file:
                assert file.read() == "node3\n"
        one.submit("--wrap", "sleep 1000", cwd=one.directory)
        one.call("status", one.directory)
    for cluster in (one, other):
        assert processes(cluster.directory) == []
        assert not os.path.exists(cluster.directory)
    assert contents() == before


@pytest.mark.timeout(200)
def test_an_oar_changes_nothing_of_the_machine():
    """Neither its configuration nor its users; what runs in a job ends with it."""
    before = contents()
    with Oar() as server:
        place = server.place()
        first, second = (
            server.submit("-l", "core=1,walltime=0:10:0", word, cwd=place) for word in ("id -u", "sleep 1000")
        )
        jobs = server.wait(
            place, lambda jobs: jobs[first[0]]["state"] == "Terminated" and jobs[second[0]]["state"] == "Running"
        )
        assert jobs[first[0]]["exit_code"] == 0
        with open(os.path.join(place, f"OAR.{first[0]}.stdout"), encoding="utf-8") as file:
            assert file.read() == "60123\n"
        server.call("status", server.directory)
    assert processes(server.directory) == []
    assert not os.path.exists(server.directory)
    assert contents() == before
