"""The model: events joined with the books of the queue."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from status_events import NOW, Minion, books, read

from minionize.model import Control, Counts, Entry, Failure
from minionize.status.build import build


def _codes(status):
    return [warning.code for warning in status.warnings]


def test_the_books_count_params_and_the_events_executions(tmp_path):
    """One param that failed twice and was done is one done, three executions."""
    Minion(tmp_path).ends("a", "failed", exit=1).ends("a", "failed", exit=1, delivery=2).ends("a", delivery=3)
    status = build(read(tmp_path), books(pending=2, done=1), NOW)
    assert status.counts[:10] == ("queue", 3, 2, 0, 0, 1, 0, 0, 0, 3)
    assert status.counts.success_rate == 1.0
    assert (status.durations.done.n, status.durations.failed.n) == (1, 2)
    assert status.warnings == ()


def test_without_a_queue_there_are_counts_but_no_total(tmp_path):
    """Nothing is invented: no total, no pending, no estimate."""
    minion = Minion(tmp_path)
    for n in range(20):
        minion.ends(f"t{n}", ago=n)
    minion.ends("x", "failed", exit=1, dead=True)
    status = build(read(tmp_path), None, NOW)
    assert (status.counts.source, status.counts.total, status.counts.pending, status.eta) == (
        "events",
        None,
        None,
        None,
    )
    assert (status.counts.done, status.counts.dead) == (20, 1)
    assert status.run.state == "running"


def test_a_task_that_was_done_twice_is_one_task(tmp_path):
    """A minion that vanished between its event and its settlement, or a queue that knows no ids, makes two executions of it."""
    Minion(tmp_path, "one").ends("a").ends("b")
    Minion(tmp_path, "two").ends("a", delivery=2).stops()
    assert build(read(tmp_path), None, NOW).counts.done == 2
    broker = Counts(pending=0, delayed=0, leased=0, done=None, dead=0)
    status = build(read(tmp_path), books()._replace(counts=broker), NOW)
    assert (status.counts.done, status.counts.total, status.durations.done.n) == (2, 2, 3)
    assert build(read(tmp_path), books(done=2), NOW).warnings == ()


def test_a_queue_without_events_shows_its_counts(tmp_path):
    """It waits for a minion, unless somebody holds something already."""
    status = build(read(tmp_path), books(pending=5), NOW)
    assert (status.run.state, status.counts.total, status.run.elapsed) == ("waiting", 5, None)
    held = Entry("a", "1", "leased", 1, 1, minion="silent", since=NOW - 4)
    status = build(read(tmp_path), books(pending=4, leased=1)._replace(leased=(held,)), NOW)
    assert (status.run.state, status.in_flight[0].age) == ("running", 4.0)


def test_a_run_is_finished_when_nothing_is_left(tmp_path):
    """Its numbers are for the moment of its last event, whenever one looks."""
    Minion(tmp_path, ago=600).ends("a", ago=500).stops(ago=440).beats(ago=440)
    status = build(read(tmp_path), books(done=1), NOW + 86400)
    assert (status.run.state, status.run.now, status.run.elapsed) == ("finished", NOW - 500, 100.0)


def test_a_minion_is_lost_by_the_clock_of_the_files(tmp_path):
    """Not by ours: a login node whose clock is wrong must not declare everybody dead."""
    Minion(tmp_path, "alive").beats(ago=0)
    Minion(tmp_path, "dead").beats(ago=31)
    Minion(tmp_path, "gone").stops().beats(ago=300)
    Minion(tmp_path, "slow").beats(ago=29)
    for clock in (NOW, NOW + 50, NOW - 7200):
        states = {minion.uid: minion.state for minion in build(read(tmp_path), books(pending=1), clock).minions}
        assert states == {"alive": "idle", "dead": "lost", "gone": "ended", "slow": "idle"}


def test_a_minion_whose_last_short_task_ended_just_now_is_busy(tmp_path):
    """Short tasks are told at their end only: between two of them it is not idle."""
    Minion(tmp_path, "quick").ends("a", ago=1).beats(ago=0)
    Minion(tmp_path, "done").ends("b", ago=9).beats(ago=0)
    states = {minion.uid: minion.state for minion in build(read(tmp_path), books(pending=1), NOW).minions}
    assert states == {"quick": "busy", "done": "idle"}


def test_a_run_whose_minions_are_all_silent_is_stalled(tmp_path):
    """It says since when."""
    Minion(tmp_path, ago=900).starts("a", ago=800).beats(ago=720)
    status = build(read(tmp_path), books(pending=3, leased=1), NOW)
    assert (status.run.state, status.run.still, status.eta) == ("stalled", 720.0, None)
    assert (status.counts.lost, status.counts.in_flight) == (1, 0)
    assert _codes(status) == ["lost"]
    assert status.warnings[0].command == "minion-queue release --lost"


def test_a_run_whose_minions_left_with_work_undone_is_stalled(tmp_path):
    """A drain, for one."""
    Minion(tmp_path).stops("drain", ago=100).beats(ago=100)
    assert build(read(tmp_path), books(pending=3), NOW).run.state == "stalled"
    assert build(read(tmp_path), None, NOW).run.state == "stalled"


def test_without_a_queue_the_last_minion_tells_whether_the_run_is_over(tmp_path):
    """It left because all was settled."""
    Minion(tmp_path, "m1").stops("drain", ago=100)
    Minion(tmp_path, "m2").ends("a", ago=60).stops("settled", ago=50)
    assert build(read(tmp_path), None, NOW).run.state == "finished"


def test_without_a_queue_a_minion_that_vanished_does_not_keep_the_run_from_being_over(tmp_path):
    """One that leaves because all is settled has seen that nobody held anything; one that vanished later may have."""
    Minion(tmp_path, "m1").starts("a", ago=90).beats(ago=80)
    Minion(tmp_path, "m2").ends("a", ago=60, delivery=2).stops("settled", ago=50).beats(ago=50)
    assert build(read(tmp_path), None, NOW + 3600).run.state == "finished"
    Minion(tmp_path, "m3", ago=40).starts("b", ago=30).beats(ago=30)
    assert build(read(tmp_path), None, NOW + 3600).run.state == "stalled"


def test_what_is_held_is_what_the_queue_leased(tmp_path):
    """A task that is announced runs since then; one that is not has just begun, or waits for a slot."""
    Minion(tmp_path, "m1").starts("a", ago=30).starts("old", ago=99)
    Minion(tmp_path, "m2").starts("b", ago=90).beats(ago=60)
    leased = (
        Entry("a", '{"x": 0.10}', "leased", 1, 1, minion="m1", host="h", since=NOW - 31),
        Entry("b", "2", "leased", 1, 1, minion="m2", host="h", since=NOW - 91),
        Entry("c", "3", "leased", 2, 4, minion="m1", host="h", since=NOW - 0.5),
    )
    status = build(read(tmp_path), books(leased=3)._replace(leased=leased), NOW)
    assert [(t.id, t.age, t.state) for t in status.in_flight] == [
        ("b", 90.0, "lost"),
        ("a", 30.0, "running"),
        ("c", 0.5, "held"),
    ]
    assert (status.counts.in_flight, status.counts.lost) == (2, 1)


def test_a_start_that_another_minion_took_over_is_not_in_flight(tmp_path):
    """The minion that vanished never wrote its end."""
    Minion(tmp_path, "m1").starts("a", ago=90).starts("b", ago=90).starts("c", ago=80).beats(ago=60)
    Minion(tmp_path, "m2").ends("a", delivery=2).starts("b", ago=5, delivery=2)
    status = build(read(tmp_path), None, NOW)
    assert [(t.id, t.minion, t.state) for t in status.in_flight] == [("c", "m1", "lost"), ("b", "m2", "running")]


def test_stragglers_run_longer_than_nearly_all(tmp_path):
    """Longer than the p99 and three medians of those done, from 20 on."""
    minion = Minion(tmp_path, slots=2)
    for n in range(19):
        minion.ends(f"t{n}", took=10.0)
    minion.starts("slow", ago=31).starts("normal", ago=29)
    status = build(read(tmp_path), None, NOW)
    assert (status.straggler_after, {t.state for t in status.in_flight}) == (None, {"running"})
    minion.ends("t19", took=10.0)
    status = build(read(tmp_path), None, NOW)
    assert status.straggler_after == 30.0
    assert [(t.id, t.times_p50, t.state) for t in status.in_flight] == [
        ("slow", 3.1, "straggler"),
        ("normal", 2.9, "running"),
    ]
    assert status.warnings[0].facts == {"count": 1, "oldest_s": 31.0}


def test_failures_are_of_tasks_whose_last_execution_failed(tmp_path):
    """One that was done later is no failure; one that failed twice counts once."""
    Minion(tmp_path, "m1").ends("a", "failed", exit=3).ends("b", "failed", exit=3).ends(
        "b", "failed", exit=3, delivery=2
    )
    Minion(tmp_path, "m0").ends("a", delivery=2).ends("c", "timeout", reason="timeout after 5m", dead=True)
    status = build(read(tmp_path), books(delayed=1, done=1, dead=1), NOW)
    assert [(g.cause.kind, [t.id for t in g.tasks]) for g in status.failures] == [("exit", ["b"]), ("timeout", ["c"])]


def test_failures_of_one_cause_are_one_group(tmp_path):
    """With its share, its hosts, its first and last."""
    here, there = Minion(tmp_path, "m1", host="bad"), Minion(tmp_path, "m2", host="good")
    for n in range(9):
        here.ends(f"a{n}", "failed", exit=3, stderr=f"cannot open m_{n}.bin\n", ago=100 - n, dead=True)
    there.ends("b", "failed", exit=3, stderr="cannot open m_99.bin\n", ago=200, dead=True)
    there.ends("c", "failed", signal=9, ago=3, dead=True)
    group, other = build(read(tmp_path), None, NOW).failures
    assert (group.number, group.size, group.hosts, group.top_host, group.top_share) == (1, 10, 2, "bad", 0.9)
    assert (group.first, group.last, group.tasks[0].id) == (NOW - 200, NOW - 92, "a8")
    assert group.share + other.share == pytest.approx(1.0)


def test_the_queue_knows_dead_letters_that_no_minion_reported(tmp_path):
    """A crash has no event; and what was put back since is dead no more."""
    Minion(tmp_path).ends("a", "failed", exit=3, dead=True)
    crashed = Entry("b", '{"x": 1}', "dead", 1, 5, failure=Failure("crash", "its minion vanished 5 times", at=NOW - 9))
    status = build(read(tmp_path), books(pending=1, dead=1)._replace(dead=(crashed,)), NOW)
    assert [(g.cause.kind, g.tasks[0].id) for g in status.failures] == [("crash", "b")]


def test_a_lost_execution_is_neither_done_nor_failed(tmp_path):
    """And what it replaced counts no more."""
    Minion(tmp_path).ends("a").ends("a", "lost").ends("b", "failed", exit=1).ends("b", "cancelled")
    status = build(read(tmp_path), None, NOW)
    assert (status.counts.done, status.counts.executions, status.failures, status.durations.failed) == (0, 2, (), None)


def test_events_of_another_queue_are_told_apart(tmp_path):
    """Ids may be the same: they are made of the param."""
    Minion(tmp_path, "old", queue="q0").ends("a", "failed", exit=1, dead=True).ends("z").starts("s", ago=5)
    Minion(tmp_path, "new").ends("a")
    status = build(read(tmp_path), books(done=1), NOW)
    assert (status.counts.executions, status.failures, status.in_flight) == (1, (), ())
    assert [m.uid for m in status.minions] == ["new"]
    assert [(w.code, w.facts) for w in status.warnings] == [("other_queue", {"executions": 2})]


def test_without_a_queue_the_newest_run_is_shown(tmp_path):
    """The other one is named in a warning."""
    Minion(tmp_path, "old", queue="q0", ago=9000).ends("a")
    Minion(tmp_path, "new", ago=100).ends("b").ends("c")
    status = build(read(tmp_path), None, NOW)
    assert (status.run.queue, status.counts.done, _codes(status)) == ("q1", 2, ["other_queue"])


def test_books_that_differ_from_the_events_are_never_hidden(tmp_path):
    """More done in the queue: some report elsewhere. More in the events, at the end: the queue was changed."""
    Minion(tmp_path).ends("a").ends("b")
    assert _codes(build(read(tmp_path), books(done=3), NOW)) == ["books"]
    assert _codes(build(read(tmp_path), books(done=1), NOW)) == ["books"]
    assert _codes(build(read(tmp_path), books(done=1, pending=1), NOW)) == []
    assert _codes(build(read(tmp_path), books(done=3)._replace(exact=False), NOW)) == []


def test_what_the_queue_has_and_no_event_tells_of_is_said(tmp_path):
    """Dead letters and held tasks of minions that report elsewhere; a crash has no event, so that is none of them."""
    Minion(tmp_path).ends("a")
    dead = [
        Entry("b", "1", "dead", 3, 3, failure=Failure("exit", "exit 1", exit=1)),
        Entry("c", "1", "dead", 1, 5, failure=Failure("crash", "its minion vanished 5 times")),
    ]
    held = [
        Entry("d", "1", "leased", 1, 1, minion="silent", host="h", since=NOW - 4),
        Entry("e", "1", "leased", 1, 1, minion="c69d4bd8aaaa", host="h", since=NOW - 4),
    ]
    counts = books(leased=2, done=4, dead=2)._replace(leased=tuple(held), dead=tuple(dead))
    (warning,) = build(read(tmp_path), counts, NOW).warnings
    assert warning.text == "3 done, 1 dead, 1 held in the queue, but in no event: some minions report elsewhere"
    assert warning.facts == {"queue_done": 4, "events_done": 1, "dead_untold": 1, "held_untold": 1}


def test_a_queue_without_any_event_says_where_its_story_is(tmp_path):
    """Done, but not told here."""
    (warning,) = build(read(tmp_path), books(done=2), NOW).warnings
    assert (warning.code, warning.text[:25]) == ("books", "2 done in the queue, but ")


def test_notes_of_the_engine_are_shown(tmp_path):
    """Such as that it lost its data."""
    status = build(read(tmp_path), books(notes=("The server lost this queue's data.",)), NOW)
    assert [(w.code, w.text) for w in status.warnings] == [("note", "The server lost this queue's data.")]


def test_unknown_counts_stay_unknown(tmp_path):
    """An engine that knows only what is pending gives no total, hence no estimate; what is done the events tell."""
    Minion(tmp_path).ends("a")
    status = build(read(tmp_path), books()._replace(counts=Counts(pending=4)), NOW)
    assert (status.counts.total, status.counts.pending, status.counts.done, status.eta) == (None, 4, 1, None)


def test_a_bad_node_is_named(tmp_path):
    """With its rate and the others'."""
    bad, good = Minion(tmp_path, "m1", host="bad"), Minion(tmp_path, "m2", host="good")
    for n in range(30):
        bad.ends(f"a{n}", "failed" if n % 3 == 0 else "done", exit=1, took=4.0)
        good.ends(f"b{n}", took=2.0)
    status = build(read(tmp_path), None, NOW)
    assert [(node.host, node.bad, node.p50, node.times_fleet) for node in status.nodes] == [
        ("bad", True, 4.0, 2.0),
        ("good", False, 2.0, 1.0),
    ]
    assert [w.facts["fail_rate"] for w in status.warnings] == [pytest.approx(1 / 3)]


def test_a_node_that_a_minion_left_because_of_it_is_named(tmp_path):
    """It has seen less there than statistics ask for; and one success on it says that it was not the node."""
    for uid in ("bad", "good"):
        for n in range(10):
            Minion(tmp_path, uid, host=uid).ends(f"{uid}{n}", "failed" if uid == "bad" else "done", exit=127)
    assert not any(node.bad for node in build(read(tmp_path), None, NOW).nodes)
    Minion(tmp_path, "bad", host="bad").stops("bad_host")
    assert [(node.host, node.bad) for node in build(read(tmp_path), None, NOW).nodes] == [
        ("bad", True),
        ("good", False),
    ]
    Minion(tmp_path, "later", host="bad").ends("c")
    assert not any(node.bad for node in build(read(tmp_path), None, NOW).nodes)


def test_a_drained_queue_is_said_so(tmp_path):
    """Who, and how to take it back."""
    status = build(read(tmp_path), books(pending=1, drained=Control("ana@login", NOW - 300)), NOW)
    assert [(w.code, w.text, w.command) for w in status.warnings] == [
        ("drained", "drained by ana@login 5m ago: minions leave", "minion-queue resume")
    ]


def test_events_from_the_future_do_not_move_the_clock(tmp_path):
    """They are counted and warned of."""
    Minion(tmp_path).ends("a", ago=10).ends("b", ago=-1e8)
    status = build(read(tmp_path), books(pending=1, done=2), NOW)
    assert (status.run.now, _codes(status)) == (NOW, ["future"])
    Minion(tmp_path, "ahead").ends("c", ago=-120)
    assert build(read(tmp_path), books(pending=1, done=3), NOW).run.now == NOW + 120


def test_tasks_that_are_tried_again_make_the_end_later(tmp_path):
    """Each was tried twice so far: so will what waits be."""
    minion = Minion(tmp_path, ago=1000)
    for n in range(40):
        minion.ends(f"t{n // 2}", "done" if n % 2 else "failed", delivery=n % 2 + 1, took=10.0, ago=400 - 10 * n)
    minion.starts("now", ago=5)
    often = build(read(tmp_path), books(pending=10, leased=1, done=20), NOW).eta
    once = Minion(tmp_path / "once", ago=1000)
    for n in range(40):
        once.ends(f"t{n}", took=10.0, ago=400 - 10 * n)
    once.starts("now", ago=5)
    seldom = build(read(tmp_path / "once"), books(pending=10, leased=1, done=40), NOW).eta
    assert often.seconds - seldom.seconds == pytest.approx(10 * seldom.seconds / 10.5, rel=0.05)


def test_the_share_of_time_a_minion_was_busy(tmp_path):
    """Seconds inside executions, those that run included, per slot and second up."""
    Minion(tmp_path, ago=100, slots=2).ends("a", took=60.0).starts("b", ago=40)
    status = build(read(tmp_path), None, NOW)
    assert [(m.state, m.running, m.busy_share) for m in status.minions] == [("busy", 1, 0.5)]


def test_the_end_is_estimated_from_what_runs_and_waits(tmp_path):
    """Four at once, ten seconds each, forty to go: a hundred seconds or so."""
    minion = Minion(tmp_path, ago=100, slots=4)
    for n in range(36):
        minion.ends(f"t{n}", ago=90 - n // 4 * 10 + 5, took=10.0)
    for n in range(4):
        minion.starts(f"r{n}", ago=5)
    status = build(read(tmp_path), books(pending=40, leased=4, done=36), NOW)
    assert status.eta.seconds == pytest.approx(105, rel=0.1)
    assert status.eta.at == NOW + status.eta.seconds


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_numbers_do_not_depend_on_how_events_are_spread_over_minions(tmp_path_factory, minions, chance):
    """The original's were wrong as soon as there were two."""
    rows = [(f"t{n}", random.Random(n).choice(["done", "failed", "timeout"]), 1 + n % 7, float(n)) for n in range(60)]
    one, many = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("many")
    alone = Minion(one, "m")
    team = [Minion(many, f"m{n}") for n in range(minions)]
    for id, outcome, took, ago in rows:
        fields = {"took": took, "ago": ago, "exit": None if outcome == "done" else 3, "dead": outcome != "done"}
        alone.ends(id, outcome, **fields)
        chance.choice(team).ends(id, outcome, **fields)
    first, second = (build(read(where), None, NOW) for where in (one, many))
    for part in ("counts", "rates", "chart", "durations", "straggler_after"):
        assert getattr(first, part) == getattr(second, part)
    assert [(g.cause, g.size) for g in first.failures] == [(g.cause, g.size) for g in second.failures]
