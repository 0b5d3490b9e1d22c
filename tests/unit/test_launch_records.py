"""What is remembered of launches: how it is found again, and what a broken or a strange file does."""

from __future__ import annotations

import os
import stat

import pytest

from minionize.errors import LaunchError, UsageError
from minionize.launchers import records
from minionize.launchers.records import Record

#: A record whose time and size are to be filled in.
OTHER = (
    '{"id": "l9", "launcher": "", "name": "", "at": %s, "size": %s, "user": "", "host": "", "directory": "", "logs": "",'
    ' "reports": "", "queue": "", "command": "", "stage": "launched", "handle": {}}'
)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Keep the records of these tests to themselves."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "minionize" / "launches"


def a_record(id="l00f00d", at=1000.0, **others):
    """Make a record."""
    fields = {
        "id": id,
        "launcher": "slurm",
        "name": "minions",
        "size": 3,
        "at": at,
        "user": "ana",
        "host": "login",
        "directory": "/home/ana",
        "logs": f"/home/ana/minion-launch/{id}",
        "reports": "/home/ana/minion-report",
        "queue": "minion-queue.d (spool)",
        "command": "minionize -- ./a.out",
        "stage": "launched",
        "handle": {"job": "12", "cluster": "", "array": True},
    }
    return Record(**{**fields, **others})


def test_what_was_written_is_read(state):
    """By its owner alone."""
    record = a_record(directory="/home/\udcff")
    records.write(record)
    assert records.read_all() == [record]
    (path,) = state.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_record_is_written_anew(state):
    """In its place, with nothing left beside it."""
    records.write(a_record(stage="submitting", handle={}))
    records.write(a_record())
    assert [record.stage for record in records.read_all()] == ["launched"]
    assert len(list(state.iterdir())) == 1


def test_nothing_was_ever_launched():
    """No record is no error."""
    assert records.read_all() == []


def test_the_newest_comes_first():
    """By the time of the launch."""
    for id, at in (("l000001", 2.0), ("l000002", 3.0), ("l000003", 1.0)):
        records.write(a_record(id, at))
    assert [record.id for record in records.read_all()] == ["l000002", "l000001", "l000003"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"v": 1}', '{"v": 1, "handle": {}}', "\x00\xff", OTHER % ('"x"', 3), OTHER % (1, "null")]
)
def test_a_broken_record_hides_no_other(state, text):
    """A full disk, or a newer version, may leave anything."""
    records.write(a_record())
    (state / "l999999.json").write_text(text)
    assert [record.id for record in records.read_all()] == ["l00f00d"]


def test_a_record_of_a_later_version_is_read(state):
    """What it says besides is not for us."""
    records.write(a_record())
    (path,) = state.iterdir()
    path.write_text(path.read_text().replace('"v": 1', '"v": 2, "more": true'))
    assert records.find("l00f00d") == a_record()


@pytest.mark.parametrize("said", ["l00f00d", "l00", "12", "sweep"])
def test_a_launch_is_found(said):
    """By its id, the beginning of it, its job, its name."""
    records.write(a_record(name="sweep"))
    records.write(a_record("labcdef", handle={"job": "99"}))
    assert records.find(said).id == "l00f00d"


@pytest.mark.parametrize("said", ["l0", "minions", "12"])
def test_two_launches_are_not_mixed_up(said):
    """Whoever stops one must not stop another."""
    records.write(a_record())
    records.write(a_record("l0abcde"))
    with pytest.raises(UsageError, match="more than one launch") as caught:
        records.find(said)
    assert "l00f00d" in str(caught.value)
    assert "l0abcde" in str(caught.value)


def test_no_such_launch():
    """And how to see those there are."""
    with pytest.raises(UsageError, match="minion-launch list"):
        records.find("l1")


def test_a_record_that_cannot_be_written_leaves_nothing(state, monkeypatch):
    """What was there before is still there."""
    records.write(a_record(stage="submitting"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        records.write(a_record())
    assert [path.name for path in state.iterdir()] == ["l00f00d.json"]
    assert records.find("l00f00d").stage == "submitting"


def test_whoever_has_no_home_is_told(monkeypatch):
    """Nothing is put into a directory called ~; and a state directory that is relative does not count."""
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    monkeypatch.setenv("HOME", "/home/ana")
    assert records.home() == "/home/ana/.local/state/minionize/launches"
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with pytest.raises(UsageError, match="export HOME=/path"):
        records.home()


def test_records_that_may_not_be_read(state):
    """That is said, and is not the same as none."""
    state.parent.mkdir(parents=True)
    state.write_text("no directory")
    with pytest.raises(LaunchError, match="Not a directory"):
        records.read_all()


def test_an_id_is_no_word_that_a_scheduler_has(state):
    """It begins with a letter, so that it is never taken for a job."""
    ids = {records.new_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(id[0] == "l" and len(id) == 7 for id in ids)
