"""Real ``minionize`` processes on a real Pulsar broker: killed, cut off, and what their exit codes say."""

from __future__ import annotations

import signal
import sys

import pytest
from harness import wait_until
from servers import pulsar_server
from servers.ports import free_port

#: What children do: note their param, a line in one piece.
NOTE = 'echo "$1" >> "$CAMP/ran"'
WAIT = f'{NOTE}; read _ < "$CAMP/gate"'


@pytest.fixture
def pulsar_camp(camp):
    """Give a camp whose queue is a topic on the broker that tests share."""
    server = pulsar_server.shared()
    topic = pulsar_server.topic_name()
    camp.environment |= server.environment(topic)
    yield camp
    server.delete(topic)


@pytest.fixture
def broken_camp(camp):
    """Give a camp whose queue is on a broker that the test may break."""
    with pulsar_server.PulsarServer() as server:
        camp.environment |= server.environment("params")
        camp.server = server
        yield camp


@pytest.mark.parametrize("admin", [True, False], ids=["with-admin", "blind"])
def test_a_first_try_works_as_with_any_engine(pulsar_camp, admin):
    """Put, run, see: the commands are the same; who cannot count leaves after the idle timeout."""
    variables = {} if admin else {"PULSAR_ADMIN": ""}
    put = pulsar_camp.queue("put", "n=1..20", variables=variables)
    assert put.code() == 0, put.err
    assert "made what was missing" in put.out + put.err
    note = pulsar_camp.script("note", NOTE)
    minion = pulsar_camp.minion("-j", "2", "--idle-timeout", "2s", note, "{n}", variables=variables)
    assert minion.code() == 0, minion.err
    assert sorted(map(int, pulsar_camp.runs())) == list(range(1, 21))
    assert pulsar_camp.environment["PULSAR_TOPIC"] in minion.err


def test_failures_are_tried_again_and_then_dead(pulsar_camp):
    """Three attempts, then a dead letter with its reason, which can be put back."""
    pulsar_camp.put("n=1..3")
    script = pulsar_camp.script("fail", f'{NOTE}; echo "bad $1" >&2; [ "$1" != 2 ]')
    minion = pulsar_camp.minion(script, "{n}")
    assert minion.code() == 1, minion.err
    assert sorted(pulsar_camp.runs()) == ["1", "2", "2", "2", "3"]
    listed = pulsar_camp.queue("list", "--state", "dead")
    assert listed.code() == 0, listed.err
    assert "exit" in listed.out
    retry = pulsar_camp.queue("retry", "--all")
    assert retry.code() == 0, retry.err
    again = pulsar_camp.minion(pulsar_camp.script("note", NOTE), "{n}")
    assert again.code() == 0, again.err
    assert sorted(pulsar_camp.runs()) == ["1", "2", "2", "2", "2", "3"]


#: Takes and acknowledges a task, asks for more, and ends without a word.
CARELESS = """
from minionize import place
from minionize.engines.pulsar import PulsarEngine
from minionize.engines.pulsar.connect import Access
from minionize.model import Ack
import os, sys
engine = PulsarEngine(Access(os.environ["PULSAR_CONNECTION"]), place.identity(), topic=os.environ["PULSAR_TOPIC"])
(task,) = engine.exchange(limit=1, wait=10).tasks
engine.exchange([Ack(task)], limit=1)
"""


def test_an_engine_that_nobody_closed_is_closed_at_the_end(pulsar_camp):
    """The process ends well and at once, and its last ack is not lost."""
    pulsar_camp.put("n=1")
    process = pulsar_camp.start(sys.executable, "-c", CARELESS)
    assert process.code() == 0, process.err
    assert process.err == ""
    minion = pulsar_camp.minion(pulsar_camp.script("note", NOTE), "{n}")
    assert minion.code() == 0, minion.err
    assert pulsar_camp.runs() == []


def test_a_broker_that_is_not_there_at_start(pulsar_camp):
    """Exit code 69 after the patience of a start, with what to do."""
    variables = {
        "PULSAR_CONNECTION": f"pulsar://127.0.0.1:{free_port()}",
        "MINION_ENGINE_PATIENCE": "0.2s",
    }
    minion = pulsar_camp.minion("true", variables=variables)
    assert minion.code() == 69, minion.err
    assert "cannot be reached" in minion.err
    assert "Traceback" not in minion.err


def test_a_minion_that_was_killed_is_replaced_at_once(pulsar_camp):
    """Its connection is its lease: another one runs its tasks with no wait, and its children are ended first."""
    gate = pulsar_camp.gate()
    pulsar_camp.put("n=1..4")
    script = pulsar_camp.script("wait", f'{NOTE}; [ -e "$CAMP/open" ] || read _ < "$CAMP/gate"')
    victim = pulsar_camp.minion("-j", "2", script, "{n}")
    wait_until(lambda: len(pulsar_camp.runs()) == 2, lambda: f"two children have started: {victim.err}")
    victim.kill()
    pulsar_camp.is_empty()
    (pulsar_camp.path / "open").write_text("")
    heir = pulsar_camp.minion("-j", "2", script, "{n}")
    assert heir.code() == 0, heir.err
    assert sorted(set(pulsar_camp.runs())) == ["1", "2", "3", "4"]
    assert len(pulsar_camp.runs()) == 6
    gate.open()


def test_a_minion_that_is_stopped_gives_back_at_once(pulsar_camp):
    """After a SIGTERM another one has its tasks, at the same attempt; the exit code says which signal it was."""
    gate = pulsar_camp.gate()
    pulsar_camp.put("n=1..2")
    script = pulsar_camp.script("wait", 'echo "$1 $MINION_ATTEMPT" >> "$CAMP/ran"; exec sleep 1000 < "$CAMP/gate"')
    minion = pulsar_camp.minion("-j", "2", script, "{n}")
    wait_until(lambda: len(pulsar_camp.runs()) == 2, lambda: f"two children have started: {minion.err}")
    minion.signal(signal.SIGTERM)
    assert minion.code() == 128 + signal.SIGTERM, minion.err
    heir = pulsar_camp.minion(pulsar_camp.script("note", 'echo "$1 $MINION_ATTEMPT" >> "$CAMP/ran"'), "{n}")
    assert heir.code() == 0, heir.err
    assert sorted(pulsar_camp.runs()) == ["1 1", "1 1", "2 1", "2 1"]
    gate.open()


def test_a_restart_in_the_middle_is_borne(broken_camp):
    """Children that run through an outage are settled as done afterwards, and are not run again."""
    gate = broken_camp.gate()
    broken_camp.put("n=1..6")
    minion = broken_camp.minion("-j", "2", broken_camp.script("wait", WAIT), "{n}")
    wait_until(lambda: len(broken_camp.runs()) == 2, lambda: f"two children have started: {minion.err}")
    broken_camp.server.kill9()
    gate.open(1)
    minion.has_said("cannot be reached")
    broken_camp.server.start()
    gate.open()
    assert minion.code() == 0, minion.err
    assert sorted(broken_camp.runs()) == ["1", "2", "3", "4", "5", "6"]
    assert [word for word in ("ERROR", "terminate", "Traceback") if word in minion.err] == []


def test_a_broker_that_is_lost_and_stays_lost(broken_camp):
    """Exit code 75 once the patience is over, and no hang at the end; the child is ended with the minion."""
    gate = broken_camp.gate()
    broken_camp.put("n=1..3")
    minion = broken_camp.minion("--engine-patience", "1s", broken_camp.script("wait", WAIT), "{n}")
    wait_until(broken_camp.runs, lambda: f"a child has started: {minion.err}")
    broken_camp.server.kill9()
    gate.open(1)
    assert minion.code() == 75, minion.err
    broken_camp.is_empty()
    assert "terminate" not in minion.err
