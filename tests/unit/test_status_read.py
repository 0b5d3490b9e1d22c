"""Event files are followed by what is new, whatever strangers write into them."""

from __future__ import annotations

import os

import pytest
from status_events import NOW, Minion, read

from minionize.status.ledger import DONE, LOST, REPLACED
from minionize.status.read import EventFiles


def test_a_directory_that_does_not_exist_has_no_events(tmp_path):
    """And is not made by looking."""
    files = read(tmp_path / "none")
    assert files.ledger.minions == []
    assert os.listdir(tmp_path) == []


def test_a_refresh_reads_only_what_was_appended(tmp_path, monkeypatch):
    """A file that did not grow is not opened again."""
    first = Minion(tmp_path, "m1").ends("a")
    Minion(tmp_path, "m2").ends("b")
    files = read(tmp_path)
    assert len(files.ledger.ended) == 2
    first.ends("c")
    opened = []
    read_file = EventFiles._read
    monkeypatch.setattr(EventFiles, "_read", lambda self, file: (opened.append(file.path), read_file(self, file)))
    files.refresh()
    assert opened == [first.path]
    assert len(files.ledger.ended) == 3


def test_a_line_without_its_end_waits_for_the_next_refresh(tmp_path):
    """It is being written: neither counted nor unreadable."""
    minion = Minion(tmp_path).ends("a")
    with open(minion.path, encoding="utf-8") as file:
        whole = file.readlines()[-1]
    minion.write(whole[:20])
    files = read(tmp_path)
    assert (len(files.ledger.ended), files.unreadable) == (1, 0)
    minion.write(whole[20:])
    files.refresh()
    assert (len(files.ledger.ended), files.unreadable) == (2, 0)


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "{",
        "[1, 2]",
        "null",
        "\0\0\0",
        '"task_end"',
        "{}",
        '{"v":1,"type":"task_end","t":"x","minion":"m"}',
        '{"v":1,"type":"task_end","t":NaN,"minion":"m"}',
        '{"v":1,"type":"task_end","t":1e400,"minion":"m"}',
        '{"v":1,"type":"task_end","t":1,"minion":["m"],"id":"a","delivery":1,"outcome":"done","took":1}',
        '{"v":1,"type":"task_end","t":1,"minion":"m","id":"a","delivery":1,"outcome":"splendid","took":1}',
        '{"v":1,"type":"task_end","t":1,"minion":"m","id":"a","delivery":null,"outcome":"done","took":1}',
        '{"v":1,"type":"task_end","t":1,"minion":"m","id":"a","delivery":1,"outcome":["done"],"took":1}',
        "[" * 100_000,
    ],
)
def test_lines_that_are_no_event_are_counted(tmp_path, line):
    """They hide nothing of what is before and after them."""
    Minion(tmp_path).ends("a").write(line + "\n").ends("b")
    files = read(tmp_path)
    assert files.unreadable == 1
    assert len(files.ledger.ended) == 2


def test_events_of_later_versions_are_passed_over(tmp_path):
    """A type that we do not know is no error."""
    Minion(tmp_path).write(f'{{"v":2,"type":"gossip","t":{NOW},"minion":"m"}}\n').ends("a")
    files = read(tmp_path)
    assert (len(files.ledger.ended), files.unreadable) == (1, 0)


def test_only_files_of_events_are_read(tmp_path):
    """Other names, directories and pipes are left alone."""
    Minion(tmp_path).ends("a")
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    os.symlink("nowhere", tmp_path / "link.jsonl")
    files = read(tmp_path)
    assert (len(files.ledger.ended), files.unreadable, files.refused) == (1, 0, [])


def test_a_file_that_was_replaced_is_read_from_its_beginning(tmp_path):
    """Nothing is counted twice."""
    minion = Minion(tmp_path).ends("a").ends("b")
    files = read(tmp_path)
    os.remove(minion.path)
    Minion(tmp_path).ends("c")
    files.refresh()
    assert len(files.ledger.ended) == 1


def test_a_file_that_was_written_anew_in_its_place_is_read_from_its_beginning(tmp_path):
    """It may be longer than it was, and have the same number."""
    minion = Minion(tmp_path).ends("a")
    files = read(tmp_path)
    with open(minion.path, "r+b") as file:
        file.truncate(0)
    for id in "bcdef":
        minion.ends(id)
    files.refresh()
    assert (len(files.ledger.ended), files.unreadable, files.event(0)["id"]) == (5, 0, "b")


def test_a_file_that_got_another_name_is_counted_once(tmp_path):
    """And one that was removed is no more."""
    minion = Minion(tmp_path).ends("a")
    files = read(tmp_path)
    os.rename(minion.path, tmp_path / "renamed.jsonl")
    files.refresh()
    assert len(files.ledger.ended) == 1
    assert files.event(0)["id"] == "a"
    os.remove(tmp_path / "renamed.jsonl")
    files.refresh()
    assert (len(files.ledger.ended), files.ledger.minions) == (0, [])


def test_a_file_with_two_names_is_one_file(tmp_path):
    """Links are made by people who tidy up."""
    minion = Minion(tmp_path).ends("a")
    os.symlink(minion.path, tmp_path / "a-link.jsonl")
    os.link(minion.path, tmp_path / "z-link.jsonl")
    files = read(tmp_path)
    files.refresh()
    assert len(files.ledger.ended) == 1


def test_a_directory_that_cannot_be_read_for_a_while_is_not_forgotten(tmp_path, monkeypatch):
    """A file server that stumbles must not end a watch."""
    Minion(tmp_path).ends("a")
    files = read(tmp_path)

    def refused(path):
        raise OSError(5, "Input/output error", path)

    with monkeypatch.context() as patched:
        patched.setattr("os.scandir", refused)
        files.refresh()
        assert (len(files.ledger.ended), files.refused) == (1, [str(tmp_path)])
    files.refresh()
    assert (len(files.ledger.ended), files.refused) == (1, [])


def test_the_last_end_of_a_delivery_counts(tmp_path):
    """A settlement that was refused, or cancelled, replaces what was reported before it."""
    Minion(tmp_path).ends("a").ends("b").ends("a", "lost").ends("a", delivery=2)
    files = read(tmp_path)
    files.ledger.settle()
    assert list(files.ledger.outcome) == [REPLACED, DONE, LOST, DONE]


def test_an_end_takes_the_task_off_what_runs(tmp_path):
    """Of the same delivery."""
    minion = Minion(tmp_path).starts("a", ago=9).starts("b", ago=8).ends("a")
    files = read(tmp_path)
    assert [running.id for running in files.ledger.running.values()] == ["b"]
    minion.ends("b", delivery=2)
    files.refresh()
    assert [running.id for running in files.ledger.running.values()] == ["b"]


def test_an_event_can_be_read_again(tmp_path):
    """With its numbers as they were typed; None where the file is gone."""
    minion = Minion(tmp_path).ends("a", param='{"alpha": 0.10}', stderr="é\n")
    files = read(tmp_path)
    event = files.event(0)
    assert (event["id"], event["stderr"], event["param"]["alpha"].text) == ("a", "é\n", "0.10")
    os.remove(minion.path)
    assert files.event(0) is None
