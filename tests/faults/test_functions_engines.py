"""Functions with engines whose clients have threads: children are forked after the client has connected, and work."""

from __future__ import annotations

from collections import Counter

import pytest
from functions import call
from google_queue import Queue as GoogleQueue
from harness import wait_for_lines
from servers import pulsar_server, redis_server

#: The children of a crash are made while the client's threads run, and in the middle of its conversation.
CRASHING = """
def f(n):
    note(n)
    if n % 20 == 0:
        os._exit(3)
    if n % 20 == 1:
        os.kill(os.getpid(), 11)
    return n
"""


@pytest.fixture
def redis(camp):
    """Let the camp's queue be a stream."""
    server = redis_server.shared()
    stream = redis_server.stream_name()
    camp.environment |= {"MINION_ENGINE": "redis", "REDIS_URL": server.url, "REDIS_STREAM": stream}
    yield
    with server.client() as client:
        if keys := list(client.scan_iter(f"{stream}*")):
            client.delete(*keys)


@pytest.fixture
def google(camp):
    """Let the camp's queue be a subscription."""
    queue = GoogleQueue()
    queue.make(ack_deadline_seconds=10)
    camp.environment |= queue.server.environment(queue.address.topic_id) | {"MINION_IDLE_TIMEOUT": "6s"}
    yield
    queue.close()


@pytest.fixture
def pulsar(camp):
    """Let the camp's queue be a topic."""
    server, topic = pulsar_server.shared(), pulsar_server.topic_name()
    camp.environment |= server.environment(topic)
    yield
    server.delete(topic)


@pytest.mark.parametrize("engine", ["redis", "google", "pulsar"])
def test_children_are_made_and_made_again_beside_a_client_with_threads(camp, engine, request):
    """Each task has its attempts, no more and no less, and no child hangs."""
    request.getfixturevalue(engine)
    camp.put("1..100")
    minion = call(camp, CRASHING, "-j3", variables={"MINION_MAX_ATTEMPTS": "2"})
    assert minion.code() == 1, minion.err
    ran = Counter(map(int, camp.runs()))
    assert {n: times for n, times in ran.items() if times != (2 if n % 20 < 2 else 1)} == {}
    assert set(ran) == set(range(1, 101))
    results = {event["param"]: event["result"] for event in camp.events() if event["outcome"] == "done"}
    assert results == {n: n for n in range(1, 101) if n % 20 >= 2}


@pytest.mark.parametrize("engine", ["redis", "google", "pulsar"])
def test_a_stop_gives_back_what_short_calls_have_not_begun(camp, engine, request):
    """And a second minion does the rest, once."""
    request.getfixturevalue(engine)
    camp.put("1..300")
    text = """
    import time

    def f(n):
        note(n)
        if len(open(f"{CAMP}/ran").readlines()) == 100:
            append("there")
            time.sleep(60)
    """
    minion = call(camp, text)
    wait_for_lines(camp.path / "there", 1)
    minion.signal(15)
    assert minion.code() == 143, minion.err
    assert len(camp.runs()) == 100
    other = call(camp, text, "-j2")
    assert other.code() == 0, other.err
    ran = Counter(camp.runs())
    assert len(ran) == 300
    assert sum(ran.values()) == 301  # the one that was interrupted
