"""Report directories of minionize 0.3.x, as its JSON reporter wrote them."""

from __future__ import annotations

import json

import pytest
from status_events import NOW, Minion, books, read

from minionize.status import original
from minionize.status.build import build

ONE, OTHER = "0b3d05f4-4196-4c12-9d4c-7467b67793c0", "57fa5956-d31a-4e43-97a1-953c0614f148"


def write(directory, uid, generation, *, ago, took=1.0, param=1, error=None, waited=5.0, **fields):
    """Write the line of an execution that ended so many seconds before NOW."""
    end = NOW - ago
    moments = [("next", end - took - waited, end - took), ("setup", end - took, end - took)]
    moments += [("process", end - took, end), ("teardown", end, end)]
    line = {
        "uid": uid, "generation": generation, "start": end - took - waited, "end": end, "param": param, "error": error,
        "atomic_actions": [dict(zip(("name", "start", "end"), m, strict=True)) for m in moments],
        "nodename": "paravance-7", **fields,
    }  # fmt: skip
    with open(directory / uid, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def test_a_line_is_a_finished_task(tmp_path):
    """Its duration is that of the process, not of the waiting for a param; its minion has left."""
    write(tmp_path, ONE, 1, ago=60, took=4.0, param={"seed": 1}, oar_job_id="1287856")
    write(tmp_path, ONE, 2, ago=30, took=6.0, param="x")
    status = build(read(tmp_path), None, NOW + 1e6)
    assert (status.counts.done, status.durations.done.min, status.durations.done.max) == (2, 4.0, 6.0)
    assert [(m.uid, m.host, m.job, m.state, m.done) for m in status.minions] == [
        (ONE, "paravance-7", {"id": "1287856"}, "ended", 2)
    ]
    assert (status.run.state, status.run.started, status.warnings) == ("finished", NOW - 64, ())


@pytest.mark.parametrize(
    ("error", "kind", "code", "signature"),
    [
        ("Command './sim 1' returned non-zero exit status 3.", "exit", 3, ""),
        ("Command 'kill -9 $$' died with <Signals.SIGKILL: 9>.", "signal", 9, ""),
        ("Command 'x\ny' died with unknown signal 42.", "signal", 42, ""),
        ("", "error", None, ""),
        ("name 'foo' is not defined", "error", None, "name 'foo' is not defined"),
    ],
)
def test_an_error_is_a_failure(tmp_path, error, kind, code, signature):
    """How a command ended is read off the words that were kept of it; nobody tried again."""
    write(tmp_path, ONE, 1, ago=60, error=error)
    (group,) = build(read(tmp_path), None, NOW).failures
    assert (group.cause.kind, group.cause.code, group.cause.signature, group.tasks[0].dead) == (
        kind,
        code,
        signature,
        True,
    )


def test_two_runs_of_one_process_are_told_apart(tmp_path):
    """Both counted their generations from 1."""
    write(tmp_path, ONE, 1, ago=60, error="boom")
    write(tmp_path, ONE, 1, ago=30, error="boom")
    assert [group.size for group in build(read(tmp_path), None, NOW).failures] == [2]


def test_its_events_can_be_read_again(tmp_path):
    """As ours would be."""
    write(tmp_path, ONE, 7, ago=60, took=2.0, param={"alpha": 0.1}, error="boom")
    files = read(tmp_path)
    event = files.event(0)
    assert (event["outcome"], event["took"], event["reason"], event["param"]) == ("failed", 2.0, "boom", {"alpha": 0.1})


def test_files_are_known_by_their_names(tmp_path):
    """What the original left beside them is not read."""
    assert original.is_file_name(ONE)
    assert original.is_file_name(f"{ONE}.json")
    assert not original.is_file_name(".cache.pickle")
    write(tmp_path, ONE, 1, ago=60)
    (tmp_path / ".cache.pickle").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.\n")
    (tmp_path / "notes").write_text("hello\n")
    files = read(tmp_path)
    assert (len(files.ledger.ended), files.unreadable) == (1, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"uid": None},
        {"start": "x"},
        {"start": float("nan"), "atomic_actions": []},
        {"end": None},
        {"generation": "x"},
        {"atomic_actions": [{"name": "process", "start": None, "end": 1}]},
    ],
)
def test_a_line_that_is_none_is_counted(tmp_path, change):
    """And makes no minion."""
    write(tmp_path, ONE, 1, ago=60)
    line = json.loads((tmp_path / ONE).read_text())
    (tmp_path / OTHER).write_text(json.dumps({**line, "uid": OTHER, **change}) + "\n")
    files = read(tmp_path)
    assert (files.unreadable, [m.uid for m in files.ledger.minions]) == (1, [ONE])


def test_a_later_run_in_the_same_directory_is_another(tmp_path):
    """Where its engine is one that 0.3.x did not have; a ParamSweeper that it began and we finish is one run."""
    write(tmp_path, ONE, 1, ago=9000)
    Minion(tmp_path).ends("a")
    status = build(read(tmp_path), books(done=1), NOW)
    assert (status.counts.executions, [w.code for w in status.warnings]) == (1, ["other_queue"])
    status = build(read(tmp_path), books(done=2, engine="execo"), NOW)
    assert (status.counts.executions, status.warnings) == (2, ())
