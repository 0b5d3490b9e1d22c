"""What the servers that a shell script starts have in common."""

from __future__ import annotations

import os
import subprocess


class Started:
    """A server with the verbs of its script; ``starter`` is that script, ``patience`` the seconds for its slowest verb."""

    starter = ""
    patience = 100.0
    #: What the script is told by its environment.
    variables = {}  # noqa: RUF012 - each has its own

    def restart(self, which=""):
        """Stop it and start it again; ``which``: one of its nodes, where it has several."""
        self.call("restart", which)

    def kill9(self, which=""):
        """Kill it, and leave it dead."""
        self.call("kill9", which)

    def freeze(self):
        """Stop its process, which keeps its connections."""
        self.call("freeze")

    def thaw(self):
        """Let its process go on."""
        self.call("thaw")

    def stop(self):
        """End it, and delete what it left."""
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def call(self, *words):
        """Call the script; returns what it printed."""
        words = [word for word in words if word]
        done = subprocess.run(
            ["bash", self.starter, *words],
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.patience,
            check=False,
        )
        name = os.path.basename(self.starter)
        assert done.returncode == 0, f"{name} {' '.join(words)} failed:\n{done.stderr}"
        return done.stdout
