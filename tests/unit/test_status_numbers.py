"""Percentiles, rates, charts, the estimate of the end, and how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.status import eta, statistics, words
from minionize.status.eta import Ended
from minionize.status.statistics import Sample


def test_percentiles_are_nearest_ranks():
    """The element numbered ceil(p * n), from 1."""
    sample = Sample([float(n) for n in range(1, 101)])
    assert [sample.percentile(p) for p in (0.5, 0.9, 0.95, 0.99)] == [50.0, 90.0, 95.0, 99.0]
    assert Sample([3.0, 1.0]).percentile(0.5) == 1.0


def test_percentiles_of_few_values_are_not_told():
    """p90 needs 10 executions, p95 20, p99 100."""
    assert Sample([1.0] * 9).duration().p90 is None
    ten = Sample([1.0] * 10).duration()
    assert (ten.p90, ten.p95, ten.p99) == (1.0, None, None)
    assert Sample([1.0] * 100).duration().p99 == 1.0
    assert Sample([]).duration() is None


def test_many_values_are_counted_in_buckets_of_two_percent(monkeypatch):
    """Beyond the exact limit a percentile is right within 1 %, zeros and all."""
    values = [0.0] * 10 + [1.001**n for n in range(5000)]
    exact = Sample(values)
    monkeypatch.setattr(statistics, "EXACT", 100)
    rough = Sample(values)
    for p in (0.1, 0.5, 0.9, 0.99, 1.0):
        assert rough.percentile(p) == pytest.approx(exact.percentile(p), rel=0.0101)
    assert rough.percentile(0.0001) == pytest.approx(0.0, abs=2e-6)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_a_value_that_was_seen(values, p):
    """At least a share p of all values is not above it."""
    found = Sample(values).percentile(p)
    assert found in values
    assert sum(v <= found for v in values) >= p * len(values) - 1e-6


def test_a_rate_counts_what_ended_in_its_window():
    """The window is open at its beginning; a run that is younger than half of it has no such rate."""
    ended = [940.0, 941.0, 1000.0, 1001.0]
    assert statistics.rate(ended, 1000.0, 60.0, 500.0) == 2 / 60
    assert statistics.rate(ended, 1000.0, 60.0, 40.0) == 2 / 40
    assert statistics.rate(ended, 1000.0, 60.0, 29.0) is None


def test_a_chart_has_at_most_sixty_whole_buckets():
    """The width is the smallest that covers the span; the bucket that is not over is left out."""
    chart = statistics.chart([100.5, 101.0, 103.9, 104.0], 100.0, 104.5)
    assert chart == statistics.Chart(100, 1, (1, 1, 0, 1))
    long = statistics.chart([], 0.0, 49 * 3600.0)
    assert long.width == 3600
    assert len(long.counts) == 49
    assert statistics.chart([100.5], 100.0, 101.5) is None


def test_a_node_is_bad_only_when_chance_does_not_explain_it():
    """Twenty executions, three times the others' rate, p < 0.001."""
    assert statistics.is_bad(17, 100, 22, 1000)
    assert not statistics.is_bad(5, 19, 0, 1000)
    assert not statistics.is_bad(5, 100, 22, 1000)
    assert not statistics.is_bad(20, 20, 0, 0)
    assert not statistics.is_bad(0, 50, 0, 50)


def test_the_estimate_of_equal_tasks_is_exact():
    """Two at once, both half way: what is spent in the window per execution, and five seconds for each in hand."""
    recent = [Ended(t, 10.0, True) for t in (10.0, 10.0, 20.0, 20.0, 30.0, 30.0)]
    found = eta.estimate(recent, [5.0, 5.0], 2, 10, 35.0)
    assert found.k == 6
    # 60 s inside what ended and 10 s inside what runs, over 6 executions.
    assert found.seconds == pytest.approx((10 * 70 / 6 + 2 * 5.0) / 2)
    assert eta.estimate(recent, [], 2, 0, 30.0).seconds == pytest.approx(5.0)


def test_the_end_is_not_before_that_of_the_longest_task():
    """With nothing queued, the task that is expected to run longest decides."""
    recent = [Ended(100.0 + n, 1.0, True) for n in range(20)] + [Ended(200.0 + n, 300.0, True) for n in range(5)]
    assert eta.estimate(recent, [10.0, 0.0], 2, 0, 300.0).seconds == pytest.approx(290.0)


def test_there_is_no_estimate_from_a_handful_of_executions():
    """Five must have ended, or half as many as run at once; interruptions do not count."""
    four = [Ended(float(t), 1.0, True) for t in range(4)]
    assert eta.estimate(four, [], 2, 10, 5.0) is None
    assert eta.estimate([*four, Ended(4.0, 1.0, False)], [], 2, 10, 5.0) is None
    assert eta.estimate([*four, Ended(4.0, 1.0, True)], [], 2, 10, 5.0) is not None
    assert eta.estimate([*four, Ended(4.0, 1.0, True)], [], 12, 10, 5.0) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.004, "4ms"),
        (3.14, "3.1s"),
        (59.97, "1m00"),
        (99.0, "1m39"),
        (611.0, "10m11"),
        (11040.0, "3h04"),
        (176400, "2d01h"),
    ],
)
def test_durations_are_short(seconds, text):
    """Two units at most, never 60 of anything."""
    assert words.took(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "~1 second"),
        (59.7, "~1 minute"),
        (2880.0, "~48 minutes"),
        (3599.0, "~1 hour"),
        (12030.0, "~3 hours and 20 minutes"),
        (86399.0, "~1 day"),
        (180000.0, "~2 days and 2 hours"),
        (40 * 86400.0, "~40 days"),
    ],
)
def test_estimates_are_in_words(seconds, text):
    """At most two units, rounded before they are split."""
    assert words.about(seconds) == text


def test_a_share_is_not_rounded_to_all_or_nothing():
    """100.0% means all."""
    assert [words.percent(s) for s in (0, 0.0001, 0.03, 0.99999, 1)] == ["0.0%", "<0.1%", "3.0%", "99.9%", "100.0%"]


def test_params_are_shown_as_they_were_typed():
    """Numbers keep their digits; what would be ambiguous is quoted."""
    param = words.param_value('{"seed": 4711, "alpha": 0.10, "lr": 1e-5, "name": "a b", "on": true, "l": [1.50, "x"]}')
    assert words.param_words(param) == 'seed=4711 alpha=0.10 lr=1e-5 name="a b" on=true l=[1.50, "x"]'
    assert words.param_words(words.param_value('"--alpha 1"')) == "--alpha 1"
    assert words.param_words(words.param_value("0.50")) == "0.50"
    assert words.param_value("{not json") == "{not json"
