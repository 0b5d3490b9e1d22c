"""The time a minion has: its user's word, or its job's, which may be changed while it runs."""

from __future__ import annotations

import pytest

from minionize import lifetime
from minionize.lifetime import LATEST, MARGIN, PATIENCE, SOONEST, Lifetime

FOREVER = float("inf")
JOB = {"SLURM_JOB_ID": "9"}


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self):
        """Tell what it was set to."""
        return self.now


class Answers:
    """Stands in for a scheduler: what it will answer, in turn; None: not yet."""

    def __init__(self):
        self.asked, self.dropped, self.next, self.job = 0, 0, [], JOB

    def ask(self, job):
        """Be asked about the job."""
        assert job == self.job
        self.asked += 1
        return self

    def answer(self):
        """Answer what is next."""
        return self.next.pop(0)

    def drop(self):
        """Be heard no more."""
        self.dropped += 1


@pytest.fixture
def clock():
    """Return a clock that is set by hand."""
    return Clock()


@pytest.fixture
def slurm(monkeypatch):
    """Answer in place of squeue."""
    answers = Answers()
    monkeypatch.setattr("minionize.place.grant.ask", answers.ask)
    return answers


def test_without_a_job_or_a_word_there_is_no_end(clock):
    """And nothing is ever due."""
    one = Lifetime(None, None, 5.0, clock)
    assert (one.left(), one.whole, one.watch(clock.now)) == (FOREVER, FOREVER, FOREVER)


def test_the_users_word_is_taken_as_it_is(clock, slurm):
    """Also inside a job: nobody is asked."""
    one = Lifetime(60.0, JOB, 5.0, clock)
    clock.now += 20
    assert (one.left(), one.whole) == (40.0, 60.0)
    assert one.watch(clock.now) == 1060.0
    assert slurm.asked == 0


def test_the_job_ends_sooner_by_the_grace_and_a_margin(clock, slurm):
    """So that what runs can be ended and given back before the scheduler kills; until it answers there is no end."""
    one = Lifetime(None, JOB, 10.0, clock)
    one.watch(clock.now)
    assert (slurm.asked, one.left()) == (1, FOREVER)
    slurm.next = [None, "10:00 20:00\n"]
    one.watch(clock.now)
    assert one.left() == FOREVER
    clock.now += 1
    one.watch(clock.now)
    assert one.left() == 600 - 10 - MARGIN
    assert one.whole == 1200 - 10 - MARGIN
    assert slurm.dropped == 1


def test_a_very_short_job_is_not_all_reserve(clock, slurm):
    """A quarter of it at the most."""
    one = Lifetime(None, JOB, 100.0, clock)
    slurm.next = ["1:00 1:00"]
    one.watch(clock.now)
    one.watch(clock.now)
    assert one.left() == 45


def test_the_scheduler_is_asked_again_when_half_the_time_is_over(clock, slurm):
    """Limits are changed now and then: both ways."""
    one = Lifetime(None, JOB, 5.0, clock)
    slurm.next = ["5:10 1:00:00", "1:10 1:00:00", "20:10 1:00:00"]
    one.watch(clock.now)
    due = one.watch(clock.now)
    assert (one.left(), due) == (300, clock.now + 150)
    clock.now = due
    one.watch(clock.now)
    due = one.watch(clock.now)
    assert (slurm.asked, one.left(), due) == (2, 60, clock.now + SOONEST)
    clock.now = due
    one.watch(clock.now)
    assert one.watch(clock.now) == clock.now + LATEST
    assert (slurm.asked, one.left()) == (3, 1200)


def test_a_scheduler_that_does_not_answer_changes_nothing(clock, slurm):
    """It is asked again; what is known stays."""
    one = Lifetime(None, JOB, 5.0, clock)

    def asks_and_hears(answer):
        slurm.next = [answer]
        one.watch(clock.now)
        return one.watch(clock.now)

    assert asks_and_hears(None) == clock.now + PATIENCE
    clock.now += PATIENCE
    slurm.next = [None]
    assert one.watch(clock.now) == clock.now + SOONEST
    assert (slurm.dropped, one.left()) == (1, FOREVER)
    clock.now += SOONEST
    assert asks_and_hears("") == clock.now + SOONEST
    clock.now += SOONEST
    assert asks_and_hears("5:10 5:10") == clock.now + 150
    clock.now += 150
    asks_and_hears("slurm_load_jobs error: Unable to contact slurm controller")
    assert (slurm.asked, one.left()) == (4, 150)


def test_after_a_pause_the_scheduler_is_asked_before_anything_is_stopped(clock, slurm):
    """While a job is suspended its time stands still, and ours does not."""
    one = Lifetime(None, JOB, 5.0, clock)
    slurm.next = ["5:10 5:10", "4:10 5:10", "", "bad"]
    one.watch(clock.now)
    one.watch(clock.now)
    clock.now += 1000
    one.renew()
    assert one.left() == FOREVER
    one.watch(clock.now)
    one.watch(clock.now)
    assert one.left() == 240
    one.renew()
    one.watch(clock.now)
    one.watch(clock.now)
    assert one.left() == 240


def test_a_question_without_an_answer_ends_with_the_minion(clock, slurm):
    """Its command is not left behind."""
    one = Lifetime(None, JOB, 5.0, clock)
    one.watch(clock.now)
    one.close()
    one.close()
    assert slurm.dropped == 1


def test_the_environment_of_the_job_is_believed_first(clock, monkeypatch):
    """Where it tells: then the first question is due when half the time is over."""
    from minionize.place.grant import Grant

    monkeypatch.setattr("minionize.place.grant.granted", lambda job: Grant(110.0, 210.0))
    one = lifetime.Lifetime(None, JOB, 5.0, clock)
    assert (one.left(), one.whole, one.watch(clock.now)) == (100, 200, clock.now + 50)


def test_what_was_asked_before_a_pause_is_not_heard_after_it(clock, slurm):
    """Neither its answer nor its silence says how long the job lasts now."""
    one = Lifetime(None, JOB, 5.0, clock)
    slurm.next = ["5:10 5:10", None, "4:10 5:10"]
    one.watch(clock.now)
    one.watch(clock.now)
    clock.now += 150
    one.watch(clock.now)  # asks again
    one.watch(clock.now)  # and has no answer yet
    clock.now += 1000
    one.renew()
    assert one.left() == FOREVER
    one.watch(clock.now)  # asks anew
    assert one.left() == FOREVER
    one.watch(clock.now)
    assert one.left() == 250 - 5 - MARGIN


def test_an_end_that_is_over_already_is_asked_about(clock, slurm):
    """The environment tells what was granted when the job began; it may have been given more since."""
    over = {**JOB, "SLURM_JOB_END_TIME": "1000", "SLURM_JOB_START_TIME": "400"}
    slurm.job = over
    slurm.next = ["30:00 40:00"]
    one = Lifetime(None, over, 5.0, clock)
    assert one.left() == FOREVER
    one.watch(clock.now)
    one.watch(clock.now)
    assert one.left() == 1800 - 5 - MARGIN
