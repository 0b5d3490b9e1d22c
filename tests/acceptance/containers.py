"""Minions in containers, as somebody sees them who has the runtime's command line and a directory that is mounted."""

from __future__ import annotations

import itertools
import os
import subprocess

from servers import entry_image

from .harness import PATIENCE, Gate, state, until

_numbers = itertools.count()


class Yard:
    """A directory that all containers of a test have as ``/work``; the containers are removed at its end."""

    def __init__(self, here):
        self.store, self.here = entry_image.shared(), here
        here.path.chmod(0o777)
        self._names, self._gates = [], []

    def start(self, *words, options=(), image=entry_image.IMAGE, mount=True):
        """Start a container in the background: ``minionize`` with these words."""
        name = f"yard-{os.getpid()}-{next(_numbers)}"
        self._names.append(name)
        options = [*(["-v", f"{self.here.path}:/work"] if mount else []), *options]
        if not any("--network" in option for option in options):
            options = ["--network", "none", *options]
        self.store.podman("run", "-d", "--name", name, *options, image, *words)
        return Container(self.store, name)

    def run(self, *words, **options):
        """Run a container to its end; returns its exit code and what it printed."""
        container = self.start(*words, **options)
        return container.wait(), container.said()

    def put(self, *words, options=()):
        """Fill the queue, in a container."""
        code, said = self.run("put", *words, options=["--entrypoint", "minion-queue", *options])
        assert code == 0, said

    def gate(self, name="gate"):
        """Make a pipe that tasks wait at: ``read _ < gate``."""
        gate = Gate(self.here.path / name)
        (self.here.path / name).chmod(0o666)
        self._gates.append(gate)
        return gate

    def outcomes(self):
        """Read how executions ended: param, delivery, attempt, outcome."""
        return [(end["param"], end["delivery"], end["attempt"], end["outcome"]) for end in self.here.events()]

    def clear(self):
        """Remove the containers."""
        for gate in self._gates:
            gate.close()
        if self._names:
            self.store.podman("rm", "-f", "-t", "0", *self._names)


class Container:
    """One of them."""

    def __init__(self, store, name):
        self._store, self.name = store, name

    def said(self):
        """Return what it printed so far, on either stream."""
        done = subprocess.run(
            ["podman", "logs", self.name],
            env={**os.environ, **self._store.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout

    def says(self, text):
        """Wait until it has printed a text."""
        until(lambda: text in self.said(), f"{text!r} in what {self.name} says")

    def signal(self, name):
        """Send a signal to its process 1."""
        self._store.podman("kill", "-s", name, self.name)

    def stop(self, *options):
        """Stop it as the runtime does: SIGTERM, and after 10 seconds SIGKILL; returns its exit code."""
        self._store.podman("stop", *options, self.name)
        return self.wait()

    def wait(self):
        """Wait for its end; returns its exit code."""
        return int(self._store.podman("wait", self.name))

    def children(self):
        """Return the states of the children of its process 1, the warden among them."""
        pid = self._store.podman("inspect", "--format", "{{.State.Pid}}", self.name).strip()
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [letter for letter in map(state, map(int, file.read().split())) if letter]
