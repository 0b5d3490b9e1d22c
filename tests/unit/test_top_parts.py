"""The parts of ``mtop`` that know nothing of a terminal: widths, charts, lists, the log, what is copied and exported."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from status_events import NOW, Minion, books, read

from minionize.errors import UsageError
from minionize.status.build import build, of_queue
from minionize.status.safe import width
from minionize.status.style import Style
from minionize.status.top.cells import Cell, plain
from minionize.status.top.clerk import Answer
from minionize.status.top.detail import printable_json
from minionize.status.top.dialogs import letters
from minionize.status.top.export import exported, save
from minionize.status.top.hands import _paged
from minionize.status.top.head import spark
from minionize.status.top.journal import Journal
from minionize.status.top.layout import GAP, fit, natural
from minionize.status.top.listing import LONGEST, Wanted, listed
from minionize.status.top.places import Places
from minionize.status.top.snapshot import Snapshot
from minionize.status.top.views import FAILED, FAILURES, IN_FLIGHT, LOOKED_AT, TABS

STYLE = Style(clock=time.gmtime)
DONE, SLOWEST, MINIONS = TABS[5], TABS[4], TABS[2]


def snapshot(directory, counts=None):
    """Look at a directory once."""
    files = read(directory)
    status = build(files, counts, NOW)
    mine = of_queue(files.ledger.minions, status.run.queue, status.run.engine)
    return Snapshot(status, Answer(counts), files, mine, Journal().entries(status, NOW), NOW)


CELLS = (
    Cell("A", "a", plain),
    Cell("LONG", "b", plain, spare=1),
    Cell("GROWS", "c", plain, grows=True),
    Cell("LAST", "d", plain, spare=2),
)


def test_columns_are_as_wide_as_what_is_in_them():
    """The sorted one has a place for its mark; where all says nothing, a column that can be spared is none."""
    rows = [("a", "bb", "c" * 30, "-"), ("aaaa", "b", "c", "-")]
    assert natural(CELLS, rows, "-b") == [4, 5, 30, 0]
    assert natural(CELLS, [], "") == [1, 4, 5, 4]


def test_columns_that_do_not_fit_are_left_out_in_their_order():
    """And one takes the room that is left."""
    assert fit(CELLS, [4, 4, 30, 6], 60) == [(0, 4), (1, 4), (2, 30), (3, 6)]
    assert fit(CELLS, [4, 4, 30, 6], 40) == [(0, 4), (1, 4), (2, 20), (3, 6)]
    assert fit(CELLS, [4, 4, 30, 6], 30) == [(0, 4), (1, 4), (2, 18)]
    assert fit(CELLS, [4, 4, 30, 6], 22) == [(0, 4), (2, 16)]


@given(st.lists(st.integers(1, 60), min_size=4, max_size=4), st.integers(26, 200))
def test_columns_never_take_more_than_there_is(widths, room):
    """Where those that cannot be spared fit at all."""
    wanted = [min(widths[0], 6), *widths[1:]]
    assert sum(columns for _, columns in fit(CELLS, wanted, room)) + GAP * (len(fit(CELLS, wanted, room)) - 1) <= room


def test_a_chart_in_eight_heights():
    """The lowest is for nothing at all; neighbours are added up where there are too many."""
    assert spark([0, 1, 4, 8], 4, STYLE) == "▁▂▅█"
    assert spark([0, 1, 4, 8], 2, STYLE) == "▂█"
    assert spark([0, 0], 10, STYLE) == "▁▁"
    assert spark([1, 100], 5, STYLE._replace(unicode=False)) == ".#"
    assert spark([], 5, STYLE) == spark([1], 0, STYLE) == ""


@given(st.lists(st.integers(0, 10**6), max_size=80), st.integers(1, 90))
def test_a_chart_fits_its_room(counts, room):
    """Whatever the counts."""
    assert width(spark(counts, room, STYLE)) <= min(room, len(counts))


def test_letters_of_columns_are_all_different():
    """One that is in the heading where possible; never the one that leaves."""
    assert letters(["AGE", "xP50", "TRY", "PARAM"]) == ["a", "x", "t", "p"]
    assert letters(["#", "Q", "QQ", "A", "A"]) == ["#", "a", "b", "c", "d"]


@given(st.lists(st.text("ABCDEFGHQ%/#", max_size=8), max_size=12))
def test_any_headings_get_letters(headings):
    """Up to a dozen."""
    found = letters(headings)
    assert len(set(found)) == len(headings)
    assert "q" not in found


def test_a_param_is_copied_as_json_that_presses_no_key():
    """What is not printable is escaped; digits stay as typed; it is the same value."""
    value = {"a\x1b": ["\u202e\n\ud800", 1.5, None, True]}
    assert printable_json(value).isprintable()
    assert json.loads(printable_json(value)) == value


def test_where_one_is_is_remembered_for_each_tab(tmp_path):
    """A group stays open while one looks elsewhere; its own key closes it."""
    Minion(tmp_path).ends("a", "failed", exit=1)
    cause = snapshot(tmp_path).status.failures[0].cause
    places = Places()
    places.go(FAILURES)
    places.here.where = "node=x"
    places.enter(cause)
    assert (places.view, places.tab, places.here.where) == (FAILED, FAILURES, "node=x")
    places.go(MINIONS)
    assert places.wanted == Wanted(MINIONS)
    places.go(FAILURES)
    assert places.wanted == Wanted(FAILED, cause, "node=x")
    places.go(FAILURES)
    assert places.wanted == Wanted(FAILURES, None, "node=x")
    assert [places.back(), places.here.where, places.back()] == [True, "", False]


def test_a_list_is_cut_and_says_how_much_there_is(tmp_path):
    """The newest, the slowest; a filter looks at all of them."""
    minion = Minion(tmp_path)
    for n in range(700):
        minion.ends(f"t{n}", ago=700 - n, took=float(n), param=f'{{"n": {n}}}')
    shot = snapshot(tmp_path)
    newest = listed(shot, Wanted(DONE), STYLE)
    assert (len(newest.keys), newest.total, newest.items[0].text("id")) == (LONGEST, 700, "t699")
    assert listed(shot, Wanted(SLOWEST), STYLE).items[0].took == 699.0
    assert [item.took for item in listed(shot, Wanted(SLOWEST, where="param.n<2"), STYLE).items] == [1.0, 0.0]
    oldest = listed(shot, Wanted(DONE, sort="-end"), STYLE)
    assert (oldest.total, oldest.items[0].text("id")) == (700, "t0")


def test_a_filter_says_where_it_did_not_look(tmp_path, monkeypatch):
    """A run's whole history is not read every two seconds."""
    monkeypatch.setattr("minionize.status.top.listing.LOOKED_AT", 20)
    minion = Minion(tmp_path)
    for n in range(30):
        minion.ends(f"t{n}", ago=30 - n, param=f'{{"n": {n}}}')
    shot = snapshot(tmp_path)
    found = listed(shot, Wanted(DONE, where="param.n<12"), STYLE)
    assert (found.total, found.partly) == (2, True)
    assert not listed(shot, Wanted(DONE), STYLE).partly
    assert LOOKED_AT == 10_000


def test_a_filter_that_names_no_column_is_the_lists_error(tmp_path):
    """It is shown in place of rows."""
    Minion(tmp_path).starts("a", ago=5)
    shot = snapshot(tmp_path)
    assert listed(shot, Wanted(IN_FLIGHT, where="x=1"), STYLE).error.startswith("there is no column 'x'")
    assert listed(shot, Wanted(IN_FLIGHT, sort="x"), STYLE).error.startswith("there is no column 'x'")


def test_what_was_read_before_is_what_a_frozen_list_shows(tmp_path):
    """Also when minions have come since."""
    Minion(tmp_path).ends("a", ago=9)
    files = read(tmp_path)
    status = build(files, None, NOW)
    shot = Snapshot(status, Answer(), files, of_queue(files.ledger.minions, "q1", "sqlite"), (), NOW)
    Minion(tmp_path, "another").ends("b")
    files.refresh()
    assert len(listed(shot, Wanted(DONE), STYLE).keys) == 1
    assert sum(shot.charts(None).ended.counts) == 1


def test_the_log_keeps_when_a_warning_was_first_seen(tmp_path):
    """With its newest words, also when it is over; in the order of time."""
    journal = Journal()
    Minion(tmp_path).write("garbage\n").beats()
    journal.entries(build(read(tmp_path), None, NOW), NOW)
    journal.note(NOW + 1, "done")
    Minion(tmp_path).write("garbage\n").beats()
    entries = journal.entries(build(read(tmp_path), None, NOW + 2), NOW + 2)
    assert [(entry.at, entry.text) for entry in entries[-2:]] == [
        (NOW, f"2 unreadable lines skipped in {tmp_path}"),
        (NOW + 1, "done"),
    ]
    Minion(tmp_path / "empty", ago=5)
    over = journal.entries(build(read(tmp_path / "empty"), None, NOW), NOW)
    assert "unreadable" in over[-2].text


def test_the_log_tells_who_left_and_why(tmp_path):
    """With what they did."""
    Minion(tmp_path, ago=70).ends("a", ago=9).stops("drain", ago=5)
    [started, left] = snapshot(tmp_path).log
    assert started.text == "started on paravance-1.rennes, pid 4121"
    assert (left.at, left.text) == (NOW - 5, "left after 1:05: drain; 1 done, 0 failed")


def test_exports_hide_secrets(tmp_path):
    """Passwords in URLs, and what is called secret."""
    param = '{"url": "redis://ana:hunter2@host", "token": "abc", "n": [1.50]}'
    Minion(tmp_path).ends("a", "failed", exit=1, param=param, stderr="redis://ana:hunter2@host")
    shot = snapshot(tmp_path)
    cause = shot.status.failures[0].cause
    listing = listed(shot, Wanted(FAILED, cause), STYLE)
    for name in ("x.csv", "x.json"):
        text = exported(shot, listing, name)
        assert "hunter2" not in text
        assert "abc" not in text
    [row] = json.loads(exported(shot, listing, "x.json"))
    assert row["param"] == {"url": "redis://ana:***@host", "token": "***", "n": [1.5]}
    assert (row["end"], row["dead"]) == ("2025-11-21T10:42:00.000Z", False)


def test_an_export_never_replaces_a_file(tmp_path):
    """Nor does it end in a traceback."""
    save("a", str(tmp_path / "x.csv"))
    for path in (str(tmp_path / "x.csv"), str(tmp_path / "no" / "x.csv"), str(tmp_path), "a\0b.csv"):
        with pytest.raises(UsageError):
            save("b", path)
    assert (tmp_path / "x.csv").read_text() == "a"


def test_the_pager_is_the_users(monkeypatch, tmp_path):
    """With its options; one that cannot be run is named."""
    monkeypatch.setenv("PAGER", f"tee -a {tmp_path}/seen")
    assert _paged("stderr\n") == ""
    assert (tmp_path / "seen").read_text() == "stderr\n"
    monkeypatch.setenv("PAGER", "no-such-pager")
    assert _paged("x") == "cannot run no-such-pager: No such file or directory"
    monkeypatch.setenv("PAGER", "'")
    assert _paged("x").startswith("PAGER=' is no command")


def test_a_task_of_a_broker_that_keeps_its_failure(tmp_path):
    """What no event tells is shown from the queue."""
    from minionize.model import Entry, Failure

    failure = Failure("exit", "exit 4", 4, None, "boom\n", "m1", "h1", NOW - 5)
    counts = books(dead=1)._replace(dead=(Entry("a", '{"x": 0.10}', "dead", 3, 3, failure=failure),))
    shot = snapshot(tmp_path, counts)
    listing = listed(shot, Wanted(FAILED, shot.status.failures[0].cause), STYLE)
    assert listing.texts[0][2:5] == ("3", "x=0.10", "h1")
