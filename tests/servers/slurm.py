"""A real Slurm cluster of six nodes on the loopback: what ``slurm_up.sh`` does, for tests.

``shared()`` is one cluster for a whole test run, whose processes share it: each test looks at its own jobs only. Tests of
the partitions that preempt (``low``, ``besteffort``, ``urgent``) ask for a node: ``-w node5`` or ``-w node6``.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import time

from servers import need, ports, sharing
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slurm_up.sh")
#: Seconds for the slowest verb, and for any command of Slurm's, on a busy machine.
PATIENCE = 100.0
NODES = 6
#: Where these servers are: not on everybody's PATH.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class Slurm(Started):
    """A cluster, until it is stopped."""

    starter = STARTER
    patience = PATIENCE

    def __init__(self, directory=None):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-slurm-")
        chosen = ports.chosen(self.directory, NODES + 1)
        self.variables = {"SLURM_PORTS": " ".join(map(str, chosen))}
        #: What tells Slurm's commands which cluster is meant.
        self.environment = {"SLURM_CONF": os.path.join(self.directory, "etc", "slurm.conf")}
        try:
            self.call("up", self.directory)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """End it, its jobs too, and delete what it left."""
        self.call("down", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *argv, cwd=None, environment=None):
        """Run a command of Slurm's; returns what it printed."""
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8", **self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    def submit(self, *argv, cwd, environment=None):
        """Submit a batch script (the last word; those before are sbatch's options); returns the job's id."""
        return self.run("sbatch", "--parsable", *argv, cwd=cwd, environment=environment).strip().partition(";")[0]

    def states(self, job):
        """Tell the state of each element of a job: its name, as in 12_3, and a word as squeue writes it."""
        lines = self.run("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def wait(self, job, patience=PATIENCE):
        """Wait until all of a job has ended; returns its states."""
        end = time.monotonic() + patience
        over = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "DEADLINE"}
        while not set((states := self.states(job)).values()) <= over:
            assert time.monotonic() < end, f"job {job} does not end: {states}"
            time.sleep(0.1)
        return states

    def exit_code(self, job):
        """Tell how the batch script of an ended job ended: its exit code and its signal."""
        shown = self.run("scontrol", "-o", "show", "job", job)
        code, signal = shown.partition(" ExitCode=")[2].split()[0].split(":")
        return int(code), int(signal)


@functools.cache
def _lacking():
    """Say what this machine lacks; empty where it has all."""
    commands = ("slurmctld", "slurmd", "sbatch", "munged", "unshare")
    packages = "slurmctld slurmd slurm-client munge util-linux"
    return need.of_a_cluster("a Slurm cluster", commands, packages, PATH, "--uts", "--mount")


def require():
    """Skip the test (in CI: fail it) where no Slurm can be had."""
    why = _lacking()
    if why:
        need.lacking(why)


@functools.cache
def shared():
    """Start the cluster that this test run shares, or join it."""
    require()
    return sharing.join("slurm", Slurm)
