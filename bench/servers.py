"""Servers of our own, on the loopback, for the time of a measurement."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from bench.children import Failed
from bench.peers import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STARTERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "servers")


class Server(NamedTuple):
    """A server that runs: the settings that point to it, what tells how many round trips it has answered so far, its pid."""

    settings: dict[str, str]
    trips: Callable[[], int] | None = None
    pid: int | None = None


@contextmanager
def redis() -> Iterator[Server]:
    """Run a Redis server that keeps nothing on disk."""
    _need("redis", "redis", "redis-server", "apt-get install redis-server")
    port = _free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        url = f"redis://127.0.0.1:{port}/0"
        yield Server({"REDIS_URL": url}, lambda: _scripts_run(url), process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def pubsub() -> Iterator[Server]:
    """Run Google's Pub/Sub emulator."""
    _need("google.pubsub_v1", "google", "java", "apt-get install default-jre-headless")
    with _started("pubsub_up.sh", PUBSUB_PORT=str(_free_port())) as settings:
        yield Server({**settings, "GOOGLE_PROJECT_ID": "bench"})


@contextmanager
def pulsar() -> Iterator[Server]:
    """Run a Pulsar standalone."""
    _need("pulsar", "pulsar", "java", "apt-get install openjdk-17-jre-headless")
    ports = {name: str(_free_port()) for name in ("PULSAR_PORT", "PULSAR_WEB_PORT", "PULSAR_BOOKIE_PORT")}
    with _started("pulsar_up.sh", **ports) as settings:
        yield Server(settings)


def _need(module: str, extra: str, program: str, how: str) -> None:
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise Missing(f"pip install 'minionize[{extra}]'")
    if shutil.which(program) is None:
        raise Missing(how)


@contextmanager
def _started(starter: str, **environment: str) -> Iterator[dict[str, str]]:
    """Run what the tests start their servers with; gives the settings that it prints."""
    directory = tempfile.mkdtemp(prefix="minionize-bench-")
    environ = {**os.environ, **environment}

    def call(verb: str) -> str:
        argv = ["bash", os.path.join(_STARTERS, starter), verb, directory]
        done = subprocess.run(
            argv, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode and verb == "up":
            raise Missing(f"{starter}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
        return done.stdout

    try:
        yield dict(re.findall(r"([A-Z_]+)='?([^\s']+)", call("up")))
    finally:
        call("down")
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _scripts_run(url: str) -> int:
    import redis

    with redis.Redis.from_url(url) as client:
        stats = client.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "eval"))


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(5) == b"+PONG":
                    return
        except OSError:
            time.sleep(0.02)
    raise Failed("redis-server did not start")
