"""Decisions: what an ending means, how long to wait, how many to take, when a task fits, how a minion leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import Dead, Interrupted, Retry
from minionize.model import Ack, Bury, Failure, Nack, Task
from minionize.policy import (
    AHEAD,
    BACKOFF_CAP,
    HOLD,
    Ending,
    Rules,
    Verdict,
    backoff,
    exit_code,
    failure_of,
    fits,
    is_bad_host,
    judge,
    obey,
    pause,
    uniform,
    wanted,
)

TASK = Task("id", "1", attempt=1, delivery=1)
LAST = TASK._replace(attempt=3, delivery=5)
REASONS = ["settled", "idle", "drain", "lifetime", "max_tasks", "halt", "signal", "bad_host", "engine_lost", "output"]


def top():
    """Draw the largest delay there is."""
    return 1.0


# ---------------------------------------------------------------------- what an ending means


def test_exit_0_is_done_and_keeps_the_result():
    """The task is acknowledged with what it left."""
    assert judge(TASK, Ending(exit=0, result="42"), Rules()) == Verdict("done", Ack(TASK, "42"))


def test_a_failure_is_charged_and_tried_again_after_the_backoff():
    """The failure goes with it."""
    verdict = judge(TASK, Ending(exit=7, stderr="oops"), Rules(backoff=2.0), top)
    failure = Failure("exit", "exit 7", exit=7, stderr="oops")
    assert verdict == Verdict("failed", Nack(TASK, 2.0, True, failure), failure)


def test_the_backoff_grows_with_the_attempts_not_with_the_deliveries():
    """A task that was interrupted often waits no longer for it."""
    verdict = judge(TASK._replace(attempt=2, delivery=9), Ending(exit=7), Rules(backoff=2.0), top)
    assert verdict.settlement.delay == 4.0


def test_the_last_attempt_is_the_end():
    """Then the task is a dead letter."""
    verdict = judge(LAST, Ending(signal=11), Rules(max_attempts=3))
    failure = Failure("signal", "signal 11 (segmentation fault)", signal=11)
    assert verdict == Verdict("failed", Bury(LAST, failure), failure)


def test_some_exit_codes_are_not_worth_another_attempt():
    """--dead-on: the first attempt is the last; other codes are not touched by it."""
    rules = Rules(dead_on=frozenset({64, 65}))
    assert isinstance(judge(TASK, Ending(exit=65), rules).settlement, Bury)
    assert isinstance(judge(TASK, Ending(exit=66), rules).settlement, Nack)


def test_some_exit_codes_give_the_task_back_and_cost_nothing():
    """--requeue-on: after a backoff that grows with the deliveries, be it the last attempt or not."""
    rules = Rules(backoff=1.0, requeue_on=frozenset({75}))
    verdict = judge(LAST, Ending(exit=75), rules, top)
    assert verdict.outcome == "interrupted"
    assert verdict.settlement == Nack(LAST, 16.0, False, verdict.failure)
    assert verdict.failure.exit == 75


@pytest.mark.parametrize("task", [TASK, LAST])
@pytest.mark.parametrize("how", [{"exit": 0}, {"exit": 7}, {"exit": 64}, {"signal": 15}, {"signal": 11}])
def test_what_we_stopped_to_leave_was_interrupted_whatever_it_says(task, how):
    """Given back at once, not charged, no failure: also with an exit code of 0, or one that is worth a dead letter."""
    verdict = judge(task, Ending(stopped="leaving", **how), Rules(dead_on=frozenset({64})))
    assert verdict == Verdict("interrupted", Nack(task, 0.0, charge=False))


@pytest.mark.parametrize("why", ["lost", "cancelled"])
@pytest.mark.parametrize("how", [{"exit": 0}, {"exit": 7}, {"signal": 15}])
def test_what_is_no_longer_ours_is_not_settled(why, how):
    """Nobody asks for it."""
    assert judge(TASK, Ending(stopped=why, **how), Rules()) == Verdict(why, None)


@pytest.mark.parametrize("how", [{"exit": 0}, {"exit": 75}, {"exit": 64}, {"signal": 15}, {"signal": 9}])
def test_what_took_too_long_is_charged_whatever_it_says(how):
    """A timeout counts as an attempt; codes that were set apart say nothing then."""
    rules = Rules(timeout=90.0, dead_on=frozenset({64}), requeue_on=frozenset({75}))
    verdict = judge(TASK, Ending(stopped="timeout", took=91.2, **how), rules, top)
    assert verdict.outcome == "timeout"
    assert verdict.settlement == Nack(TASK, 1.0, True, verdict.failure)
    assert (verdict.failure.kind, verdict.failure.reason) == ("timeout", "timeout after 1m30s")
    assert isinstance(judge(LAST, Ending(stopped="timeout", **how), rules).settlement, Bury)


def test_a_task_that_fits_no_lifetime_is_charged():
    """As a timeout, in its own words."""
    verdict = judge(TASK, Ending(stopped="lifetime", signal=15), Rules())
    assert (verdict.outcome, verdict.settlement.charge) == ("timeout", True)
    assert verdict.failure.reason == "timeout after a whole lifetime"


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending(exit=1), "exit 1"),
        (Ending(exit=128), "exit 128"),
        (Ending(exit=137), "exit 137 (killed; out of memory?)"),
        (Ending(exit=143), "exit 143 (terminated)"),
        (Ending(signal=6), "signal 6 (aborted)"),
        (Ending(signal=9), "signal 9 (killed; out of memory?)"),
        (Ending(signal=10), "signal 10"),
        (Ending(error="cannot start a.out: no"), "cannot start a.out: no"),
        (Ending(stopped="timeout", took=0.25), "timeout after 0.25s"),
    ],
)
def test_a_failure_is_put_into_words(ending, reason):
    """So that equal causes read alike; a shell's 128 + n is told from a code of its own."""
    assert failure_of(ending).reason == reason


# ---------------------------------------------------------------------- what a callback says


def test_a_callback_may_ask_for_another_attempt_after_a_delay_of_its_own():
    """Retry is charged; without a delay the usual backoff holds."""
    verdict = obey(TASK, Ending(exit=0), Retry("not yet", delay=60.0), Rules())
    assert (verdict.outcome, verdict.settlement) == ("failed", Nack(TASK, 60.0, True, verdict.failure))
    assert verdict.failure.reason == "not yet"
    assert 0.0 <= obey(TASK, Ending(exit=0), Retry(), Rules(backoff=2.0)).settlement.delay < 2.0


def test_a_callback_cannot_ask_for_more_attempts_than_there_are():
    """The last one stays the last."""
    verdict = obey(LAST, Ending(exit=0), Retry("not yet"), Rules(max_attempts=3))
    assert verdict.settlement == Bury(LAST, verdict.failure)


def test_a_callback_may_give_up_a_task():
    """Dead is dead at the first attempt; without words the name stands for the reason."""
    verdict = obey(TASK, Ending(exit=0), Dead(), Rules())
    assert verdict.settlement == Bury(TASK, verdict.failure)
    assert verdict.failure.reason == "Dead"


def test_a_callback_may_call_it_an_interruption():
    """Not charged, be it the last attempt or not."""
    verdict = obey(LAST, Ending(exit=1), Interrupted("no licence"), Rules(max_attempts=3))
    assert verdict.outcome == "interrupted"
    assert (verdict.settlement.charge, verdict.failure.reason) == (False, "no licence")


# ---------------------------------------------------------------------- how long, how many


@given(st.integers(1, 10_000), st.floats(0.0, 1e6), st.floats(0.0, 1.0, exclude_max=True))
def test_a_backoff_is_never_longer_than_its_bound_and_the_cap(attempt, base, drawn):
    """Whatever the attempt: no overflow, and nothing negative."""
    delay = backoff(attempt, base, lambda: drawn)
    assert 0.0 <= delay <= BACKOFF_CAP
    if attempt == 1:
        assert delay <= base


def test_a_backoff_doubles_up_to_five_minutes():
    """1, 2, 4, ... 300 seconds at the most, with a base of one second."""
    assert [backoff(attempt, 1.0, top) for attempt in (1, 2, 3, 9, 10, 99)] == [1.0, 2.0, 4.0, 256.0, 300.0, 300.0]


def test_no_backoff_is_none():
    """MINION_BACKOFF=0s: at once."""
    assert backoff(7, 0.0) == 0.0


def test_draws_are_spread_over_the_unit_interval():
    """From 0 to 1, 1 excluded, and not always the same."""
    draws = [uniform() for _ in range(1000)]
    assert 0.0 <= min(draws) < 0.5 < max(draws) < 1.0


def test_one_task_per_free_slot_until_durations_are_known():
    """Nobody knows whether they are short."""
    assert wanted(4, 8, None) == 4


@pytest.mark.parametrize(("free", "slots", "mean", "want"), [(0, 1, 10.0, 0), (2, 8, 10.0, 2), (1, 1, 0.01, 11)])
def test_short_tasks_are_taken_in_batches_and_long_ones_one_by_one(free, slots, mean, want):
    """What AHEAD seconds of all slots hold, and what is free."""
    assert AHEAD == 0.1
    assert wanted(free, slots, mean) == want


@given(st.integers(0, 64), st.integers(1, 64), st.floats(0.0, 1e9))
def test_a_wish_is_bounded(free, slots, mean):
    """Also for tasks that take no time at all."""
    assert min(free, HOLD) <= wanted(free, slots, mean) <= HOLD


def test_a_task_fits_where_nearly_all_so_far_would_have():
    """The 95th percentile decides: one outlier in twenty does not."""
    durations = [1.0] * 19 + [1000.0]
    assert fits(durations, 1.0)
    assert not fits(durations, 0.9)
    assert not fits([1.0] * 18 + [1000.0] * 2, 1.0)


def test_an_unknown_duration_fits_as_long_as_there_is_time():
    """The first task has to be tried."""
    assert fits([], 0.001)
    assert not fits([], 0.0)
    assert not fits([0.0], -1.0)


# ---------------------------------------------------------------------- bad hosts


def test_the_pause_grows_while_everything_fails():
    """From the second failure in a row on, up to five seconds; a single success ends it."""
    pauses = [pause(failures, 0) for failures in range(12)]
    assert pauses[:4] == [0.0, 0.0, 0.1, 0.2]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0
    assert pause(12, 1) == 0.0


@pytest.mark.parametrize(
    ("failures", "successes", "limit", "before", "now", "bad"),
    [
        (10, 0, 10, 5, 6, True),
        (10, 0, 10, 5, 5, False),  # nobody succeeds: it is not this host
        (9, 0, 10, 5, 6, False),
        (10, 1, 10, 5, 6, False),
        (10, 0, 0, 5, 6, False),  # off
        (10, 0, 10, None, 6, False),
        (10, 0, 10, 5, None, False),
    ],
)
def test_a_host_is_bad_where_all_fails_while_others_succeed(failures, successes, limit, before, now, bad):
    """All of it, enough of it, and meanwhile the queue's done count grew."""
    assert is_bad_host(failures, successes, limit, before, now) == bad


# ---------------------------------------------------------------------- exit codes


@pytest.mark.parametrize("reason", ["settled", "idle"])
def test_a_minion_with_nothing_left_to_do_says_whether_tasks_died(reason):
    """0, or 1 where one died in its hands, unless that is to be ignored."""
    assert exit_code(reason, dead=0, left=False) == 0
    assert exit_code(reason, dead=1, left=False) == 1
    assert exit_code(reason, dead=1, left=False, ignore_failures=True) == 0


@pytest.mark.parametrize("reason", ["drain", "lifetime", "max_tasks"])
def test_a_minion_that_leaves_work_behind_asks_to_come_back(reason):
    """99, dead tasks or not; without work left it is as any other end."""
    assert exit_code(reason, dead=0, left=True) == 99
    assert exit_code(reason, dead=1, left=True) == 99
    assert exit_code(reason, dead=1, left=False) == 1
    assert exit_code(reason, dead=0, left=False) == 0


def test_a_halt_is_a_failure_though_failures_are_ignored():
    """It was asked for."""
    assert exit_code("halt", dead=1, left=True, ignore_failures=True) == 1


@pytest.mark.parametrize(("reason", "code"), [("bad_host", 71), ("engine_lost", 75), ("output", 141), ("error", 70)])
def test_some_reasons_have_a_code_of_their_own(reason, code):
    """Whatever became of the tasks."""
    assert {exit_code(reason, dead=dead, left=left) for dead in (0, 1) for left in (False, True)} == {code}


@pytest.mark.parametrize("number", [1, 2, 15])
def test_a_signal_is_told_as_shells_do(number):
    """128 + n."""
    assert exit_code("signal", dead=1, left=True, signal=number) == 128 + number


@given(st.sampled_from(REASONS), st.integers(0, 3), st.booleans(), st.booleans())
def test_no_end_but_a_good_one_is_0(reason, dead, left, ignore):
    """Where work is left on purpose or a task died, nobody mistakes it for done."""
    code = exit_code(reason, dead=dead, left=left, signal=15, ignore_failures=ignore)
    if code == 0:
        assert reason in ("settled", "idle", "drain", "lifetime", "max_tasks")
        assert not dead or ignore
        assert not left or reason in ("settled", "idle")
