"""A directory of a user on a cluster: where the queue, the scripts and the reports of a sweep are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

#: Seconds after which what should have happened has not. No test asserts a time.
PATIENCE = 90.0
BIN = os.path.dirname(sys.executable)


def until(happened, what, patience=PATIENCE):
    """Wait until something is true, and return it; ``what`` says it in words."""
    end = time.monotonic() + patience
    while not (value := happened()):
        assert time.monotonic() < end, f"waited in vain: {what() if callable(what) else what}"
        time.sleep(0.05)
    return value


class Site:
    """What the two schedulers' users have in common. ``bin`` is the folder of our commands, for jobs."""

    bin = BIN

    def __init__(self, path):
        self.path = path
        self._engine = {}

    def do(self, *argv):
        """Run a command as the user, on the front end; returns what it printed."""
        raise NotImplementedError

    # ------------------------------------------------------------------ files

    def write(self, name, text, mode=0o755):
        """Write a file, a script by default, and return how it is called."""
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return f"./{name}"

    def lines(self, name):
        """Read the lines of a file; none where there is no file."""
        try:
            with open(os.path.join(self.path, name), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def has(self, name):
        """Tell whether a file is there."""
        return os.path.exists(os.path.join(self.path, name))

    def listed(self, name):
        """List the files of a folder; none where there is none."""
        path = os.path.join(self.path, name)
        return [os.path.join(name, file) for file in os.listdir(path)] if os.path.isdir(path) else []

    def said(self):
        """Read what all jobs wrote, for the message of a test that fails."""
        names = sorted(name for name in os.listdir(self.path) if name.endswith((".out", ".stdout", ".stderr")))
        return "\n".join(f"--- {name}\n" + "\n".join(self.lines(name)) for name in names)

    # ------------------------------------------------------------------ the sweep

    def job(self, command, *, header="", **variables):
        """Write the script of a job that ends in ``exec minionize``, with these variables; returns how it is called."""
        exports = "".join(f"export {name}={value}\n" for name, value in variables.items())
        return self.write("job.sh", f"#!/bin/bash\n{header}PATH={self.bin}:$PATH\n{exports}exec minionize {command}\n")

    def put(self, *words):
        """Fill the queue."""
        self.do("minion-queue", "put", *words)

    def status(self):
        """Read what ``minion-status --json`` tells."""
        return json.loads(self.do("minion-status", "--json"))

    def counts(self):
        """Read the books: pending, delayed, leased, done, dead."""
        counts = self.status()["counts"]
        assert counts["source"] == "queue"
        return {state: counts[state] for state in ("pending", "delayed", "leased", "done", "dead") if counts[state]}

    def events(self, type="task_end"):
        """Read the events of a type of all minions, those of each in their order; minions by when they started."""
        directory = os.path.join(self.path, "minion-report")
        minions = []
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                minions.append([json.loads(line) for line in file if line.endswith("\n")])
        minions.sort(key=lambda events: events[0]["t"])
        return [event for events in minions for event in events if event["type"] == type]

    def outcomes(self):
        """Tell how the executions ended, in the order of their ends."""
        return [event["outcome"] for event in sorted(self.events(), key=lambda event: event["t"])]

    def stops(self):
        """Tell why and how the minions left that could say so, in the order of their starts."""
        return [(event["reason"], event["exit"]) for event in self.events("minion_stop")]

    def processes(self):
        """Find what runs in this directory."""
        found = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{name}/cwd").startswith(self.path) and _runs(name):
                    found.append(int(name))
            except OSError:
                continue
        return found

    def leave(self):
        """See that nothing runs here any more."""
        try:
            until(lambda: not self.processes(), lambda: f"the end of {self.processes()}", 30)
        except AssertionError:
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
            raise


def _runs(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(") ")[2][0] not in "ZX"


class SlurmSite(Site):
    """One whose jobs run as ourselves."""

    def __init__(self, cluster, path):
        super().__init__(str(path))
        self.cluster = cluster
        self._jobs = []
        os.mkdir(os.path.join(self.path, "tmp"))
        self.environment = {
            "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}",
            "HOME": self.path,
            "TMPDIR": os.path.join(self.path, "tmp"),  # what killed jobs leave goes with us
            "LC_ALL": "C.UTF-8",
        }

    def do(self, *argv):
        """Run a command as the user, on the front end; returns what it printed."""
        done = subprocess.run(
            argv,
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def sbatch(self, *argv):
        """Submit a job; its output goes to ``slurm-<id>.out``."""
        job = self.cluster.submit(*argv, cwd=self.path, environment=self.environment)
        self._jobs.append(job)
        return job

    def run(self, *argv):
        """Run one of Slurm's commands."""
        return self.cluster.run(*argv, cwd=self.path)

    def wait(self, job, patience=PATIENCE):
        """Wait until all of a job has ended; returns the states of its elements."""
        return self.cluster.wait(job, patience)

    def leave(self):
        """End the jobs that are left, and see that nothing runs here any more."""
        for job in self._jobs:
            if set(self.cluster.states(job).values()) & {
                "PENDING",
                "RUNNING",
                "COMPLETING",
                "SUSPENDED",
                "CONFIGURING",
            }:
                self.run("scancel", "--full", "--signal=KILL", job)
                self.run("scancel", job)
        super().leave()


class OarSite(Site):
    """One whose jobs run as the user who submits."""

    def __init__(self, server):
        super().__init__(server.place())
        self.server, self.bin = server, server.bin

    def do(self, *argv):
        """Run a command as the user, on the front end; returns what it printed."""
        return self.server.run(*argv, cwd=self.path)

    def write(self, name, text, mode=0o755):
        """Write a file of the user's, a script by default, and return how it is called."""
        called = super().write(name, text, mode)
        os.chown(os.path.join(self.path, name), *self._owner())
        return called

    def _owner(self):
        stat = os.stat(self.path)
        return stat.st_uid, stat.st_gid

    def oarsub(self, *argv):
        """Submit; returns the ids of the jobs."""
        return self.server.submit(*argv, cwd=self.path)

    def jobs(self):
        """Tell what OAR knows of the jobs submitted here, those that it submitted again too."""
        return self.server.jobs(self.path)

    def wait(self, happened=None, patience=PATIENCE):
        """Wait until something is true of the jobs, or until all of them have ended; returns them."""
        return self.server.wait(self.path, happened or _all_over, patience)

    def leave(self):
        """End the jobs that are left, and see that nothing runs here any more."""
        left = [id for id, job in self.jobs().items() if not _is_over(job)]
        if left:
            self.do("sh", "-c", 'oardel "$@" || :', "-", *left)  # it refuses one that it is about to end anyway
            self.wait()
        super().leave()


def _is_over(job):
    return job["state"] in ("Terminated", "Error")


def _all_over(jobs):
    return all(map(_is_over, jobs.values()))
