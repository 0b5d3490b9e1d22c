"""A spool on shared file systems, as two machines see it: each by a mount, a cache and a session of its own."""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

import pytest
from servers.need import EVERYTHING
from servers.sharedfs import NEEDS, Volume, check

from minionize.engines.spool import SpoolEngine
from minionize.model import Counts, NewTask
from minionize.testing import identity

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "spool_worker.py")
#: With all tests wanted, as many tasks as make the caches work.
TASKS, LEASE = 3000 if EVERYTHING else 800, 2.0
#: Seconds in which all should be settled, far more than it takes.
PATIENCE = 100.0


class Machines:
    """Minions on two machines, half of them on each."""

    def __init__(self, mounts, directory):
        self.paths = [os.path.join(mount, "q") for mount in mounts]
        self.directory = directory
        self.workers = []
        self.started = 0

    def fill(self):
        """Put the tasks, from the first machine."""
        engine = SpoolEngine(self.paths[0], identity("filler"), create=True)
        assert engine.put(NewTask(f"{n:016x}", str(n)) for n in range(TASKS)).added == TASKS
        engine.close()
        end = time.monotonic() + PATIENCE
        while not os.path.isdir(os.path.join(self.paths[1], "v1")):
            assert time.monotonic() < end, "the other machine never saw the queue"
            time.sleep(0.05)

    def start(self, machine):
        """Start a minion on a machine."""
        name = f"minion{self.started}"
        self.started += 1
        with open(os.path.join(self.directory, name), "wb") as out:
            argv = [sys.executable, WORKER, self.paths[machine], name, str(LEASE)]
            self.workers.append((subprocess.Popen(argv, stdout=out, stderr=subprocess.DEVNULL), machine))

    def kill(self, count):
        """Kill minions, those that have lived longest, and start others in their place."""
        for _ in range(count):
            process, machine = self.workers.pop(0)
            process.kill()
            process.wait()
            self.start(machine)

    def told(self):
        """List the ids that minions were told are done."""
        names = [name for name in os.listdir(self.directory) if name.startswith("minion")]
        return [line for name in names for line in self._lines(name)]

    def _lines(self, name):
        with open(os.path.join(self.directory, name), encoding="ascii") as file:
            return file.read().split()

    def wait_until(self, happened, what):
        """Wait for something."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, f"{what} never happened: {len(self.told())} are done"
            time.sleep(0.02)

    def finish(self):
        """Wait until all minions have left, and look at what they did, from the second machine."""
        for process, _ in self.workers:
            assert process.wait(PATIENCE) == 0
        engine = SpoolEngine(self.paths[1], identity("reader"))
        try:
            assert engine.counts() == Counts(0, 0, 0, TASKS, 0)
            books = Counter(entry.id for entry in engine.list("done"))
        finally:
            engine.close()
        assert books == Counter(f"{n:016x}" for n in range(TASKS)), "each task is done once"
        told = Counter(self.told())
        assert set(told.values()) <= {1}, "two minions were told that the same task is theirs, and done"

    def end(self):
        """End what still runs."""
        for process, _ in self.workers:
            process.kill()
            process.wait()


def test_minions_share_a_queue_and_some_are_killed(tmp_path):
    """Nothing is lost, nothing is done twice, and the books are right, while one minion after the other is killed."""
    share_and_be_killed((str(tmp_path), str(tmp_path)), tmp_path)


def test_minions_of_two_machines_share_a_queue_and_some_are_killed(two_mounts, tmp_path):
    """The same, with caches that do not agree."""
    share_and_be_killed(two_mounts, tmp_path)


def share_and_be_killed(mounts, directory):
    """Let minions of two machines work off the queue, and kill some."""
    machines = Machines(mounts, directory)
    machines.fill()
    try:
        for number in range(6):
            machines.start(number % 2)
        for share in range(1, 8):
            machines.wait_until(lambda share=share: len(machines.told()) > TASKS * share // 10, f"{share} tenths")
            machines.kill(1)
        machines.finish()
    finally:
        machines.end()


@pytest.fixture(params=sorted(NEEDS))
def own_volume(request, tmp_path_factory):
    """Return a volume that nobody else uses: its mount may be killed."""
    check(request.param)
    volume = Volume(request.param, tempfile.mkdtemp(prefix="minionize-"))  # short, as the paths of its sockets must be
    volume.enter()
    yield volume
    assert volume.script("up").returncode == 0
    volume.leave()


@pytest.mark.timeout(300)  # the file system itself takes its time to miss a machine, a busy one more of it
def test_a_machine_dies(own_volume, tmp_path):
    """With its mount and all its minions; those of the other machine finish its work."""
    machines = Machines(own_volume.mounts[::-1], tmp_path)
    machines.fill()
    try:
        for number in range(4):
            machines.start(number % 2)
        machines.wait_until(lambda: len(machines.told()) > TASKS // 5, "a fifth")
        (pidfile,) = glob.glob(os.path.join(own_volume.base, "a.*.pid"))
        with open(pidfile, encoding="ascii") as file:
            os.kill(int(file.readline()), signal.SIGKILL)
        for process, machine in list(machines.workers):
            if machine == 1:
                machines.workers.remove((process, machine))
                process.kill()
                process.wait()
        machines.paths[1] = machines.paths[0]
        machines.finish()
    finally:
        machines.end()
