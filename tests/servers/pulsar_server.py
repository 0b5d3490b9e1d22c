"""A real Apache Pulsar on loopback ports of its own: what ``pulsar_up.sh`` does, for tests.

``shared()`` is one broker for a whole test run, whose processes share it: each test takes a topic of a name of its own.
``PulsarServer(...)`` is one that a test may break; it is to be stopped.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from servers import need, ports, sharing
from servers.starter import Started

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pulsar_up.sh")
#: Seconds for the slowest verb: a first start, which fetches the broker.
PATIENCE = 600.0
#: What the shell that runs the tests says about the starter: tests themselves see nothing of it.
_GIVEN = {name: os.environ[name] for name in ("PULSAR_JARS", "PULSAR_VERSION", "JAVA_HOME") if name in os.environ}

_numbers = itertools.count()


class PulsarServer(Started):
    """A broker with its data, until it is stopped. ``extra`` are lines of its configuration."""

    starter = STARTER
    patience = PATIENCE

    def __init__(self, *, extra="", header="", directory=None):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-pulsar-")
        self.port, self.web_port, bookie = ports.chosen(self.directory, 3)
        self.variables = {
            **_GIVEN,
            "PULSAR_PORT": str(self.port),
            "PULSAR_WEB_PORT": str(self.web_port),
            "PULSAR_BOOKIE_PORT": str(bookie),
            "PULSAR_EXTRA": extra,
            "PULSAR_HEADER": header,
        }
        try:
            self.call("up")
        except BaseException:
            self.stop()
            raise

    @property
    def url(self):
        """Where clients connect."""
        return f"pulsar://127.0.0.1:{self.port}"

    @property
    def admin(self):
        """Where its admin API is."""
        return f"http://127.0.0.1:{self.web_port}"

    def start(self):
        """Start it, with its data."""
        self.call("up")

    def stop(self):
        """End it and delete its data."""
        self.call("wipe")
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextlib.contextmanager
    def client(self, **options):
        """Connect as anybody would."""
        import pulsar

        quiet = pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull)
        client = pulsar.Client(options.pop("url", self.url), logger=quiet, **options)
        try:
            yield client
        finally:
            client.close()

    def ask(self, path, method="GET", body=None, token=""):
        """Ask the admin API; returns what it says, None where there is no such thing."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(
            f"{self.admin}/admin/v2/{path}", body and body.encode(), headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise
        return json.loads(text) if text.strip() else None

    def topics(self, prefix):
        """List the topics whose names begin so."""
        found = self.ask("persistent/public/default") + self.ask("persistent/public/default/partitioned")
        return sorted(name for name in (full.rpartition("/")[2] for full in found) if name.startswith(prefix))

    def delete(self, prefix):
        """Delete the topics whose names begin so."""
        for name in self.topics(prefix):
            whole = re.sub(r"-partition-\d+$", "", name)
            kind = (
                "/partitions"
                if (self.ask(f"persistent/public/default/{whole}/partitions") or {}).get("partitions")
                else ""
            )
            with contextlib.suppress(urllib.error.HTTPError):
                self.ask(f"persistent/public/default/{whole if kind else name}{kind}?force=true", "DELETE")

    def environment(self, topic, *, admin=True):
        """Name a queue on it to a command."""
        variables = {"MINION_ENGINE": "pulsar", "PULSAR_CONNECTION": self.url, "PULSAR_TOPIC": topic}
        return {**variables, "PULSAR_ADMIN": self.admin} if admin else variables

    def call(self, *words):
        """Call the script; returns what it printed."""
        return super().call(*words, self.directory)


@functools.cache
def _lacking():
    """Say what this machine lacks; empty where it has all."""
    try:
        import pulsar  # noqa: F401
    except ImportError:
        return "the package pulsar-client is not installed: pip install pulsar-client"
    for command, package in (("java", "openjdk-17-jre-headless"), ("curl", "curl")):
        if shutil.which(command) is None:
            return f"there is no {command}: apt-get install --no-install-recommends {package}"
    done = subprocess.run(
        ["bash", STARTER, "jars"],
        env={**os.environ, **_GIVEN},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    advice = "apt-get install --no-install-recommends maven fetches it"
    return f"there is no Pulsar: {done.stderr.strip()} ({advice})" if done.returncode else ""


def require():
    """Skip the test (in CI: fail it) where there is no broker, or no client."""
    why = _lacking()
    if why:
        need.lacking(why)


@functools.cache
def shared():
    """Start the broker that this test run shares, or join it."""
    require()
    return sharing.join("pulsar", lambda directory: PulsarServer(directory=directory))


def topic_name():
    """Make a name that no other test uses."""
    return f"topic-{os.getpid()}-{next(_numbers)}"
