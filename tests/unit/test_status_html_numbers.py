"""What the charts of the HTML report are drawn from: counted by hand here."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from status_events import NOW, Minion, books, read

from minionize.masks import is_secret
from minionize.status.build import build
from minionize.status.html import axes, charts
from minionize.status.html.fields import MOST_FIELDS, Fields, decode
from minionize.status.html.figures import BINS, BUCKETS, CELLS, LIVES, SLOWEST, Figures, Histogram, Span
from minionize.status.html.markup import Html, command, el, many, output, param, text


def _figures(directory, counts=None, clock=NOW):
    files = read(directory)
    return Figures(files.ledger, build(files, counts, clock))


def test_throughput_counts_ends_and_minions_in_buckets(tmp_path):
    """Of the run that is shown; what was given back is neither done nor failed."""
    Minion(tmp_path, "m1", ago=120).ends("a", ago=119.5).ends("b", "failed", ago=119.4, exit=1).ends(
        "c", "interrupted", ago=119.4
    ).ends("d", "timeout", ago=60).stops(ago=59.5)
    Minion(tmp_path, "m2", ago=30).ends("e", ago=1)
    Minion(tmp_path, "m3", queue="other", ago=100).ends("f", ago=50)
    data = _figures(tmp_path, books(pending=1)).throughput
    assert (data.start, data.width, len(data.done)) == (NOW - 120, 1, 121)
    assert {i: n for i, n in enumerate(data.done) if n} == {0: 1, 119: 1}
    assert {i: n for i, n in enumerate(data.failed) if n} == {0: 1, 60: 1}
    assert [data.minions[i] for i in (0, 60, 61, 89, 90, 120)] == [1, 1, 0, 0, 1, 1]


@given(st.floats(1, 1e9))
def test_there_are_never_too_many_buckets(tmp_path_factory, ago):
    """From a second to thirty years."""
    directory = tmp_path_factory.mktemp("long")
    Minion(directory, ago=ago).ends("a", ago=ago / 2)
    data = _figures(directory, books(pending=1)).throughput
    assert len(data.done) <= BUCKETS + 2
    assert sum(data.done) == 1


def test_durations_are_counted_in_bins_that_grow(tmp_path):
    """The shortest in the first, the longest in the last; failed apart from done."""
    minion = Minion(tmp_path).ends("a", took=1.0).ends("b", took=100.0).ends("c", took=10.0)
    minion.ends("d", "failed", took=1.0, exit=1)
    data = _figures(tmp_path).histogram
    assert {i: n for i, n in enumerate(data.done) if n} == {0: 1, BINS // 2 - 1: 1, BINS - 1: 1}
    assert {i: n for i, n in enumerate(data.failed) if n} == {0: 1}
    assert [round(data.place(t), 3) for t in (0.5, 1.0, 10.0, 100.0, 1000.0)] == [0, 0, 0.5, 1, 1]


def test_durations_that_are_all_alike_are_one_bar(tmp_path):
    """Not the whole width of the chart."""
    data = _figures(Minion(tmp_path).ends("a", took=5.0).ends("b", took=5.001).path.rpartition("/")[0]).histogram
    assert data.done[0] == 2


def test_executions_that_took_no_time_make_no_histogram(tmp_path):
    """There is no logarithm of nothing."""
    Minion(tmp_path).ends("a", took=0.0)
    assert _figures(tmp_path).histogram is None


def test_a_lifeline_tells_busy_from_idle(tmp_path):
    """A minion with two slots that works in one is half busy."""
    minion = Minion(tmp_path, ago=2400, slots=2).ends("a", ago=1200, took=1200.0)
    minion.ends("b", "failed", ago=5, took=2.0, exit=1)
    (life,) = _figures(tmp_path, books(pending=1)).lives
    assert life.busy[: CELLS // 2] == [pytest.approx(0.5)] * (CELLS // 2)
    assert life.busy[CELLS // 2 : -1] == [0.0] * (CELLS // 2 - 1)
    assert [i for i, failed in enumerate(life.failed) if failed] == [CELLS - 1]


def test_of_many_minions_those_to_look_at_are_shown(tmp_path):
    """The lost ones, those that fail, then those up longest; in the order in which they started."""
    for n in range(LIVES + 20):
        minion = Minion(tmp_path, f"m{n:03}", ago=1000 - n)
        if n == LIVES + 19:
            minion.ends("x", "failed", ago=5, exit=1)
        if n == LIVES + 10:
            minion.beats(ago=500)
    lives = _figures(tmp_path, books(pending=1)).lives
    shown = [life.minion.uid for life in lives]
    assert shown == [f"m{n:03}" for n in [*range(LIVES - 2), LIVES + 10, LIVES + 19]]


def test_the_slowest_are_those_that_were_done(tmp_path):
    """Longest first; a failure that hung for hours is another matter."""
    minion = Minion(tmp_path)
    for n in range(SLOWEST + 5):
        minion.ends(f"t{n}", took=float(n))
    minion.ends("f", "timeout", took=999.0)
    figures = _figures(tmp_path)
    assert figures.slowest() == list(range(SLOWEST + 4, 4, -1))


def _found(*executions):
    fields = Fields()
    for value, took, done in executions:
        fields.add(decode(value.encode()), took, done=done)
    return fields.found()


def test_fields_count_executions_by_value():
    """As typed, numbers by size; the median is of those that were done."""
    (found,) = _found(*((f'{{"x": {x}}}', t, t < 5) for x in ("10", "9.50", "1e1") for t in (1, 2, 9)))
    assert [(v.text, v.n, v.failed, v.p50) for v in found.values] == [
        ("9.50", 3, 1, 1.0),
        ("10", 3, 1, 1.0),
        ("1e1", 3, 1, 1.0),
    ]


def test_fields_of_every_kind():
    """Objects in objects by ``outer.inner``, flags, nulls, words; lists and secrets are left out, as is what is no field."""
    values = [
        {"a": {"b": n % 2}, "c": n % 2 > 0, "d": None, "e": f"w{n % 2}", "f": [1], "g_token": str(n % 2)}
        for n in range(4)
    ]
    found = _found(*((json.dumps(value), 1.0, True) for value in values))
    assert [(field.name, [v.text for v in field.values]) for field in found] == [
        ("a.b", ["0", "1"]),
        ("c", ["false", "true"]),
        ("e", ["w0", "w1"]),
    ]
    (whole,) = _found(("1", 1.0, True), ("2", 1.0, True), ("2", 1.0, True))
    assert whole.name == "param"


def test_fields_that_say_nothing_are_left_out():
    """One value only, too many, or each once."""
    assert _found(*(('{"x": 1}', 1.0, True),) * 3) == []
    assert _found(*((f'{{"x": {n % 51}}}', 1.0, True) for n in range(102))) == []
    assert _found(*((f'{{"x": {n}}}', 1.0, True) for n in range(20))) == []


def test_fields_that_tell_most_come_first():
    """One that decides, one that has to do with it, one by chance that has many values."""
    runs = []
    for n in range(120):
        failed = n % 3 == 0
        runs.append((f'{{"many": {n // 3}, "half": {n % 2}, "all": {n % 3}}}', 1.0, not failed))
    assert [(field.name, round(field.tells, 1)) for field in _found(*runs)] == [
        ("all", 1.0),
        ("half", 0.0),
        ("many", 0.0),
    ]


def test_a_flood_of_fields_is_bounded():
    """Each param may bring its own."""
    fields = Fields()
    for n in range(3 * MOST_FIELDS):
        fields.add({f"f{n}": "x"}, 1.0, done=True)
    assert len(fields._fields) == MOST_FIELDS


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_any_param_can_be_counted(value):
    """Whatever JSON it is: numbers that are none, names that are empty."""
    fields = Fields()
    for _ in range(2):
        fields.add(decode(json.dumps(value).encode()), 1.0, done=True)
    fields.add(decode(b'{"": {"": 1e999}}'), 1.0, done=False)
    fields.found()


@given(st.floats(1e-3, 1e9), st.sampled_from([0.0, 1.0]))
def test_heights_are_round_and_reach_the_highest(highest, least):
    """Two to four of them, or one where whole numbers allow no more."""
    ticks = axes.heights(highest, least)
    assert ticks[-1] >= highest * (1 - 1e-9)
    assert 2 <= len(ticks) <= 4
    assert all(f"{tick:.15e}"[0] in "12456388" for tick in ticks)
    assert ticks[0] >= least


@given(st.floats(0, 2e9), st.floats(1, 1e9))
def test_times_fit_on_their_axis(start, length):
    """At most eight, between its ends, none twice in a place."""
    ticks = list(axes.times(Span(start, start + length)))
    assert len(ticks) <= 8
    assert all(0 <= place <= 1 for place, _ in ticks)


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (30, ["08:00:00", "08:00:05"]),
        (3600, ["08:00", "08:10"]),
        (3 * 86400, ["10 Sep 00:00", "10 Sep 12:00"]),
        (300 * 86400, ["08 Dec", "08 Mar"]),
    ],
)
def test_times_are_said_as_fits_their_span(length, said):
    """Seconds, minutes, days."""
    start = 1757491200.0  # 10 September 2025, 08:00 UTC
    start -= 8 * 3600 if length > 86400 else 0
    assert [word for _, word in axes.times(Span(start, start + length))][:2] == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.0, 100.0, ["1s", "10s", "1m"]),
        (0.002, 90000, ["10ms", "100ms", "1s", "10s", "1m", "10m", "1h", "10h", "1d"]),
        (50.0, 61.0, ["1m", "2m"]),
    ],
)
def test_durations_are_marked_where_people_look(low, high, said):
    """Powers of ten up to the minute, then minutes, hours, days; more where there are few."""
    ratio = max(high / low * 1.0001, 4.0) ** (1 / 40)
    assert [word for _, word in axes.durations(Histogram(low, ratio, [0] * 40, [0] * 40))] == said


def test_bars_that_are_alike_are_drawn_as_one():
    """A lifeline of hours is a few letters."""
    assert charts._runs([1, 1, 0, 1], 1, 0, 9) == "M0 0h2V9H0zM3 0h1V9H3z"


def test_progress_shows_states_in_proportion():
    """One after the other; what is not there has no room."""
    drawn = charts.progress([("done", 3), ("dead", 1), ("lost", 0), ("pending", 4)])
    assert 'x="0.000%" width="37.500%" class="done"' in drawn
    assert 'x="50.000%" width="50.000%" class="pending"' in drawn
    assert "lost" not in drawn


def test_what_is_put_into_an_element_is_escaped():
    """Unless it was made here; attributes always."""
    made = el("p", "<b>", el("i", "x"), None, class_="a\"b'<", data_v=None)
    assert made == '<p class="a&quot;b&#x27;&lt;">&lt;b&gt;<i>x</i></p>'
    assert isinstance(made, Html)


def test_text_shows_what_hides():
    """Escapes, bidirectional marks, lone surrogates, and how much was cut."""
    assert text("a\x1b[31m\u202eb\ud800\0") == "a\\x1b[31m\\u202eb\\ud800\\x00"
    assert text("x" * 300) == "x" * 240 + "…"
    assert output("a\x1b[0m\r\nb<") == "a\\x1b[0m\nb&lt;"


def test_an_address_that_is_cut_shows_no_password():
    """It is masked first."""
    assert "secret" not in text("x" * 220 + " http://me:secretsecretsecret@host/")


def test_a_flood_of_half_addresses_is_no_trap():
    """Only the beginning of a text is looked at."""
    assert len(text("://a:" * 1_000_000)) < 300


def test_params_and_commands_hide_secrets():
    """By the name of the field, the option, the variable."""
    assert param({"api_key": "x", "max_tokens": 5}) == "api_key=*** max_tokens=5"
    shown = command(["./a", "--password", "x", "--seed={seed}", "TOKEN=x", "--token=x", "-v"])
    assert shown == "./a --password *** &#x27;--seed={seed}&#x27; TOKEN=*** --token=*** -v"


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "api_key", "apikey", "aws.secret", "auth-token", "private_key"]
)
def test_names_of_secrets(name):
    """With what is before them."""
    assert is_secret(name)


@pytest.mark.parametrize("name", ["key", "tokens", "max_tokens", "passes", "keypoints", "secretary", "compass"])
def test_names_that_only_look_like_secrets(name):
    """Those of hyperparameters, for one."""
    assert not is_secret(name)


def test_counts_have_their_nouns():
    """One of them has no s."""
    assert [many(1, "node"), many(12345, "node")] == ["1 node", "12\u202f345 nodes"]
