"""A real sshd on the loopback: what ``sshd_up.sh`` does, for tests.

``shared()`` is one for a whole test run. By ``ssh -F config`` it is two hosts, ``one`` and ``two``, with the same files; at a
third one, ``nowhere``, nobody listens.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile

from servers import need, ports, sharing
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sshd_up.sh")
#: Where sshd is: not on everybody's PATH.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class Sshd(Started):
    """An sshd, until it is stopped."""

    starter = STARTER

    def __init__(self, directory=None):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-sshd-")
        (port,) = ports.chosen(self.directory, 1)
        self.variables = {"SSHD_PORT": str(port)}
        #: What ``ssh -F`` reads.
        self.config = os.path.join(self.directory, "config")
        try:
            self.call("up", self.directory)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """End it, and delete what it left."""
        self.call("down", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)


def require():
    """Skip the test (in CI: fail it) where no sshd can be had."""
    for command in ("sshd", "ssh", "ssh-keygen"):
        if shutil.which(command, path=PATH) is None:
            packages = "openssh-server openssh-client"
            need.lacking(f"there is no {command}: apt-get install --no-install-recommends {packages}")


@functools.cache
def shared():
    """Start the sshd that this test run shares, or join it."""
    require()
    return sharing.join("sshd", Sshd)
