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

STARTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pulsar_up.sh")
#: Seconds for the slowest verb: a first start, which fetches the broker.
PATIENCE = 600.0
#: What the shell that runs the tests says about the starter: tests themselves see nothing of it.
_GIVEN = {name: os.environ[name] for name in ("PULSAR_JARS", "PULSAR_VERSION", "JAVA_HOME") if name in os.environ}

_numbers = itertools.count()


class PulsarServer:
    """A broker with its data, until it is stopped. ``extra`` are lines of its configuration."""

    def __init__(self, *, extra="", header="", directory=None):
        require()
        self.directory = directory or tempfile.mkdtemp(prefix="minionize-pulsar-")
        self.port, self.web_port, bookie = ports.chosen(self.directory, 3)
        self._environment = {
            "PULSAR_PORT": str(self.port),
            "PULSAR_WEB_PORT": str(self.web_port),
            "PULSAR_BOOKIE_PORT": str(bookie),
            "PULSAR_EXTRA": extra,
            "PULSAR_HEADER": header,
        }
        try:
            self._run("up")
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
        self._run("up")

    def restart(self):
        """Stop it and start it again, with its data."""
        self._run("restart")

    def kill9(self):
        """Kill it, and leave it dead."""
        self._run("kill9")

    def freeze(self):
        """Stop its process, which keeps its connections."""
        self._run("freeze")

    def thaw(self):
        """Let its process go on."""
        self._run("thaw")

    def stop(self):
        """End it and delete its data."""
        self._run("wipe")
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

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def _run(self, verb):
        done = subprocess.run(
            ["bash", STARTER, verb, self.directory],
            env={**os.environ, **_GIVEN, **self._environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"pulsar_up.sh {verb} failed:\n{done.stderr}"


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
