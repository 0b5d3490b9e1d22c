"""Real ``minionize`` processes on a real Redis server: killed, cut off, and what their exit codes say."""

from __future__ import annotations

import signal

import pytest
from harness import wait_until
from servers import redis_server

from minionize.model import Counts
from minionize.testing import identity

#: What children do: note their param, a line in one piece.
NOTE = 'echo "$1" >> "$CAMP/ran"'


@pytest.fixture
def server():
    """Give a server that the test may break."""
    with redis_server.RedisServer() as server:
        yield server


@pytest.fixture
def redis_camp(camp, server):
    """Give a camp whose queue is a stream on that server."""
    camp.environment |= {
        "MINION_ENGINE": "redis",
        "REDIS_URL": server.url + "?socket_timeout=0.5&socket_connect_timeout=0.5",
        "REDIS_STREAM": redis_server.stream_name(),
    }
    return camp


def books(camp):
    """Read the counts."""
    from minionize.engines.redis import RedisEngine

    engine = RedisEngine(camp.environment["REDIS_URL"], identity("reader"), stream=camp.environment["REDIS_STREAM"])
    try:
        return engine.counts()
    finally:
        engine.close()


def test_a_first_try_works_as_with_any_engine(redis_camp):
    """Put, run, see: the commands are the same; the minion names its engine and its queue."""
    redis_camp.put("n=1..20")
    minion = redis_camp.minion("-j", "2", redis_camp.script("note", NOTE), "{n}")
    assert minion.code() == 0, minion.err
    assert sorted(map(int, redis_camp.runs())) == list(range(1, 21))
    assert redis_camp.environment["REDIS_STREAM"] in minion.err


def test_a_server_that_is_not_there_at_start(redis_camp):
    """Exit code 69 after the patience of a start, with what to do."""
    variables = {"REDIS_URL": "redis://:secret@127.0.0.1:1/0", "MINION_ENGINE_PATIENCE": "0.2s"}
    minion = redis_camp.minion("true", variables=variables)
    assert minion.code() == 69, minion.err
    assert "redis://:***@127.0.0.1:1/0" in minion.err
    assert "secret" not in minion.err
    assert "Traceback" not in minion.err


def test_a_queue_that_is_not_there(redis_camp):
    """Exit code 2: it is not made by running it."""
    minion = redis_camp.minion("true")
    assert minion.code() == 2, minion.err
    assert "there is no queue" in minion.err


def test_a_server_that_is_lost_and_stays_lost(redis_camp, server):
    """Exit code 75 once the patience is over; the child is ended with the minion."""
    gate = redis_camp.gate()
    redis_camp.put("n=1..3")
    script = redis_camp.script("wait", f'{NOTE}; read _ < "$CAMP/gate"')
    minion = redis_camp.minion("--engine-patience", "0.5s", script, "{n}")
    wait_until(redis_camp.runs, "a child has started")
    server.kill9()
    gate.open(1)
    assert minion.code() == 75, minion.err
    redis_camp.is_empty()


def test_a_restart_in_the_middle_is_borne(redis_camp, server):
    """A child that runs through an outage is settled as done afterwards, and is not run again."""
    gate = redis_camp.gate()
    redis_camp.put("n=1..4")
    script = redis_camp.script("wait", f'{NOTE}; read _ < "$CAMP/gate"')
    minion = redis_camp.minion("-j", "2", script, "{n}")
    wait_until(lambda: len(redis_camp.runs()) == 2, "two children have started")
    server.kill9()
    gate.open(1)
    minion.has_said("cannot be reached")
    server.restart()
    gate.open()
    assert minion.code() == 0, minion.err
    assert sorted(redis_camp.runs()) == ["1", "2", "3", "4"]
    assert books(redis_camp) == Counts(0, 0, 0, 4, 0)


def test_a_flush_in_the_middle_is_said_and_is_not_success(redis_camp, server):
    """What runs ends and is settled; then the minion says that the queue lost its data and leaves with an error."""
    gate = redis_camp.gate()
    redis_camp.put("n=1..4")
    script = redis_camp.script("wait", f'{NOTE}; read _ < "$CAMP/gate"')
    minion = redis_camp.minion("-j", "2", script, "{n}")
    wait_until(lambda: len(redis_camp.runs()) == 2, "two children have started")
    with server.client() as client:
        client.flushall()
    gate.open()
    assert minion.code() == 2, minion.err
    assert "lost its data" in minion.err
    assert sorted(redis_camp.runs()) == ["1", "2"]


def test_a_minion_that_was_killed_is_replaced_at_once(redis_camp):
    """Its tasks are run by another one of the same host with no wait for the lease, and its children are ended first."""
    redis_camp.gate()
    redis_camp.put("n=1..2")
    script = redis_camp.script("wait", f'{NOTE}; read _ < "$CAMP/gate"')
    victim = redis_camp.minion("-j", "2", script, "{n}")
    wait_until(lambda: len(redis_camp.runs()) == 2, "two children have started")
    victim.signal(signal.SIGKILL)
    heir = redis_camp.minion("-j", "2", redis_camp.script("note", NOTE), "{n}")
    assert heir.code() == 0, heir.err
    assert sorted(redis_camp.runs()) == ["1", "1", "2", "2"]
    assert books(redis_camp) == Counts(0, 0, 0, 2, 0)
    redis_camp.is_empty()


def test_minions_that_are_killed_over_and_over_lose_nothing(redis_camp):
    """Three minions share 300 params while one after another is killed: all are run, those of the killed perhaps twice."""
    redis_camp.put("n=1..300")
    script = redis_camp.script("note", NOTE)
    command = ("-j", "2", "--max-crashes", "1000", "--preemptible", script, "{n}")
    minions = [redis_camp.minion(*command) for _ in range(3)]
    for count in (20, 60, 100, 140):
        wait_until(lambda count=count: len(redis_camp.runs()) >= count, f"{count} params were run")
        minions.pop(0).signal(signal.SIGKILL)
        minions.append(redis_camp.minion(*command))
    for minion in minions:
        assert minion.code() == 0, minion.err
    ran = redis_camp.runs()
    assert {int(n) for n in ran} == set(range(1, 301))
    assert books(redis_camp) == Counts(0, 0, 0, 300, 0)


def test_bad_messages_die_and_the_rest_is_run(redis_camp, server):
    """A message that is no JSON is a dead letter of that minion, which goes on with the others and exits with 1."""
    with server.client() as client:
        for param in ('{"n": 1}', "{no json", '{"n": 2}'):
            client.xadd(redis_camp.environment["REDIS_STREAM"], {"param": param})
    minion = redis_camp.minion(redis_camp.script("note", NOTE), "{n}")
    assert minion.code() == 1, minion.err
    assert sorted(redis_camp.runs()) == ["1", "2"]
    assert books(redis_camp) == Counts(0, 0, 0, 2, 1)


def test_the_password_is_masked_wherever_a_minion_speaks(camp):
    """In what it logs, in its report, and in what it shows of its configuration."""
    with redis_server.RedisServer(password="pa$s/w@rd") as server:
        camp.environment |= {"MINION_ENGINE": "redis", "REDIS_URL": server.url}
        camp.put("n=1..2")
        shown = camp.minion("--show-config")
        minion = camp.minion("sh", "-c", "env > env.txt; false", variables={"MINION_MAX_ATTEMPTS": "1"})
        assert (shown.code(), minion.code()) == (0, 1)
        report = "".join(path.read_text() for path in (camp.path / "minion-report").iterdir())
        said = [shown.out, shown.err, minion.out, minion.err, report]
        assert [text for text in said if "pa$s" in text or "pa%24s" in text] == []
        assert "***" in shown.out
        assert "***" in minion.err
