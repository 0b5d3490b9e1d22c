"""A real OAR with one host on the loopback: what ``oar_up.sh`` does, for tests.

``shared()`` is one OAR for a whole test run, whose processes share it: each test looks at its own jobs only, and works in a
directory of its own (``place``) that belongs to the user who submits, since OAR refuses root. ``bin`` holds our commands, for
that user. All of it is in a network of its own: a job reaches no server of the machine's.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from servers import job_python, need, sharing
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oar_up.sh")
#: Seconds for the slowest verb, and for any command of OAR's, on a busy machine.
PATIENCE = 100.0
#: Where these servers are: not on everybody's PATH.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
#: The user who submits.
USER = 60123

_numbers = itertools.count()


class Oar(Started):
    """An OAR, until it is stopped."""

    starter = STARTER
    patience = PATIENCE

    def __init__(self, directory=None):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-oar-")
        os.chmod(self.directory, 0o755)
        commands = os.path.join(self.directory, "commands")
        #: The folder of our own commands.
        self.bin = os.path.join(commands, "bin")
        if not os.path.isdir(commands):
            job_python.install(commands)
        try:
            self.call("up", self.directory)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """End it, its jobs too, and delete what it left."""
        self.call("down", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def place(self):
        """Make an empty directory of the user's."""
        path = os.path.join(self.directory, "home", f"{os.getpid()}-{next(_numbers)}")
        os.mkdir(path)
        os.chown(path, USER, USER)
        return path

    def example(self, folder):
        """Copy an example to where the user can run it; what it says is in ``~/minions`` is there."""
        path = self.place()
        for name in os.listdir(folder):
            shutil.copy(os.path.join(folder, name), path)
            os.chown(os.path.join(path, name), USER, USER)
        if not os.path.islink(link := os.path.join(self.directory, "home", "minions")):
            os.symlink(os.path.dirname(self.bin), link)
        return path

    def argv(self, *argv, cwd):
        """Say how a command is run by the user who submits, in that directory."""
        return ["bash", STARTER, "run", self.directory, cwd, *argv]

    def run(self, *argv, cwd, environment=None):
        """Run a command as the user who submits; returns what it printed."""
        done = subprocess.run(
            self.argv(*argv, cwd=cwd),
            env={
                "PATH": f"{self.bin}:{PATH}",
                "LC_ALL": "C.UTF-8",
                "TMPDIR": os.path.join(self.directory, "tmp"),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, *argv, cwd, environment=None):
        """Submit by oarsub, with these options and this command; returns the ids of the jobs."""
        return re.findall(
            r"^OAR_JOB_ID=(\d+)", self.run("oarsub", *argv, cwd=cwd, environment=environment), re.MULTILINE
        )

    def jobs(self, place):
        """Give what is known of each job that was submitted in a directory, by its id: also those that OAR submitted again."""
        listed = self.run("oarstat", "-J", "-f", "--sql", f"launching_directory = '{place}'", cwd=place)
        return json.loads(listed) if listed.strip() else {}

    def wait(self, place, happened, patience=PATIENCE):
        """Wait until something is true of the jobs of a directory; returns them."""
        end = time.monotonic() + patience
        while not happened(jobs := self.jobs(place)):
            states = {id: (job["state"], job["exit_code"]) for id, job in jobs.items()}
            assert time.monotonic() < end, f"this never happened: {states}"
            time.sleep(0.2)
        return jobs


@functools.cache
def _lacking():
    """Say what this machine lacks; empty where it has all."""
    commands = ("oarsub", "/usr/lib/oar/Almighty", "sshd", "psql", "ip", "nsenter")
    packages = (
        "libjson-perl oar-server oar-server-pgsql oar-node oar-user oar-user-pgsql postgresql openssh-server iproute2"
    )
    return need.of_a_cluster("an OAR", commands, packages, PATH, "--net", "--mount")


def require():
    """Skip the test (in CI: fail it) where no OAR can be had."""
    why = _lacking()
    if why:
        need.lacking(why)


@functools.cache
def shared():
    """Start the OAR that this test run shares, or join it."""
    require()
    return sharing.join("oar", Oar)
