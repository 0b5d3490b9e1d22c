"""Who may use which Redis server: what is refused, with what to type; and secrets that nobody sees."""

from __future__ import annotations

import pytest
from redis_queue import HURRIED, Queue
from servers import redis_server
from steps import take, tasks

from minionize.errors import EngineError, EngineUnavailable, NoQueue, UsageError
from minionize.model import Ack, Bury, Control, Failure, Nack

SECRET = "pa$s/w@rd:1"  # with all that has a meaning in a URL


@pytest.fixture
def queue():
    """Give a queue on the server that tests share."""
    queue = Queue()
    yield queue
    queue.close()


@pytest.fixture(scope="module")
def guarded():
    """Give a server that wants a password."""
    with redis_server.RedisServer(password=SECRET) as server:
        yield server


def refused(act, *words, kind=EngineError):
    """Require an error that asking again does not cure, which says all this."""
    with pytest.raises(kind) as error:
        act()
    assert not isinstance(error.value, EngineUnavailable)
    text = str(error.value)
    assert [word for word in words if word not in text] == [], text
    assert SECRET not in text
    return text


def test_a_password_opens_and_is_shown_to_nobody(guarded):
    """With the right password all works, and the place that screens show has it masked."""
    queue = Queue(guarded)
    engine = queue.filled(1)
    assert engine.exchange(map_acks(take(engine, 1))).state == "ended"
    assert engine.where == f"redis://:***@127.0.0.1:{guarded.port}/0 {queue.stream}"
    queue.close()


@pytest.mark.parametrize("credentials", ["", ":wrong@", "somebody:wrong@"])
def test_a_missing_or_wrong_password_is_an_error_at_once(guarded, credentials):
    """Waiting would not help: it is no outage. What to type is told, what was typed is not."""
    url = f"redis://{credentials}127.0.0.1:{guarded.port}/0"
    text = refused(lambda: Queue(guarded).open(url=url), "refuses us", "REDIS_URL=redis://:PASSWORD@host")
    assert "wrong" not in text.partition("\n")[0].replace("WRONGPASS", "")


def test_a_password_that_is_not_asked_for_is_an_error_at_once(queue):
    """A server without a password says so, and we say where it was given."""
    url = f"redis://:{'x' * 8}@127.0.0.1:{queue.server.port}/0"
    text = refused(lambda: queue.open(url=url), "has no password", "Leave it out of the URL")
    assert "x" * 8 not in text


def test_a_user_who_may_not_write_is_told_what_is_needed(queue):
    """Permissions that lack are an error with the rights that a queue needs."""
    with queue.client() as client:
        client.acl_setuser(
            "looker", enabled=True, nopass=True, keys=["*"], commands=["+@read", "+@connection", "+info"]
        )
    try:
        url = f"redis://looker:any@127.0.0.1:{queue.server.port}/0"
        refused(lambda: queue.open(url=url), "forbids its user", "ACL SETUSER")
    finally:
        with queue.client() as client:
            client.acl_deluser("looker")


def test_the_rights_that_the_error_names_are_enough(queue):
    """A user with no more than what that error says to give can do all that minions and people do."""
    with queue.client() as client:
        client.acl_setuser("looker", enabled=True, nopass=True, keys=["*"], commands=["+@connection"])
        url = f"redis://looker:any@127.0.0.1:{queue.server.port}/0"
        text = refused(lambda: queue.open(url=url), "ACL SETUSER NAME ~STREAM*")
        rights = text.rpartition("~STREAM*")[2].split()
        client.execute_command("ACL", "SETUSER", "worker", "on", "nopass", f"~{queue.stream}*", *rights)
    try:
        url = f"redis://worker:any@127.0.0.1:{queue.server.port}/0"
        engine, other = queue.filled(4, url=url), queue.open("b", url=url)
        done, dead, back, held = take(engine, 4)
        failure = Failure("exit", "exit 1", exit=1)
        assert engine.exchange([Ack(done), Bury(dead, failure), Nack(back, delay=60)]).gone == ()
        assert engine.renew([held]) == []
        assert other.exchange(limit=1, wait=0.01).tasks == ()
        assert [entry.state for entry in other.list()] == ["done", "dead", "delayed", "leased"]
        assert [len(list(other.list(state))) for state in ("delayed", "leased")] == [1, 1]
        assert other.get(done.id).id == done.id
        with pytest.raises(UsageError, match="4 tasks"):
            other.get("00")
        other.control(Control("w", 4e9))
        other.control(None)
        assert (other.retry(), other.release(), other.release([held.id]), other.remove([back.id])) == (1, 0, 1, 1)
        assert other.remove() == 3
        engine.close()
        other.close()
    finally:
        with queue.client() as client:
            client.acl_deluser("looker", "worker")


def test_a_user_who_may_not_wake_others_still_works(queue):
    """Without the right to CLIENT UNBLOCK a wake comes late, and nothing breaks."""
    with queue.client() as client:
        rights = ["+@all", "-client|unblock"]
        client.acl_setuser("worker", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=rights)
    try:
        engine = queue.filled(1, url=f"redis://worker:any@127.0.0.1:{queue.server.port}/0")
        (task,) = take(engine, 1)
        engine.wake()
        assert engine.exchange(limit=1, wait=60.0).tasks == ()
        assert engine.exchange([Ack(task)]).state == "ended"
        engine.close()
    finally:
        with queue.client() as client:
            client.acl_deluser("worker")


def test_tls_needs_the_authority_that_signed():
    """With its certificate all works; without it the error says what to add."""
    with redis_server.RedisServer(tls=True) as server:
        queue = Queue(server)
        engine = queue.filled(2)
        first, second = take(engine, 2)
        engine.wake()
        assert engine.exchange([Ack(first)], limit=1, wait=30.0).tasks == ()
        assert engine.exchange([Ack(second)], limit=1).state == "ended"
        assert "ssl_ca_certs" not in engine.where
        url = server.url.partition("?")[0]
        refused(lambda: queue.open(url=url), "certificate", "ssl_ca_certs=")
        with pytest.raises(EngineUnavailable, match="files that the URL names"):
            queue.open(url=f"{url}?ssl_ca_certs=/nowhere/ca.crt")
        with pytest.raises(EngineUnavailable, match=r"Does it want TLS(.|\n)*protected mode"):
            queue.open(url=url.replace("rediss://", "redis://"))
        queue.close()


def test_tls_to_a_server_that_speaks_plainly_says_so(queue):
    """Such a server does not answer the handshake at all: the error wonders whether it speaks TLS."""
    with pytest.raises(EngineUnavailable, match="Does it speak TLS"):
        queue.open(url=queue.url.replace("redis://", "rediss://") + HURRIED)


def test_a_cluster_is_refused():
    """A queue is several keys, which a cluster would spread: that is said, and what to use instead."""
    with redis_server.RedisServer(mode="cluster") as server:
        queue = Queue(server)
        refused(queue.open, "Redis Cluster", "redis+sentinel://")
        url = f"redis://127.0.0.1:{server.port}/0"
        refused(lambda: queue.open(url=url), "Redis Cluster", "redis+sentinel://")


def test_a_key_that_is_no_stream_is_left_alone(queue):
    """A string of that name is refused and kept."""
    with queue.client() as client:
        client.set(queue.stream, "precious")
        refused(queue.open, "is a string, not a stream", "REDIS_STREAM=")
        assert client.get(queue.stream) == b"precious"
        client.delete(queue.stream)
        client.set(queue.key("meta"), "precious")
        refused(queue.open, "something else under one of our keys", "REDIS_STREAM")
        assert client.keys(f"{queue.stream}*") == [queue.key("meta").encode()]


def test_a_second_group_is_refused(queue):
    """A done task is deleted, so another group would miss it: said with what to type; the same group is welcome."""
    with queue.client() as client:
        client.xadd(queue.stream, {"param": "1"})
        client.xgroup_create(queue.stream, "others", "0")
    refused(queue.open, "consumer group others", "REDIS_GROUP=others", "XGROUP DESTROY")
    assert len(take(queue.open(group="others"), 1)) == 1


def test_a_queue_that_does_not_exist_is_not_an_empty_one(queue):
    """Nothing is made where nobody asked for it, and how to make it is told."""
    refused(lambda: queue.open(create=False), "there is no queue", "minion-queue put", kind=NoQueue)
    with queue.client() as client:
        assert client.keys(f"{queue.stream}*") == []


def test_a_server_that_is_not_there_may_come():
    """Nobody listens: an outage, with what to do about it."""
    with pytest.raises(EngineUnavailable, match="cannot be reached") as error:
        Queue().open(url="redis://:secret@127.0.0.1:1/0")
    assert "redis-server" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://:s3cret@localhost",
        "redis://:s3cret/with@localhost:port/0",
        "redis://:s3/cret@[::1/0",
        "redis+sentinel://:s3cret@/minions",
        "redis+sentinel://:s3cret@host:26379",
        "redis+sentinel://:s3cret@host:x/minions",
        "redis://localhost/0?socket_timeout=soon&password=s3cret",
        "redis://:s3cret@localhost/first",
        "redis+sentinel://:s3cret@localhost/minions/first",
        "redis://:s3cret@localhost/0?colour=red",
        "redis+sentinel://localhost/minions/0?colour=red&sentinel_password=s3cret",
    ],
)
def test_what_is_no_address_is_a_usage_error(url):
    """It names the variable and shows examples, and not the password, however it was typed."""
    with pytest.raises(UsageError, match="REDIS_URL=") as error:
        Queue().open(url=url)
    assert "For example:" in str(error.value)
    assert "s3" not in str(error.value)


def test_a_socket_of_this_host_is_an_address(tmp_path):
    """``unix:///path`` is reached like any other; where nobody listens it is an outage, not a fault of ours."""
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        Queue().open(url=f"unix://{tmp_path}/redis.sock")


def test_a_server_that_is_no_sentinel_is_told_apart_from_sentinels_that_know_nothing(queue):
    """The first is an error at once, the second an outage that may end; neither shows the client's objects."""
    port = queue.server.port
    refused(lambda: queue.open(url=f"redis+sentinel://127.0.0.1:{port}/minions/0"), "is no sentinel")
    with pytest.raises(EngineUnavailable, match="tells no master of 'minions'") as error:
        queue.open(url="redis+sentinel://127.0.0.1:1/minions/0")
    assert "redis.client" not in str(error.value)


def test_options_of_the_url_cannot_change_how_we_speak(queue):
    """What would give us text for bytes, or send things twice, is not taken from the URL."""
    options = "?decode_responses=yes&protocol=3&retry_on_timeout=yes&encoding=latin-1"
    engine = queue.filled(2, url=queue.url + options)
    (task,) = take(engine, 1)
    other = queue.open("b", url=queue.url + options)
    assert other.exchange([], limit=1, wait=1.0).tasks != ()
    assert engine.exchange([Ack(task)]).gone == ()


def test_a_server_that_may_lose_the_queue_is_told_of():
    """Without an append-only file, or with eviction, a minion says so at its start; else it has nothing to say."""
    with redis_server.RedisServer() as server:
        queue = Queue(server)
        assert queue.open().notes == ()
        with queue.client() as client:
            client.config_set("appendonly", "no")
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "allkeys-lru")
        first, second = queue.open("b").notes
        assert "append-only" in first
        assert "allkeys-lru" in second
        queue.close()


def map_acks(found):
    """Settle all as done."""
    return [Ack(task) for task in found]


def test_a_database_of_its_own_is_another_queue(queue):
    """The number in the URL is kept apart: the same stream name in another database is another queue."""
    engine = queue.filled(2)
    other = queue.open("b", url=queue.url.replace("/0", "/3"))
    assert (engine.counts().pending, other.counts().pending) == (2, 0)
    assert other.put(tasks(1)).added == 1
    other.remove()
    with queue.server.client(db=3) as client:
        client.flushdb()
