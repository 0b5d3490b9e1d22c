"""What is rare on a Redis server, and must cost nothing: answers nobody read, servers that stood still, hostile messages."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from harness import wait_until
from redis_queue import FAILURE, HURRIED, Queue
from servers import redis_server
from steps import persistently, take

from minionize.engines import staging
from minionize.engines.redis import admin
from minionize.errors import BadParam, EngineError, EngineUnavailable, UsageError
from minionize.masks import mask
from minionize.model import Ack, Bury, Control, Counts, Nack, NewTask

#: Seconds of a lease that a test can outlive.
SHORT = 0.6


@pytest.fixture
def queue():
    """Give a queue on the server that all tests share."""
    queue = Queue()
    yield queue
    queue.close()


@pytest.fixture
def fragile():
    """Give a queue on a server that the test may break."""
    with redis_server.RedisServer() as server:
        queue = Queue(server, options=HURRIED)
        yield queue
        queue.close()


# ---------------------------------------------------------------------- held, and nobody knows


def test_what_an_idle_minion_was_given_unknown_to_it_comes_back(queue):
    """An answer that was lost long ago made it the holder of a task; holding nothing else, it finds that by itself."""
    engine = queue.filled(1, lease=SHORT)
    with queue.client() as client:
        assert client.xreadgroup("minions", "a", {queue.stream: ">"}, count=1)
    (task,) = take(engine, 1)
    assert (task.delivery, task.crashes) == (2, 0)
    assert engine.exchange([Ack(task)], limit=1).state == "ended"


def test_what_somebody_without_a_lease_took_comes_back_to_an_idle_queue(queue):
    """Nobody holds anything and so nobody needs to renew; what a stranger took and left is handed out all the same."""
    engine = queue.filled(1, lease=SHORT)
    with queue.client() as client:
        assert client.xreadgroup("minions", "stranger", {queue.stream: ">"}, count=1)
    (task,) = take(engine, 1)
    assert (task.delivery, task.crashes) == (2, 1)


def test_looking_for_strays_is_not_done_at_every_renewal(queue):
    """With a thousand minions it would cost as much as all the rest: ten times a lease is often enough."""
    engine = queue.filled(1)
    (task,) = take(engine, 1)
    engine.renew([task])
    with queue.client() as client:
        client.config_resetstat()
        for _ in range(5):
            engine.renew([task])
        assert "cmdstat_xinfo|consumers" not in client.info("commandstats")


# ---------------------------------------------------------------------- time that stood still


def renewed(engine, held):
    """Renew as a courier does; returns what was lost."""
    gone, _ = persistently(lambda: engine.renew(held))
    return gone


def test_a_server_that_was_frozen_for_longer_than_a_lease_takes_nothing_from_anybody(fragile):
    """Both minions were alive and could not renew: the first one to come back takes nothing from the other."""
    engines = [fragile.filled(2, "a", lease=2 * SHORT), fragile.open("b", lease=2 * SHORT)]
    held = [take(engine, 1) for engine in engines]
    fragile.server.freeze()
    since = time.monotonic()
    while time.monotonic() - since < 3 * SHORT:
        for engine, mine in zip(engines, held, strict=True):
            with pytest.raises(EngineUnavailable):
                engine.renew(mine)
    fragile.server.thaw()
    assert [renewed(engine, mine) for engine, mine in zip(engines, held, strict=True)] == [[], []]
    for engine, mine in zip(engines, held, strict=True):
        assert engine.exchange([Ack(task) for task in mine]).gone == ()
    assert engines[0].counts() == Counts(0, 0, 0, 2, 0)


def set_back(queue, milliseconds):
    """Let the server's clock have been ahead until now: what was written then lies in the future."""
    with queue.client() as client:
        for minion, deadline in client.zrange(queue.key("leases"), 0, -1, withscores=True):
            client.zadd(queue.key("leases"), {minion: deadline + milliseconds})
        client.hincrby(queue.key("meta"), "heard", milliseconds)


def test_a_clock_that_is_set_back_makes_no_lease_longer(queue):
    """The clock of the server was two hours ahead, and is put right: a dead minion's task comes back a lease later."""
    ahead = [0.0]
    victim, heir = queue.filled(2, "victim"), queue.open("heir", shift=lambda: ahead[0])
    take(victim, 1)
    (own,) = take(heir, 1)
    set_back(queue, 7_200_000)
    heir.renew([own])
    ahead[0] = 61.0
    heir.renew([own])
    (again,) = take(heir, 1)
    assert (again.delivery, again.crashes) == (2, 1)


def test_a_clock_that_is_set_forward_ends_no_lease(queue):
    """It jumps by two hours; who renews next takes nothing from the others, who are alive."""
    first, second = queue.filled(2, "first"), queue.open("second")
    (one,), (other,) = take(first, 1), take(second, 1)
    set_back(queue, -7_200_000)
    assert first.renew([one]) == []
    assert second.renew([other]) == []


def test_a_silence_helps_nobody_where_none_lived_through_it(queue):
    """All minions were killed yesterday: who comes today need not wait for another lease."""
    victim = queue.filled(1, "victim")
    take(victim, 1)
    set_back(queue, -86_400_000)
    (task,) = take(queue.open("heir"), 1)
    assert task.crashes == 1


class Relay:
    """A network between a minion and its server that may hold back what the minion says, and deliver it late."""

    def __init__(self, port):
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._flows = threading.Event()
        self._flows.set()
        self.held = []
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self):
        """From now on keep what comes."""
        self._flows.clear()

    def let_new_ones_through(self):
        """Pass on what comes by new connections; what was kept stays kept."""
        self._flows.set()

    def deliver(self):
        """Send what was kept, as a network does that sends again what was lost."""
        for upstream, data in self.held:
            try:
                upstream.sendall(data)
            except OSError:
                pass  # the server closed it

    def close(self):
        """End all connections."""
        for one in self._sockets:
            one.close()

    def _accept(self):
        while True:
            try:
                downstream, _ = self._listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(self._server)
            self._sockets += (downstream, upstream)
            threading.Thread(target=self._up, args=(downstream, upstream), daemon=True).start()
            threading.Thread(target=self._down, args=(upstream, downstream), daemon=True).start()

    def _up(self, downstream, upstream):
        try:
            while data := downstream.recv(1 << 16):
                if self._flows.is_set():
                    upstream.sendall(data)
                else:
                    self.held.append((upstream, data))
        except OSError:
            pass  # the end is not told either: as far as the server knows the minion is still there

    def _down(self, upstream, downstream):
        try:
            while data := upstream.recv(1 << 16):
                downstream.sendall(data)
        except OSError:
            pass


def test_a_renewal_that_comes_late_gives_nothing_back(queue):
    """The network delivers it after the minion gave it up, connected anew and took another task: that task stays its own."""
    queue.filled(2, "filler")
    relay = Relay(queue.server.port)
    try:
        engine = queue.open(url=f"redis://127.0.0.1:{relay.port}/0{HURRIED}")
        (first,) = take(engine, 1)
        relay.hold()
        with pytest.raises(EngineUnavailable):
            engine.renew([first])
        wait_until(lambda: relay.held, "the renewal is kept")
        relay.let_new_ones_through()
        assert engine.renew([first]) == []
        (second,) = take(engine, 1)
        relay.deliver()
        with queue.client() as client:
            client.ping()
        assert engine.renew([first, second]) == []
    finally:
        relay.close()


def test_a_waiting_connection_that_was_made_anew_can_be_woken(queue):
    """It is lost between the look at the books and the wait, so that its number is unknown: a wake is no error then."""
    engine = queue.filled(1)
    (task,) = take(engine, 1)
    waiter, read = engine._waiter, engine._waiter.read

    def lost_before(limit, seconds, other):
        with queue.client() as client:
            client.client_kill_filter(_id=waiter._wire.number)
        wait_until(waiter._wire._is_stale, "the connection is lost")
        engine.wake()
        return read(limit, seconds, other)

    waiter.read = lost_before
    assert engine.exchange(limit=1, wait=0.2).tasks == ()
    assert engine.exchange([Ack(task)]).gone == ()


# ---------------------------------------------------------------------- what strangers write


@pytest.mark.parametrize("name", ["", "a\0b", "line\nline", "\x1b]0;title\x07", "x" * 2000])
def test_a_message_that_forges_an_impossible_id_has_that_of_its_entry(queue, name):
    """Anybody can write what our messages look like; an id goes into names of files, the environment and screens."""
    engine = queue.open()
    with queue.client() as client:
        entry = client.xadd(queue.stream, {"minionize": name, "param": "7"}).decode()
    assert engine.get(entry).param == "7"
    (task,) = take(engine, 1)
    assert (task.id, task.param, task.error) == (entry, "7", "")
    engine.exchange([Bury(task, FAILURE)])
    assert [dead.id for dead in engine.list("dead")] == [entry]
    assert engine.retry([entry]) == 1
    (again,) = take(engine, 1)
    assert (again.id, again.param) == (entry, "7")
    assert engine.exchange([Ack(again)], limit=1).state == "ended"


def test_a_task_with_an_impossible_id_is_not_put(queue):
    """It would be known by another name on the way back."""
    engine = queue.open()
    with pytest.raises(BadParam, match="control characters"):
        engine.put([NewTask("a\0b", "1")])
    assert engine.counts().pending == 0


def test_a_dead_letter_whose_id_is_no_text_can_be_listed(queue):
    """One message of a stranger does not hide all the others from who looks."""
    engine = queue.open()
    with queue.client() as client:
        client.xadd(queue.stream, {"minionize": b"\xff\xfe\n7"})
    (task,) = take(engine, 1)
    engine.exchange([Bury(task, FAILURE)])
    assert [dead.id for dead in engine.list()] == ["\ufffd\ufffd"]


def test_a_dead_minion_whose_name_is_no_text_can_be_listed(queue):
    """A consumer of somebody else's may be called anything."""
    engine = queue.filled(1)
    with queue.client() as client:
        client.xreadgroup("minions", b"\xff", {queue.stream: ">"}, count=1)
        assert [entry.minion for entry in engine.list()] == ["\ufffd"]
        client.zadd(queue.key("leases"), {b"\xff": 1})
    engine.release()
    assert [(entry.state, entry.minion) for entry in engine.list()] == [("pending", "\ufffd")]


def test_a_drain_by_a_user_with_an_odd_name_stops_no_minion_with_an_error(queue):
    """A login name in an old encoding is no reason why no script would run any more."""
    engine = queue.filled(1)
    who = Control("andr\udce9@host", time.time())
    engine.control(who)
    assert engine.exchange(limit=1).state == "drain"
    assert engine.drained() == who


# ---------------------------------------------------------------------- sizes


def test_an_infinite_delay_is_a_long_one(queue):
    """A callback may ask for another attempt in the year infinity."""
    engine = queue.filled(1)
    (task,) = take(engine, 1)
    assert engine.exchange([Nack(task, delay=float("inf"))]).gone == ()
    assert engine.counts().delayed == 1


@pytest.mark.parametrize("state", ["dead", "leased", "delayed"])
def test_a_listing_of_large_params_is_fetched_in_small_answers(queue, monkeypatch, state):
    """However many there are: an answer holds no more than a few MiB, where the first page showed how large they are."""
    monkeypatch.setattr(admin, "_PAGE_BYTES", 100_000)
    engine = queue.open()
    param = '"' + "x" * 20_000 + '"'
    engine.put(NewTask(f"{n:016x}", param) for n in range(40))
    held = take(engine, 40)
    settle = {"dead": lambda task: Bury(task, FAILURE), "delayed": lambda task: Nack(task, delay=60)}.get(state)
    if settle:
        engine.exchange([settle(task) for task in held])
    sizes = []

    def fitting(count, rows):
        sizes.append(len(rows))
        return original(count, rows)

    original = admin._fitting
    monkeypatch.setattr(admin, "_fitting", fitting)
    assert len(list(engine.list(state))) == 40
    assert max(sizes[1:]) <= 5


def test_a_foreign_message_is_found_without_looking_through_all_ids(queue):
    """Its id is its place: a thousand of them are taken off without a thousand searches."""
    engine = queue.filled(3)
    with queue.client() as client:
        entry = client.xadd(queue.stream, {"param": "7"}).decode()
        client.config_resetstat()
        assert engine.get(entry).param == "7"
        assert "cmdstat_hscan" not in client.info("commandstats")


# ---------------------------------------------------------------------- secrets


@pytest.mark.parametrize("name", ["password", "sentinel_password", "ssl_password", "ssl_keyfile_password"])
def test_passwords_among_the_options_are_masked(name):
    """Each of the options that hold one, not only that of the server itself."""
    assert mask(f"rediss://host:1/0?db=1&{name}=hush&x=2") == f"rediss://host:1/0?db=1&{name}=***&x=2"


def test_a_url_with_a_slash_too_few_is_not_shown(queue):
    """It is no URL then, but its password is still one."""
    with pytest.raises(UsageError) as told:
        queue.open(url="redis:/:hush@host:6379/0")
    assert "hush" not in str(told.value)


# ---------------------------------------------------------------------- half of the work


def test_a_settlement_is_whole_though_somebody_meddled_with_the_books(queue):
    """What is written of one of three tasks is no JSON any more: all three are done, once."""
    engine = queue.filled(3)
    engine.exchange([Nack(task) for task in take(engine, 3)])
    held = take(engine, 3)
    with queue.client() as client:
        client.hset(queue.key("lives"), held[2].handle.entry, "{no json")
    assert engine.exchange([Ack(task) for task in held]).gone == ()
    assert engine.counts() == Counts(0, 0, 0, 3, 0)


def test_a_put_that_finds_no_room_to_be_collected_adds_nothing(queue, monkeypatch):
    """The disk for temporary files is full: that is said, and where to find another."""
    engine = queue.open()
    monkeypatch.setattr(staging, "_IN_MEMORY", 1)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(EngineError, match="TMPDIR"):
        engine.put([NewTask("a", "1")])
    assert engine.counts().pending == 0
