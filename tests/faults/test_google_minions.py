"""Real ``minionize`` processes on a Pub/Sub emulator: killed, cut off, idle, and what their exit codes say."""

from __future__ import annotations

import signal

import pytest
from google_queue import Queue
from harness import wait_until
from servers import pubsub_server

#: What children do: note their param, a line in one piece.
NOTE = 'echo "$1" >> "$CAMP/ran"'
#: What they do where a test lets them end.
WAIT = f'{NOTE}; read _ < "$CAMP/gate"'


@pytest.fixture
def server():
    """Give an emulator that the test may break."""
    with pubsub_server.PubsubServer() as server:
        yield server


def settle_in(camp, queue, **options):
    """Let a camp use a queue; its minions do not stay long when there is nothing to do, nor is anything held for long."""
    queue.make(ack_deadline_seconds=2, **options)
    variables = {"MINION_IDLE_TIMEOUT": "4s", "MINION_LEASE": "2s"}
    camp.environment |= queue.server.environment(queue.address.topic_id) | variables
    return camp


@pytest.fixture
def google_camp(camp):
    """Give a camp whose queue is on the emulator that tests share."""
    queue = Queue()
    yield settle_in(camp, queue)
    queue.close()


@pytest.fixture
def frail_camp(camp, server):
    """Give a camp whose queue is on an emulator that the test may break."""
    return settle_in(camp, Queue(server))


def outcomes(camp):
    """Count how executions ended."""
    found = [event["outcome"] for event in camp.events()]
    return {outcome: found.count(outcome) for outcome in found}


# ---------------------------------------------------------------------- as with any engine


def test_a_first_try_works_as_with_any_engine(google_camp):
    """Put, run: the commands are the same. Nobody can see that nothing is left, so it leaves when idle, and says so."""
    google_camp.put("n=1..20")
    minion = google_camp.minion("-j", "2", google_camp.script("note", NOTE), "{n}")
    assert minion.code() == 0, minion.err
    assert sorted(map(int, google_camp.runs())) == list(range(1, 21))
    assert google_camp.environment["GOOGLE_TOPIC_ID"] in minion.err
    assert [event["reason"] for event in google_camp.events("minion_stop")] == ["idle"]
    assert "this queue cannot tell whether anything is left" in minion.err


def test_a_failing_param_is_tried_again_and_then_a_dead_letter(google_camp):
    """Attempts are counted though the subscription counts none; the letter is listed with its reason and can be retried."""
    google_camp.put("n=1..2")
    script = google_camp.script("fail", f'{NOTE}; test "$1" = 1 || {{ echo no luck >&2; exit 3; }}')
    minion = google_camp.minion("--max-attempts", "3", script, "{n}")
    assert minion.code() == 1, minion.err
    assert sorted(google_camp.runs()) == ["1", "2", "2", "2"]
    listing = google_camp.queue("list", "--state", "dead")
    assert listing.code() == 0, listing.err
    assert '{"n":2}' in listing.out.replace(" ", "")
    retry = google_camp.queue("retry", "--all")
    assert retry.code() == 0, retry.err
    again = google_camp.minion(google_camp.script("note", NOTE), "{n}")
    assert again.code() == 0, again.err
    assert sorted(google_camp.runs()) == ["1", "2", "2", "2", "2"]


def test_nobody_says_that_the_queue_is_empty(google_camp):
    """It cannot be known, so neither the doctor nor the books do."""
    google_camp.put("n=1..3")
    doctor = google_camp.minion("--doctor")
    assert doctor.code() == 0, doctor.err
    assert "it cannot tell what is in it" in doctor.out
    assert "empty" not in doctor.out
    show = google_camp.queue("show")
    assert show.code() == 0, show.err
    assert show.out.count("unknown") == 5


def test_queues_are_copied_from_and_to_it(google_camp):
    """Between two topics, too: each has a subscription of its name, where none is named."""
    del google_camp.environment["GOOGLE_SUBSCRIPTION"]
    topic = google_camp.environment["GOOGLE_TOPIC_ID"]
    put = google_camp.queue("put", "n=1..30", variables={"MINION_ENGINE": "sqlite", "SQLITE_PATH": "a.db"})
    assert put.code() == 0, put.err
    for giver, taker in (("sqlite:a.db", f"google:{topic}"), (f"google:{topic}", f"google:{topic}-b")):
        copy = google_camp.queue("copy", "--from", giver, "--to", taker)
        assert copy.code() == 0, copy.err
        assert "30 moved" in copy.out
    copy = google_camp.queue("copy", "--from", f"google:{topic}-b", "--to", "sqlite:b.db")
    assert copy.code() == 0, copy.err
    minion = google_camp.minion(
        google_camp.script("note", NOTE), "{n}", variables={"MINION_ENGINE": "sqlite", "SQLITE_PATH": "b.db"}
    )
    assert minion.code() == 0, minion.err
    assert sorted(map(int, google_camp.runs())) == list(range(1, 31))
    server = pubsub_server.shared()
    server.delete(server.address(f"{topic}-b"))


def test_a_delay_that_a_minion_set_keeps_it_beyond_its_idle_timeout(google_camp):
    """It stays until the param that it gave back is due, and runs it."""
    google_camp.put("n=1")
    script = google_camp.script("again", f'{NOTE}; test "$(wc -l < "$CAMP/ran")" = 2 || exit 75')
    minion = google_camp.minion(
        *("--requeue-on", "75", "--backoff", "12s", "--idle-timeout", "2s", script, "{n}"),
    )
    assert minion.code() == 0, minion.err
    assert google_camp.runs() == ["1", "1"]


def test_a_param_that_is_too_large_is_refused_and_nothing_is_put(google_camp):
    """Exit code 2, with the size that Pub/Sub takes."""
    (google_camp.path / "params").write_text("small\n" + "x" * 10_000_000 + "\n")
    put = google_camp.queue("put", "-f", "params")
    assert put.code() == 2, put.err
    assert "9983616" in put.err
    minion = google_camp.minion("--idle-timeout", "0.5s", google_camp.script("note", NOTE))
    assert minion.code() == 0, minion.err
    assert google_camp.runs() == []


# ---------------------------------------------------------------------- outages


def test_a_server_that_is_not_there_at_start(google_camp):
    """Exit code 69, with what to do."""
    minion = google_camp.minion("true", variables={"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"})
    assert minion.code() == 69, minion.err
    assert "127.0.0.1:1 cannot be reached" in minion.err
    assert "Is it running?" in minion.err
    assert "Traceback" not in minion.err


def test_a_server_that_is_lost_and_stays_lost(frail_camp, server):
    """Exit code 75 once the patience is over; the child is ended with the minion."""
    frail_camp.gate()
    frail_camp.put("n=1..3")
    minion = frail_camp.minion("--engine-patience", "0.5s", frail_camp.script("wait", WAIT), "{n}")
    wait_until(frail_camp.runs, "a child has started")
    server.kill9()
    assert minion.code() == 75, minion.err
    frail_camp.is_empty()


def test_a_server_that_restarts_empty_is_an_error_and_not_the_end_of_the_work(frail_camp, server):
    """Exit code 2: the queue is gone, with all params in it. Nobody says that all is done, nor waits for ever."""
    frail_camp.gate()
    frail_camp.put("n=1..4")
    minion = frail_camp.minion("-j", "2", frail_camp.script("wait", WAIT), "{n}")
    wait_until(lambda: len(frail_camp.runs()) == 2, "two children have started")
    server.restart()
    assert minion.code() == 2, minion.err
    assert "is gone, with all params in it" in minion.err
    assert "Traceback" not in minion.err
    frail_camp.is_empty()


def test_a_server_that_freezes_for_a_while_is_waited_for(frail_camp, server):
    """What runs goes on, and is settled when it answers again: nothing is run twice."""
    gate = frail_camp.gate()
    frail_camp.put("n=1..4")
    script = frail_camp.script("wait", WAIT)
    options = ("-j", "2", "--lease", "60s", "--idle-timeout", "60s", "--max-tasks", "4")
    minion = frail_camp.minion(*options, script, "{n}")
    wait_until(lambda: len(frail_camp.runs()) == 2, "two children have started")
    server.freeze()
    gate.open(2)
    minion.has_said("does not answer")
    server.thaw()
    gate.open()
    assert minion.code() == 99, minion.err
    assert sorted(frail_camp.runs()) == ["1", "2", "3", "4"]
    assert outcomes(frail_camp) == {"done": 4}


# ---------------------------------------------------------------------- minions that vanish


def test_what_a_killed_minion_held_is_run_by_another_one(google_camp):
    """When its lease has ended; its children were ended with it."""
    google_camp.gate()
    google_camp.put("n=1..2")
    victim = google_camp.minion("-j", "2", google_camp.script("wait", WAIT), "{n}")
    wait_until(lambda: len(google_camp.runs()) == 2, "two children have started")
    victim.signal(signal.SIGKILL)
    heir = google_camp.minion(google_camp.script("note", NOTE), "{n}")
    assert heir.code() == 0, heir.err
    assert sorted(google_camp.runs()) == ["1", "1", "2", "2"]
    google_camp.is_empty()


def test_what_a_stopped_minion_held_is_run_at_once_and_not_charged(google_camp):
    """SIGTERM gives it back: the next one gets it at its first attempt, long before a lease would have ended."""
    google_camp.gate()
    google_camp.put("n=1")
    variables = {"MINION_LEASE": "600s"}
    first = google_camp.minion(google_camp.script("wait", WAIT), "{n}", variables=variables)
    wait_until(google_camp.runs, "the child has started")
    first.signal(signal.SIGTERM)
    assert first.code() == 128 + signal.SIGTERM, first.err
    script = google_camp.script("attempt", 'echo "$MINION_ATTEMPT" >> "$CAMP/ran"')
    second = google_camp.minion(script, "{n}", variables=variables)
    assert second.code() == 0, second.err
    assert google_camp.runs() == ["1", "1"]


def test_a_suspended_minion_finds_out_that_another_one_took_over(google_camp):
    """With a subscription that delivers exactly once its late ack is refused: its task is lost, and was done once."""
    queue = Queue()
    settle_in(google_camp, queue, enable_exactly_once_delivery=True)
    gate = google_camp.gate()
    google_camp.put("n=1")
    first = google_camp.minion(google_camp.script("wait", WAIT), "{n}")
    wait_until(google_camp.runs, "the child has started")
    first.signal(signal.SIGSTOP)
    second = google_camp.minion(google_camp.script("note", NOTE), "{n}")
    assert second.code() == 0, second.err
    gate.open()
    first.signal(signal.SIGCONT)
    assert first.code() == 0, first.err
    assert outcomes(google_camp)["lost"] == 1
    assert [event["outcome"] for event in google_camp.events()].count("done") >= 1
    queue.close()


def test_minions_that_are_killed_over_and_over_lose_nothing(google_camp):
    """Three minions share 200 params while one after another is killed: all are run, those of the killed perhaps twice."""
    google_camp.put("n=1..200")
    command = ("-j", "2", google_camp.script("note", NOTE), "{n}")
    minions = [google_camp.minion(*command) for _ in range(3)]
    for count in (20, 60, 100):
        wait_until(lambda count=count: len(google_camp.runs()) >= count, f"{count} params were run")
        victim = minions.pop(0)
        victim.signal(signal.SIGKILL)
        minions.append(google_camp.minion(*command))
    for minion in minions:
        assert minion.code() == 0, minion.err
    assert {int(run) for run in google_camp.runs()} == set(range(1, 201))
    google_camp.is_empty()
