"""GlusterFS and MooseFS, each with two mounts of one volume on this machine: what two machines see of one directory.

The fixtures are in ``tests/conftest.py``. A file system is started once in a
test session, also where that has several processes: the first one that needs it starts it, the last one stops it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from typing import NamedTuple

import pytest

from servers.need import lacking
from servers.sharing import alone

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sharedfs_up.sh")
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
#: The commands of each, and the Debian packages that bring them.
NEEDS = {
    "gluster": (("glusterd", "glusterfs", "gluster"), "glusterfs-server glusterfs-client"),
    "moosefs": (
        ("mfsmaster", "mfschunkserver", "mfsmount"),
        "moosefs-master moosefs-chunkserver moosefs-client",
    ),
}
#: Seconds after which a file that one mount shows has to be seen by the other.
PATIENCE = 30.0


class Volume(NamedTuple):
    """A volume that is mounted twice."""

    kind: str
    base: str

    @property
    def mounts(self) -> tuple[str, str]:
        """The two mount points."""
        return os.path.join(self.base, "a"), os.path.join(self.base, "b")

    def script(self, verb: str) -> subprocess.CompletedProcess[str]:
        """Run the script that starts and stops it."""
        return subprocess.run(
            ["bash", SCRIPT, self.kind, verb, self.base],
            env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
            check=False,
        )

    # ------------------------------------------------------------------ who uses it

    def enter(self) -> None:
        """Start it, if nobody did; note that this process uses it."""
        with alone(self.base):
            os.makedirs(self._users, exist_ok=True)
            with open(os.path.join(self._users, str(os.getpid())), "w", encoding="utf-8"):
                pass
            done = self.script("up")
            if done.returncode:
                self._leave()
                raise RuntimeError(f"{self.kind} does not start:\n{done.stderr}")

    def leave(self) -> None:
        """Stop it, if nobody else uses it; one that died uses nothing."""
        with alone(self.base):
            self._leave()

    @property
    def _users(self) -> str:
        return os.path.join(self.base, "users")

    def _leave(self) -> None:
        for name in os.listdir(self._users):
            if int(name) == os.getpid() or not os.path.exists(f"/proc/{name}"):
                os.unlink(os.path.join(self._users, name))
        if os.listdir(self._users):
            return
        done = self.script("down")
        left = [mount for mount in self.mounts if os.path.ismount(mount)]
        if done.returncode or left:
            raise RuntimeError(f"{self.kind} does not stop, {left} are still mounted:\n{done.stderr}")
        shutil.rmtree(self.base)


def check(kind: str) -> None:
    """Skip where this machine cannot have such a file system; where only its packages are missing, as :func:`lacking` does."""
    if os.geteuid():
        pytest.skip("a file system can be mounted by root only")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse on this machine")
    commands, packages = NEEDS[kind]
    missing = [name for name in (*commands, "ip", "nsenter") if not shutil.which(name, path=PATH)]
    if missing:
        lacking(f"{', '.join(missing)} not installed: apt-get install {packages} iproute2")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("root may make no network namespace here")


@pytest.fixture(scope="session", params=sorted(NEEDS))
def shared_volume(request):
    """Return a :class:`Volume` that runs, of each kind."""
    check(request.param)
    # One for all processes of a session; short, as the paths of the sockets in it must be.
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid():x}")[:8]
    volume = Volume(request.param, os.path.join(tempfile.gettempdir(), f"minionize-{request.param}-{session}"))
    volume.enter()
    yield volume
    volume.leave()


@pytest.fixture
def two_mounts(shared_volume):
    """Return a new, empty directory as two machines see it: its path in either mount."""
    first, second = shared_volume.mounts
    path = tempfile.mkdtemp(prefix="test-", dir=first)
    other = os.path.join(second, os.path.basename(path))
    end = time.monotonic() + PATIENCE
    while not os.path.isdir(other):
        assert time.monotonic() < end, f"{other} is not seen"
        time.sleep(0.05)
    yield path, other
    shutil.rmtree(path)
