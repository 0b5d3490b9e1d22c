"""Podman with a store of its own, and a busybox image in it: what ``podman_up.sh`` does, for tests.

``shared()`` is one store for a whole test run, whose processes share it: each test removes its own containers only.
``Podman()`` is one that a test may break; it is to be stopped. ``environment`` is what a command needs to use it.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import tempfile

import pytest

from servers import need, sharing
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "podman_up.sh")
#: The image that is there: busybox, with root as its only user.
IMAGE = "localhost/bb:1"
#: Seconds for the slowest verb, on a busy machine.
PATIENCE = 100.0
#: What it takes, and the Debian packages that bring it.
NEEDS = ("podman", "runc", "conmon", "iptables", "busybox", "/usr/lib/podman/netavark", "/usr/libexec/podman/catatonit")
PACKAGES = "podman runc conmon netavark iptables catatonit busybox-static"
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class Podman(Started):
    """A store of images and containers; with ``api``, docker can be pointed at it as well."""

    starter = STARTER
    patience = PATIENCE

    def __init__(self, directory=None, *, api=False):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-podman-")
        try:
            said = self.call("service" if api else "up", self.directory)
        except BaseException:
            self.stop()
            raise
        words = shlex.split(said)[1:]
        #: The variables that name this store to podman (and its socket to docker).
        self.environment = {"PATH": _PATH, **dict(word.split("=", 1) for word in words)}

    def stop(self):
        """End its containers and delete all of it."""
        self.call("down", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def podman(self, *words, check=True, input=None):
        """Call podman on this store; returns what it printed."""
        done = subprocess.run(
            ["podman", *words],
            env={**os.environ, **self.environment},
            **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0 or not check, f"podman {' '.join(words)} failed:\n{done.stderr}"
        return done.stdout

    def containers(self, uid=""):
        """Name the containers there are, in any state: those of a minion, or of all minions."""
        label = f"label=minionize={uid}" if uid else "label=minionize"
        return self.podman("ps", "-a", "--filter", label, "--format", "{{.Names}}").split()

    def is_paused(self, uid):
        """Tell whether all containers of a minion are paused, and there are some."""
        states = self.podman("ps", "-a", "--filter", f"label=minionize={uid}", "--format", "{{.State}}").lower().split()
        return set(states) == {"paused"}


@functools.cache
def _lacking():
    """Say what this machine lacks; empty where it has all."""
    missing = [name for name in NEEDS if not shutil.which(name, path=_PATH)]
    return f"{', '.join(missing)} not installed: apt-get install --no-install-recommends {PACKAGES}" if missing else ""


def require():
    """Skip the test where podman cannot run as it does here; (in CI: fail it) where only packages are missing."""
    if os.geteuid():
        pytest.skip("this store of podman's is for root only")
    why = _lacking()
    if why:
        need.lacking(why)


@functools.cache
def shared(*, api=False):
    """Make the store that this test run shares, or join it."""
    require()
    return sharing.join("podman-api" if api else "podman", lambda directory: Podman(directory, api=api))


def uid_of(text):
    """Find the minion's name in what it said first."""
    return re.search(r"minion ([0-9a-f]{12}) takes", text)[1]
