"""A moto server, which stands for AWS: what ``moto_up.sh`` does, for tests. Jobs of its Batch run in a podman store's containers."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile

from servers import ports
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "moto_up.sh")


class MotoServer(Started):
    """One that a test has for itself; ``store`` is where its jobs run."""

    starter = STARTER
    patience = 300.0  # the first makes a virtual environment

    def __init__(self, store):
        self.directory = tempfile.mkdtemp(prefix="minionize-moto-")
        (port,) = ports.chosen(self.directory, 1)
        self.variables = {**store.environment, "MOTO_PORT": str(port), "PYTHON": sys.executable}
        try:
            said = self.call("up", self.directory)
            self.tools = self.call("tools").strip()
        except BaseException:
            self.stop()
            raise
        #: What the ``aws`` command needs to speak to it.
        self.environment = dict(word.split("=", 1) for word in shlex.split(said)[1:])
        self.environment["AWS_PAGER"] = ""

    def aws(self, *words):
        """Call the ``aws`` command; returns what it printed."""
        done = subprocess.run(
            [os.path.join(self.tools, "python"), os.path.join(self.tools, "aws"), *words],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"aws {' '.join(words)} failed:\n{done.stderr}"
        return done.stdout.strip()

    def stop(self):
        """End it."""
        self.call("down", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
