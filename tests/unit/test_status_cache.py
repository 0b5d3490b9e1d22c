"""What was read is kept for the next look, and never believed where it may not be so any more."""

from __future__ import annotations

import os
import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from status_events import NOW, Minion, books

from minionize.status import cache, read
from minionize.status.build import build
from minionize.status.cache import Cache
from minionize.status.ledger import COLUMNS, DONE, LOST, REPLACED
from minionize.status.read import EventFiles


@pytest.fixture(autouse=True)
def keeps_everything(monkeypatch):
    """Let a few lines be worth a copy."""
    monkeypatch.setattr(cache, "SMALL", 1)


@pytest.fixture
def parsed(monkeypatch):
    """Return the lines that are parsed from now on."""
    lines = []
    parse = read._event
    monkeypatch.setattr(read, "_event", lambda line: (lines.append(line), parse(line))[1])
    return lines


def _run(reports):
    """Write a run that has something of everything; returns its first minion."""
    first = Minion(reports, "m1", job={"id": "12"}).ends("a").ends("b", "failed", exit=3, stderr="boom 7\n", dead=True)
    first.ends("c", "failed", exit=3, stderr="boom 8\n").starts("r", ago=50, param='{"x": "é\\u202e"}')
    first.write("garbage\n").write('{"half')
    Minion(reports, "m2", queue="other").ends("d").ends("a", "timeout", delivery=2).stops()
    start = '{"v":1,"type":"minion_start","t":1763721000,"minion":"m3","queue":"q1","host":"h","pid":7,"start":9,"boot":"b","namespace":"n"}\n'
    Minion(reports, "m3").write(start).ends("e").ends("e", "lost")
    return first


def _look(reports, kept):
    files = EventFiles(str(reports), Cache(str(kept)))
    files.refresh()
    return files


def _all(files):
    """Return everything that was read, to be compared; rows in the order of the files."""
    ledger = files.ledger
    ledger.settle()
    rows = sorted(zip(*(getattr(ledger, name) for name in COLUMNS), strict=True))
    minions = [{name: getattr(record, name) for name in record.__slots__} for record in ledger.minions]
    last = {task: (one, ledger.file[one.row], ledger.offset[one.row]) for task, one in ledger.last.items()}
    last = {task: (one._replace(row=0), *where) for task, (one, *where) in last.items()}
    where = [(file.path, file.offset, file.minion and file.minion.uid) for file in files._by_number]
    return rows, minions, ledger.running, last, files.unreadable, files.newest_heartbeat, where


def test_a_second_look_sees_the_same_and_parses_nothing(tmp_path, parsed):
    """Every number, every name, and what runs."""
    _run(tmp_path / "r")
    cold = _look(tmp_path / "r", tmp_path / "kept")
    assert parsed
    parsed.clear()
    warm = _look(tmp_path / "r", tmp_path / "kept")
    assert parsed == []
    assert _all(warm) == _all(cold)
    assert build(warm, books(), NOW) == build(cold, books(), NOW)
    assert warm.unreadable == 1


def test_only_new_lines_are_parsed(tmp_path, parsed):
    """Also those of a minion that came since; a line that was half there is now whole."""
    first = _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    first.write('": 1}\n').ends("f")
    Minion(tmp_path / "r", "m4").ends("g")
    parsed.clear()
    warm = _look(tmp_path / "r", tmp_path / "kept")
    assert len(parsed) == 4
    assert _all(warm) == _all(_look(tmp_path / "r", tmp_path / "none"))


def test_what_was_read_long_ago_can_still_be_shown(tmp_path):
    """A failure with its stderr, from where it stands."""
    _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    warm = _look(tmp_path / "r", tmp_path / "kept")
    (group,) = build(warm, None, NOW).failures
    assert {warm.event(task.row)["stderr"] for task in group.tasks} == {"boom 7\n", "boom 8\n"}


def test_a_settlement_that_is_refused_later_replaces_a_row_that_was_kept(tmp_path):
    """The row's key is the same in every process."""
    minion = Minion(tmp_path / "r").ends("a").ends("b")
    _look(tmp_path / "r", tmp_path / "kept")
    minion.ends("a", "lost")
    warm = _look(tmp_path / "r", tmp_path / "kept")
    warm.ledger.settle()
    assert list(warm.ledger.outcome) == [REPLACED, DONE, LOST]


def test_a_heartbeat_alone_changes_nothing(tmp_path, parsed):
    """The file was touched: its end is looked at, and is what it was."""
    minion = Minion(tmp_path / "r").ends("a").beats(ago=50)
    _look(tmp_path / "r", tmp_path / "kept")
    minion.beats(ago=1)
    parsed.clear()
    warm = _look(tmp_path / "r", tmp_path / "kept")
    assert parsed == []
    assert warm.newest_heartbeat == warm.ledger.minions[0].heartbeat == NOW - 1


def _replaced(path):
    with open(path) as file:
        text = file.read()
    os.rename(path, path + ".old")
    with open(path, "w") as file:
        file.write(text.replace('"took":1.000000', '"took":9.000000'))


def _rewritten(path):
    with open(path) as file:
        text = file.read()
    with open(path, "r+") as file:
        file.write(text.replace("settled", "drained"))


def _shortened(path):
    os.truncate(path, os.path.getsize(path) - 30)


@pytest.mark.parametrize("change", [_replaced, _rewritten, _shortened, os.remove])
def test_a_file_that_is_another_one_now_makes_everything_be_read_again(tmp_path, change):
    """Put in its place, written over in its place, cut, or gone."""
    _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    change(str(tmp_path / "r" / "m2.jsonl"))
    assert _all(_look(tmp_path / "r", tmp_path / "kept")) == _all(_look(tmp_path / "r", tmp_path / "none"))


def _kept_file(kept):
    (path,) = [entry.path for entry in os.scandir(kept)]
    return path


@given(st.integers(0, 10_000), st.none() | st.integers(0, 255))
def test_a_copy_that_is_broken_is_ignored(tmp_path_factory, place, changed):
    """Cut anywhere, or with any byte changed: what is shown is what the events say."""
    tmp_path = tmp_path_factory.mktemp("broken")
    _run(tmp_path / "r")
    cold = _all(_look(tmp_path / "r", tmp_path / "kept"))
    path = _kept_file(tmp_path / "kept")
    with open(path, "rb") as file:
        whole = file.read()
    at = place % len(whole)
    with open(path, "wb") as file:
        file.write(whole[:at] if changed is None else whole[:at] + bytes([changed]) + whole[at + 1 :])
    assert _all(_look(tmp_path / "r", tmp_path / "kept")) == cold


@pytest.mark.parametrize("name", ["FORMAT", "__version__"])
def test_a_copy_of_another_version_is_ignored(tmp_path, monkeypatch, parsed, name):
    """What an event comes to may have changed."""
    _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    monkeypatch.setattr(cache, name, "0.9")
    parsed.clear()
    _look(tmp_path / "r", tmp_path / "kept")
    assert parsed


def test_a_copy_that_others_could_have_written_is_ignored(tmp_path, parsed):
    """One with too many rights, and a link."""
    _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    path = _kept_file(tmp_path / "kept")
    os.chmod(path, 0o620)
    parsed.clear()
    _look(tmp_path / "r", tmp_path / "kept")
    assert parsed
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    parsed.clear()
    _look(tmp_path / "r", tmp_path / "kept")
    assert parsed


def test_a_copy_of_another_user_is_ignored(tmp_path, monkeypatch, parsed):
    """In a cache directory that several share."""
    _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tmp_path).st_uid + 1)
    parsed.clear()
    _look(tmp_path / "r", tmp_path / "kept")
    assert parsed


def test_only_its_owner_can_read_a_copy(tmp_path):
    """It holds params; nothing else is left beside it, nor among the reports."""
    _run(tmp_path / "r")
    before = os.listdir(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept" / "status")
    assert stat.S_IMODE(os.stat(tmp_path / "kept" / "status").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(_kept_file(tmp_path / "kept" / "status")).st_mode) == 0o600
    assert os.listdir(tmp_path / "r") == before


def test_reports_never_hold_a_copy(tmp_path):
    """Not even where the cache is said to be there."""
    _run(tmp_path / "r")
    before = os.listdir(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "r" / "cache")
    assert os.listdir(tmp_path / "r") == before


def test_who_cannot_write_goes_without(tmp_path):
    """A file where the directory should be, and a directory where the file should be."""
    _run(tmp_path / "r")
    cold = _all(_look(tmp_path / "r", tmp_path / "none"))
    (tmp_path / "file").write_text("")
    assert _all(_look(tmp_path / "r", tmp_path / "file" / "kept")) == cold
    _look(tmp_path / "r", tmp_path / "kept")
    path = _kept_file(tmp_path / "kept")
    os.remove(path)
    os.mkdir(path)
    assert _all(_look(tmp_path / "r", tmp_path / "kept")) == cold
    assert os.listdir(tmp_path / "kept") == [os.path.basename(path)]


def test_a_small_run_is_not_worth_a_copy(tmp_path, monkeypatch):
    """It is parsed as fast; a large one is written anew when it has grown by a fiftieth."""
    monkeypatch.setattr(cache, "SMALL", 10_000)
    _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert [Cache.is_worth(new, 1_000_000) for new in (9_999, 19_999, 20_000)] == [False, False, True]


def test_old_copies_are_removed(tmp_path, monkeypatch):
    """Those that nobody used for a month, and those used longest ago where there is no room; other files stay."""
    kept = tmp_path / "kept"
    kept.mkdir()
    now = time.time()
    for name, days in (("old.ledger", 31), ("left.ledger.123", 40), ("first.ledger", 3), ("second.ledger", 2)):
        (kept / name).write_bytes(b"x" * 1000)
        os.utime(kept / name, (now - days * 86400, now - days * 86400))
    (kept / "notes").write_text("mine")
    os.utime(kept / "notes", (0, 0))
    _run(tmp_path / "r")
    _look(tmp_path / "r", kept)
    mine = next(name for name in os.listdir(kept) if "-" in name)
    assert set(os.listdir(kept)) == {mine, "first.ledger", "second.ledger", "notes"}
    monkeypatch.setattr(cache, "LARGEST", 2 * os.path.getsize(kept / mine) + 1500)
    Minion(tmp_path / "r", "m9").ends("z")
    _look(tmp_path / "r", kept)
    assert set(os.listdir(kept)) == {mine, "second.ledger", "notes"}


def test_a_copy_that_is_used_stays_young(tmp_path):
    """Its age counts from the last look."""
    _run(tmp_path / "r")
    _look(tmp_path / "r", tmp_path / "kept")
    path = _kept_file(tmp_path / "kept")
    os.utime(path, (0, 0))
    _look(tmp_path / "r", tmp_path / "kept")
    assert os.stat(path).st_mtime > 0


def test_the_place_is_the_one_that_xdg_gives():
    """A relative path is to be ignored; without a home there is no place."""
    assert Cache.of_user({"XDG_CACHE_HOME": "/c", "HOME": "/h"})._directory == "/c/minionize/status"
    assert Cache.of_user({"XDG_CACHE_HOME": "c", "HOME": "/h"})._directory == "/h/.cache/minionize/status"
    assert Cache.of_user({"HOME": "/h"})._directory == "/h/.cache/minionize/status"
    assert Cache.of_user({}) is None


def test_the_command_keeps_what_it_read(tmp_path, monkeypatch, parsed, capsys):
    """In the user's cache: the second look parses nothing."""
    from minionize.cli.status import main

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    _run(tmp_path / "r")
    main(["r"])
    first = capsys.readouterr().out
    parsed.clear()
    main(["r"])
    assert (capsys.readouterr().out, parsed) == (first, [])
