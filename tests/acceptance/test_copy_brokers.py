"""``minion-queue copy`` from and to message brokers, which know no ids and cannot always tell whether that was all."""

from __future__ import annotations

import json
import sys
from collections import Counter

import pytest
from servers import pubsub_server, pulsar_server

from minionize import place
from minionize.app import open_engine
from minionize.model import Ack, Bury, Failure, Nack, NewTask
from minionize.settings import load

from .harness import signal
from .test_copy import DRIVER

BROKERS = {
    "google": lambda: pubsub_server.shared().environment(pubsub_server.name()),
    "pulsar": lambda: pulsar_server.shared().environment(pulsar_server.topic_name()),
}


class Broker:
    """A queue on a broker, and a directory with another one."""

    def __init__(self, here, name):
        self.here, self.name, self.environ = here, name, BROKERS[name]()
        here.environ.update({key: value for key, value in self.environ.items() if key != "MINION_ENGINE"})

    def open(self):
        """Open it, making it if it is not there."""
        settings = load({}, {**self.environ, "MINION_LEASE": "10s"}, str(self.here.path))
        return open_engine(settings, place.identity(), create=True)

    def fill(self, *tasks):
        """Put tasks."""
        engine = self.open()
        engine.put(tasks)
        engine.close()

    def copy(self, source, target):
        """Copy, to the end."""
        return self.here.run("minion-queue", "copy", "--from", source, "--to", target)

    def tasks(self):
        """Take and settle all that is there: how often each (param, attempt) came."""
        engine, found = self.open(), Counter()
        while tasks := engine.exchange(limit=100, wait=3.0).tasks:
            found.update((task.param, task.attempt) for task in tasks)
            engine.exchange([Ack(task) for task in tasks])
        engine.close()
        return found


@pytest.fixture(params=BROKERS)
def broker(request, here):
    """Return a new queue on each kind of broker."""
    return Broker(here, request.param)


def sqlite(here):
    """Open the file, making it if it is not there."""
    settings = load({}, {"MINION_ENGINE": "sqlite", "SQLITE_PATH": str(here.path / "minion-queue.db")}, str(here.path))
    return open_engine(settings, place.identity(), create=True)


def in_sqlite(here):
    """Read what is in the file: (param, attempt, state)."""
    engine = sqlite(here)
    found = [(entry.param, entry.attempt, entry.state) for entry in engine.list()]
    engine.close()
    return sorted(found)


def test_what_waits_on_a_broker_is_moved_with_its_attempts(broker):
    """What was given back after a failure too; what is dead stays there."""
    broker.fill(*(NewTask(f"{n:016x}", str(n)) for n in range(30)))
    engine = broker.open()
    first, second = (engine.exchange(limit=1, wait=10.0).tasks[0] for _ in range(2))
    engine.exchange([Nack(first), Bury(second, Failure("exit", "exit 1", 1))])
    engine.close()
    done = broker.copy(broker.name, "sqlite")
    assert (done.code, done.err) == (0, "")
    assert "29 moved" in done.out
    expected = {(str(n), 1, "pending") for n in range(30)} - {(first.param, 1, "pending"), (second.param, 1, "pending")}
    assert in_sqlite(broker.here) == sorted(expected | {(first.param, 2, "pending")})
    assert broker.tasks() == {}


def test_a_broker_is_filled_from_a_file(broker):
    """Each task once, with its past; delayed ones stay delayed until they are due."""
    engine = sqlite(broker.here)
    engine.put([*(NewTask(f"{n:016x}", str(n), attempt=2, crashes=1) for n in range(300))])
    engine.close()
    done = broker.copy("sqlite", broker.name)
    assert done.code == 0, done.err
    assert "300 moved" in done.out
    assert in_sqlite(broker.here) == []
    assert broker.tasks() == Counter({(str(n), 2): 1 for n in range(300)})


@pytest.mark.parametrize("step", ["_put", "_claim"])
def test_a_copy_from_a_broker_that_is_killed_loses_nothing(broker, step):
    """Where the batch is in the target already, ids tell: nothing is there twice."""
    broker.fill(*(NewTask(f"{n:016x}", str(n)) for n in range(300)))
    killed = broker.here.run(
        sys.executable, "-c", DRIVER, "after", step, "1", str(int(signal.SIGKILL)),
        "copy", "--from", broker.name, "--to", "sqlite", MINION_LEASE="10s",
    )  # fmt: skip
    assert killed.code == -signal.SIGKILL
    engine = broker.open()  # a minion that is there lets the broker see at once what is free
    engine.close()
    for _ in range(8):
        done = broker.copy(broker.name, "sqlite")
        assert done.code == 0, done.err
        if len(in_sqlite(broker.here)) == 300 and "0 moved" in done.out:
            break
    assert in_sqlite(broker.here) == sorted((str(n), 1, "pending") for n in range(300))


def test_a_message_that_is_no_param_stays_on_the_broker_and_is_named(broker):
    """And is still there, for who knows what to do with it."""
    broker.fill(NewTask("0" * 16, "0"))
    publish = {"google": _publish_to_google, "pulsar": _produce_to_pulsar}[broker.name]
    publish(broker, b"{no json")
    decoder = {"GOOGLE_DECODER": "json", "PULSAR_DECODER": "json"}
    done = broker.here.run("minion-queue", "copy", "--from", broker.name, "--to", "sqlite", **decoder)
    assert (done.code, "1 moved" in done.out) == (1, True), done
    assert "cannot be decoded" in done.err
    assert broker.tasks() == {(json.dumps("{no json"), 1): 1}


def _publish_to_google(broker, data):
    server = pubsub_server.shared()
    with server.clients() as (publisher, _):
        publisher.publish(topic=server.address(broker.environ["GOOGLE_TOPIC_ID"]).topic, messages=[{"data": data}])


def _produce_to_pulsar(broker, data):
    with pulsar_server.shared().client() as client:
        client.create_producer(broker.environ["PULSAR_TOPIC"]).send(data)
