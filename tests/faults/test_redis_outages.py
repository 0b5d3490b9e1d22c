"""A Redis server that stops, dies, freezes, forgets its scripts, is full or is replaced: nothing is lost."""

from __future__ import annotations

import contextlib
from functools import partial

import pytest
from harness import wait_until
from redis_queue import HURRIED, Aside, Queue, waits
from servers import redis_server
from steps import persistently, take, tasks

from minionize.errors import EngineUnavailable
from minionize.model import Ack, Counts, Nack


@pytest.fixture
def queue():
    """Give a queue on the server that tests share."""
    queue = Queue()
    yield queue
    queue.close()


@contextlib.contextmanager
def broken(**options):
    """Give a queue on a server of its own, which the test may break."""
    with redis_server.RedisServer(**options) as server:
        queue = Queue(server, options=HURRIED if options.get("mode", "up") == "up" else "")
        yield queue
        queue.close()


def test_a_restart_between_exchanges_is_not_even_noticed(queue):
    """The connection is made again and the script loaded again: no error, no task lost."""
    engine = queue.filled(3)
    first, second = take(engine, 2)
    queue.server.restart()
    assert engine.exchange([Ack(first)]).gone == ()
    queue.server.restart()
    assert engine.renew([second]) == []
    assert engine.counts() == Counts(1, 0, 1, 1, 0)


def test_a_restart_while_a_minion_waits_is_borne(queue):
    """A wait that the server's end cut off goes on afterwards, and gets what is put then."""
    engine, other = queue.filled(1), queue.open("b")
    take(engine, 1)
    waiting = Aside(lambda: persistently(lambda: other.exchange(limit=1, wait=20.0).tasks or None))
    with queue.client() as client:
        waits(client)
        queue.server.restart()
    engine.put(tasks(1, start=7))
    found, _ = waiting.result()
    while not found:  # the wait may have ended before the put
        found = other.exchange(limit=1, wait=5.0).tasks
    assert [task.param for task in found] == ["7"]


def test_a_server_that_was_killed_comes_back_with_everything():
    """While it is dead every call says so; afterwards what was held is held, and what was done is done."""
    with broken() as queue:
        engine = queue.filled(3)
        done, held = take(engine, 2)
        engine.exchange([Ack(done)])
        with queue.client() as client:
            wait_for_log(client)
        queue.server.kill9()
        for act in (engine.exchange, engine.counts, lambda: engine.renew([held])):
            with pytest.raises(EngineUnavailable, match="cannot be reached"):
                act()
        queue.server.restart()
        assert persistently(lambda: engine.renew([held]))[0] == []
        assert engine.exchange([Ack(held)]).gone == ()
        assert engine.counts() == Counts(1, 0, 0, 2, 0)


def test_a_frozen_server_is_given_up_on_and_nothing_is_lost_or_doubled():
    """An exchange whose answer was lost may have claimed: what we do not know of is given back, and then handed out."""
    with broken() as queue:
        engine = queue.filled(4)
        (task,) = take(engine, 1)
        queue.server.freeze()
        with pytest.raises(EngineUnavailable, match="does not answer"):
            engine.exchange([Ack(task)], limit=2)
        queue.server.thaw()
        delivery, _ = persistently(lambda: engine.exchange([Ack(task)], limit=2))
        assert delivery.gone == ()
        held = [*delivery.tasks, *take(engine, 3 - len(delivery.tasks))]
        assert sorted(task.param for task in held) == ["1", "2", "3"]
        assert engine.exchange([Ack(task) for task in held]).state == "ended"
        assert engine.counts() == Counts(0, 0, 0, 4, 0)


def test_a_server_that_freezes_while_a_minion_waits_is_given_up_on():
    """The wait ends with an error, not never; and what came meanwhile is not lost."""
    with broken() as queue:
        engine, other = queue.filled(1), queue.open("b")
        take(engine, 1)
        waiting = Aside(lambda: other.exchange(limit=1, wait=60.0))
        with queue.client() as client:
            waits(client)
        queue.server.freeze()
        with pytest.raises(EngineUnavailable, match="does not answer"):
            waiting.result()
        queue.server.thaw()
        persistently(lambda: engine.put(tasks(1, start=5)))
        found, _ = persistently(lambda: take(other, 1))
        assert [task.param for task in found] == ["5"]


def test_a_wake_does_not_wait_for_a_frozen_server():
    """Waking is for other threads, which must not hang: it returns while the server does not answer."""
    with broken() as queue:
        engine, other = queue.filled(1), queue.open("b")
        take(engine, 1)
        waiting = Aside(lambda: other.exchange(limit=1, wait=60.0))
        with queue.client() as client:
            waits(client)
        queue.server.freeze()
        Aside(other.wake).result()
        with pytest.raises(EngineUnavailable):
            waiting.result()
        queue.server.thaw()


def test_forgotten_scripts_are_sent_again(queue):
    """A SCRIPT FLUSH between two calls changes nothing."""
    engine = queue.filled(2)
    with queue.client() as client:
        client.script_flush()
        (task,) = take(engine, 1)
        client.script_flush()
        assert engine.exchange([Ack(task)]).gone == ()
        client.script_flush()
        assert engine.counts() == Counts(1, 0, 0, 1, 0)


def test_a_full_server_refuses_a_put_and_goes_on_being_drained():
    """At maxmemory a put says so and how far it came; claims, acks, nacks and renewals work, and make room."""
    with broken() as queue:
        engine = queue.filled(50)
        held = take(engine, 10)
        with queue.client() as client:
            client.config_set("maxmemory", "1mb")
            with pytest.raises(EngineUnavailable, match="is full") as refused:
                engine.put(tasks(10, start=100))
            assert "none of 10 params was added" in str(refused.value)
            assert engine.renew(held) == []
            assert engine.exchange([*map(Ack, held[1:]), Nack(held[0])]).gone == ()
            rest = take(engine, 41)
            assert engine.exchange([Ack(task) for task in rest]).state == "ended"
            client.config_set("maxmemory", "0")
        assert engine.put(tasks(10, start=100)).added == 10
        assert engine.counts() == Counts(10, 0, 0, 50, 0)


def test_minions_survive_a_failover_of_sentinel():
    """A planned failover while a minion holds and another one waits: both go on with the new master."""
    with broken(mode="sentinel") as queue:
        engine, other = queue.filled(6), queue.open("b")
        held = take(engine, 6)
        assert engine.where.startswith("redis+sentinel://127.0.0.1:")
        waiting = Aside(lambda: persistently(lambda: other.exchange(limit=1, wait=30.0)))
        queue.server.failover()
        assert persistently(lambda: engine.renew(held))[0] == []
        assert persistently(lambda: engine.exchange([Nack(held[0])]))[0].gone == ()
        delivery, _ = waiting.result()
        again = delivery.tasks or take(other, 1)
        assert [(task.id, task.delivery) for task in again] == [(held[0].id, 2)]
        assert engine.exchange([Ack(task) for task in held[1:]]).gone == ()
        assert other.exchange([Ack(again[0])]).state == "ended"


def test_a_master_that_was_killed_is_replaced():
    """After the death of the master every call fails at once, until the replica is the master: then it goes on."""
    with broken(mode="sentinel") as queue:
        engine = queue.filled(3)
        held = take(engine, 2)
        with queue.client() as client:
            assert client.wait(1, 20_000) == 1  # the replica has it all
        queue.server.kill9("master")
        refused, said = persistently(lambda: engine.renew(held))
        assert (refused, bool(said)) == ([], True)
        assert engine.exchange([Ack(task) for task in held]).gone == ()
        assert engine.counts() == Counts(1, 0, 0, 2, 0)


def test_a_service_that_sentinel_does_not_know_may_come():
    """An unknown service is an outage, with its name: it is waited for as for a server that is down."""
    with redis_server.RedisServer(mode="sentinel") as server:
        queue = Queue(server)
        with pytest.raises(EngineUnavailable, match="nowhere"):
            queue.open(url=server.url.replace("/minions/", "/nowhere/"))


def wait_for_log(client):
    """Wait until all is on the server's disk: it writes its log at once, and syncs it every second."""
    wait_until(lambda: not client.info("persistence")["aof_pending_bio_fsync"], "the log is on disk")


def test_an_outage_that_outlasts_the_leases_takes_nothing_from_anybody(queue):
    """Nobody could renew while the server was down: who comes back first does not take over what the others hold."""
    ahead = [0.0]
    engine, other = (queue.open(uid, shift=lambda: ahead[0]) for uid in ("a", "b"))
    engine.put(tasks(2))
    (held,) = take(engine, 1)
    take(other, 1)
    queue.server.restart()
    ahead[0] = 600.0
    assert other.exchange(limit=1).tasks == ()
    assert engine.exchange([Ack(held)]).gone == ()
    ahead[0] = 1200.0
    assert [task.crashes for task in take(engine, 1)] == [1]


def test_sentinel_with_tls_and_a_password():
    """All three together, from one URL, for the sentinels and the servers behind them."""
    with redis_server.RedisServer(mode="sentinel", tls=True, password="pa$s/w@rd") as server:
        queue = Queue(server)
        engine = queue.filled(1)
        assert engine.where == f"rediss+sentinel://:***@127.0.0.1:{server.port + 2}/minions/0 {queue.stream}"
        assert engine.exchange([Ack(task) for task in take(engine, 1)]).state == "ended"
        queue.close()


def test_restarts_in_the_middle_of_everything_lose_and_double_nothing(queue):
    """Four minions claim, settle and renew without a pause while the server restarts three times: each task is done once."""
    engines = [queue.open(f"m{n}") for n in range(4)]
    engines[0].put(tasks(400))
    done, said = [], []

    def work(engine):
        settled, state = [], "open"
        while state == "open":
            delivery, words = persistently(partial(engine.exchange, settled, limit=3, wait=0.05))
            done.extend(one.task.id for one in settled)
            said.extend([*words, *delivery.gone])
            settled, state = [Ack(task) for task in delivery.tasks], delivery.state
            assert persistently(partial(engine.renew, delivery.tasks))[0] == []

    working = [Aside(lambda engine=engine: work(engine)) for engine in engines]
    for count in (50, 150, 250):
        wait_until(lambda count=count: len(done) >= count, f"{count} tasks are done")
        queue.server.restart()
    for one in working:
        one.result()
    assert sorted(done) == [task.id for task in tasks(400)]
    assert [one for one in said if not isinstance(one, str)] == []
    assert engines[0].counts() == Counts(0, 0, 0, 400, 0)
