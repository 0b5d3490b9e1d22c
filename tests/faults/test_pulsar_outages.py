"""A Pulsar broker that stops, dies, freezes or is cut off: nothing is lost, and what is run again is explained."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from harness import wait_until
from pulsar_queue import Queue, Wire
from servers import pulsar_server
from servers.ports import free_port
from steps import persistently, take, tasks

from minionize.errors import EngineUnavailable
from minionize.model import Ack, Counts, Nack
from minionize.testing import identity


@pytest.fixture(scope="module")
def server():
    """Give a broker that the tests of this module break, one after the other."""
    with pulsar_server.PulsarServer() as server:
        yield server


@pytest.fixture
def queue(server):
    """Give a queue on that broker, which runs."""
    server.start()
    queue = Queue(server)
    yield queue
    queue.close()


def said_by(act):
    """Read the error that something raises; empty where it goes well."""
    try:
        act()
    except EngineUnavailable as error:
        return str(error)
    return ""


def settle_all(engine, found, count):
    """Settle what was taken, and take and settle the rest, as a courier does; returns the params by which they ended."""
    settled, done = [Ack(task) for task in found], []
    until = time.monotonic() + 60

    while len({task.task.param for task in done}) < count or settled:
        assert time.monotonic() < until, f"only {sorted(one.task.param for one in done)} of {count} ended"
        delivery, _ = persistently(lambda settled=settled: engine.exchange(settled, limit=3, wait=0.1))
        gone = {one.task.id for one in delivery.gone}
        done += [one for one in settled if one.task.id not in gone]
        settled = [Ack(task) for task in delivery.tasks]
    return sorted(int(one.task.param) for one in done)


@pytest.mark.parametrize("how", ["restart", "kill9"])
def test_what_is_held_while_the_broker_restarts_is_settled_once(queue, server, how):
    """The held tasks are handed out again by the broker, and recognised: they are settled, and not run again."""
    engine = queue.filled(12)
    held = take(engine, 4)
    if how == "restart":
        server.restart()
    else:
        server.kill9()
        server.start()
    assert settle_all(engine, held, 12) == list(range(12))
    wait_until(lambda: persistently(lambda: engine.exchange(limit=1))[0].state == "ended", "the end")


def test_attempts_survive_a_restart(queue, server):
    """They are in the message, not in the broker's memory; so is a delay."""
    engine = queue.filled(1)
    for attempt in (1, 2, 3):
        (task,) = take(engine, 1)
        assert task.attempt == attempt
        engine.exchange([Nack(task, delay=0.5)])
        if attempt == 1:
            engine.close()
            server.restart()
            engine = queue.open("b")
    (task,) = take(engine, 1)
    assert task.attempt == 4


def test_while_the_broker_is_dead_every_call_says_so(queue, server):
    """No call hangs: each raises, or returns what is known without the broker; closing takes no longer than that."""
    engine = queue.filled(3)
    (held,) = take(engine, 1)
    server.kill9()
    for act in (lambda: engine.exchange(limit=1), lambda: engine.exchange([Ack(held)]), engine.counts):
        wait_until(lambda act=act: "cannot be reached" in said_by(act), "an error that says so")
    assert engine.renew([held]) == []
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        queue.open("b")
    engine.close()
    server.start()
    other = queue.open("c")
    assert sorted(task.param for task in take(other, 3)) == ["0", "1", "2"]


def test_a_put_that_the_broker_does_not_confirm_says_so(queue, server):
    """It raises, and says how far it came."""
    engine = queue.filled(1)
    server.freeze()
    try:
        with pytest.raises(EngineUnavailable, match="none of 5|0 of 5|were added|was added"):
            engine.put(tasks(5, start=10))
    finally:
        server.thaw()
    (first, *_) = persistently(lambda: take(engine, 1))[0]
    assert engine.exchange([Ack(first)]).gone == ()


def test_a_frozen_broker_is_waited_for(queue, server):
    """What was held before goes on after it, and is settled once."""
    engine = queue.filled(6)
    held = take(engine, 2)
    server.freeze()
    try:
        engine.exchange(limit=1, wait=0.5)
    finally:
        server.thaw()
    assert settle_all(engine, held, 6) == list(range(6))


def test_closing_does_not_wait_for_a_frozen_broker(queue, server):
    """The connections are cut then; what was held is handed out to others."""
    engine = queue.filled(2)
    take(engine, 2)
    server.freeze()
    try:
        engine.close()  # the client itself would wait until the broker is thawed
    finally:
        server.thaw()
    assert len(take(queue.open("b"), 2)) == 2


def test_a_cut_network_gives_the_tasks_to_others_and_its_minion_back_to_work(server):
    """The broker takes a silent minion for lost; when the wire is mended, the late ack is no second run of ours."""
    server.start()
    wire = Wire(server.port)
    queue = Queue(server, url=f"pulsar://127.0.0.1:{wire.port}")
    near = Queue(server)
    near.topic = queue.topic
    try:
        engine = queue.filled(4)
        other = near.open("near")
        held = take(engine, 2)
        wire.cut()
        found = take(other, 4)
        assert {task.id for task in held} < {task.id for task in found}
        wire.mend()
        assert persistently(lambda: engine.exchange([Ack(task) for task in held]))[0].gone == ()
        other.exchange([Ack(task) for task in found])
        wait_until(lambda: other.exchange(limit=1).state == "ended", lambda: f"the end: {other.counts()}")
        other.put(tasks(1, start=9))
        other.close()
        assert [task.param for task in persistently(lambda: take(engine, 1))[0]] == ["9"]
    finally:
        wire.mend()
        near.close()
        queue.close()
        wire.close()


def test_an_admin_api_that_is_gone_in_the_middle_is_no_outage(server, monkeypatch):
    """The work goes on without counts, and nobody hears that all is settled until it is back; who only looks hears why."""
    from minionize.engines.pulsar import admin, broker

    monkeypatch.setattr(admin, "TIMEOUT", 0.5)
    monkeypatch.setattr(broker, "_REST", 0.1)
    server.start()
    wire = Wire(server.web_port)
    queue = Queue(server)
    try:
        api = f"http://127.0.0.1:{wire.port}"
        engine, onlooker = queue.filled(2, admin=api), queue.open("b", admin=api)
        held = take(engine, 1)
        wire.cut()
        assert engine.counts() == Counts()
        held += take(engine, 1)
        assert engine.exchange([Ack(task) for task in held], limit=1).state == "open"
        with pytest.raises(EngineUnavailable, match="admin API"):
            onlooker.counts()
        wire.mend()
        wait_until(lambda: engine.exchange(limit=1).state == "ended", lambda: f"the end: {engine.counts()}")
    finally:
        wire.mend()
        queue.close()
        wire.close()


def test_restarts_in_the_middle_of_everything_lose_nothing(queue, server):
    """Three minions claim and settle while the broker is killed twice: each task ends, and few of them twice."""
    engines = [queue.open(f"m{n}") for n in range(3)]
    engines[0].put(tasks(300))
    done, errors = [], []
    over = threading.Event()

    def work(engine):
        settled = []
        try:
            while not over.is_set() or settled:
                delivery, _ = persistently(partial(engine.exchange, settled, limit=2, wait=0.05))
                gone = {one.task.id for one in delivery.gone}
                done.extend(one.task.param for one in settled if one.task.id not in gone)
                settled = [Ack(task) for task in delivery.tasks]
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(engine,), daemon=True) for engine in engines]
    for thread in threads:
        thread.start()
    for count in (60, 160):
        wait_until(lambda count=count: len(done) >= count or errors, f"{count} tasks are done")
        server.kill9()
        server.start()
    wait_until(lambda: len(set(done)) == 300 or errors, lambda: f"all tasks are done, {len(set(done))} are")
    over.set()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert sorted(map(int, set(done))) == list(range(300))
    assert len(done) <= 300 + 2 * 3 * 40  # what was on its way to the broker when it died


def test_a_broker_that_is_not_there_is_an_outage():
    """Nobody listens: said within the patience of a start, with what to do about it."""
    pulsar_server.require()
    from minionize.engines.pulsar import PulsarEngine
    from minionize.engines.pulsar.connect import Access

    with pytest.raises(EngineUnavailable, match="bin/pulsar standalone"):
        PulsarEngine(Access(f"pulsar://127.0.0.1:{free_port()}"), identity("a"))
