"""A Docker daemon of one's own, and a busybox image in it: what ``docker_up.sh`` does, for tests."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import tempfile

import pytest

from servers import need, sharing
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "docker_up.sh")
#: Seconds for the slowest verb, on a busy machine.
PATIENCE = 100.0
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class Docker(Started):
    """A daemon that shares nothing with that of the machine, if there is one."""

    starter = STARTER
    patience = PATIENCE

    def __init__(self, directory=None):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-docker-")
        try:
            said = self.call("up", self.directory)
        except BaseException:
            self.stop()
            raise
        #: The variable that names it to docker.
        self.environment = {"PATH": _PATH, **dict(word.split("=", 1) for word in shlex.split(said)[1:])}

    def stop(self):
        """End its containers and itself, and delete all of it."""
        self.call("down", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def docker(self, *words):
        """Call docker; returns what it printed."""
        done = subprocess.run(
            ["docker", *words],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"docker {' '.join(words)} failed:\n{done.stderr}"
        return done.stdout

    def containers(self, uid=""):
        """Name the containers there are, in any state: those of a minion, or of all minions."""
        label = f"label=minionize={uid}" if uid else "label=minionize"
        return self.docker("ps", "-a", "--filter", label, "--format", "{{.Names}}").split()

    def is_paused(self, uid):
        """Tell whether all containers of a minion are paused, and there are some."""
        states = self.docker("ps", "-a", "--filter", f"label=minionize={uid}", "--format", "{{.State}}").split()
        return set(states) == {"paused"}


def require():
    """Skip the test where no daemon can be started; (in CI: fail it) where only packages are missing."""
    if os.geteuid():
        pytest.skip("a Docker daemon is for root to start")
    missing = [name for name in ("dockerd", "docker", "runc", "busybox") if not shutil.which(name, path=_PATH)]
    if missing:
        need.lacking(
            f"{', '.join(missing)} not installed: apt-get install --no-install-recommends docker.io runc busybox-static"
        )


@functools.cache
def shared():
    """Start the daemon that this test run shares, or join it."""
    require()
    return sharing.join("docker", Docker)
