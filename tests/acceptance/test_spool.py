"""The spool as its users meet it: by default on a shared file system, on two machines, and beside a file of params."""

from __future__ import annotations

import os

import pytest

from minionize import place
from minionize.app import open_engine, open_to_work
from minionize.settings import load

from .harness import Place, signal, until


@pytest.fixture
def machines(two_mounts, tmp_path):
    """Return two places to type in: the same directory, as two machines see it."""
    first, second = Place(tmp_path / "a", here=two_mounts[0]), Place(tmp_path / "b", here=two_mounts[1])
    yield first, second
    first.leave()
    second.leave()


def test_on_a_shared_file_system_the_spool_is_the_default(machines):
    """Filled on one machine, worked off on both, with no setting at all; the first lines say what and where."""
    first, second = machines
    assert first.run("minion-queue", "put", "1..40").out == "minion-queue.d: 40 added\n"
    until(lambda: second.run("minion-queue", "show").code == 0, "the other machine sees the queue")
    minions = [here.start("minionize", "echo") for here in machines for _ in range(2)]
    done = [minion.wait() for minion in minions]
    assert [one.code for one in done] == [0] * 4
    assert sorted(int(line) for one in done for line in one.out.split()) == list(range(1, 41))
    for one in done:
        said = one.err.splitlines()
        assert " takes params from minion-queue.d (spool), 1 at a time." in said[0]
        assert said[1].startswith("minionize: minion-queue.d is on fuse")
    assert second.books() == {"done": 40}


def test_a_frozen_minion_loses_its_task_to_another_machine(here):
    """It stands still for longer than its lease; when it goes on, its program is stopped and nothing is done twice."""
    spool = {"MINION_ENGINE": "spool", "MINION_LEASE": "1s"}
    gate = here.gate()
    run = here.script(
        "run.sh", 'echo "$1 $MINION_ID" >> begun; test -e once && exit 0; > once; read _ < gate; echo "$1" >> late'
    )
    here.run("minion-queue", "put", "only", **spool)
    frozen = here.start("minionize", run, **spool)
    (begun,) = here.wait_for_lines("begun")
    frozen.signal(signal.SIGSTOP)
    heir = here.start("minionize", run, **spool)
    assert heir.wait().code == 0
    frozen.signal(signal.SIGCONT)
    assert frozen.wait().code == 0
    gate.open()
    assert [line.split()[0] for line in here.lines("begun")] == ["only", "only"]
    assert here.lines("late") == []
    assert sorted(here.outcomes()) == ["done", "lost"]
    assert begun.split()[1] in {event["minion"] for event in here.events() if event["outcome"] == "lost"}


def test_a_file_of_params_has_its_spool_beside_it(tmp_path, monkeypatch):
    """Where the file is on a file system that others share; once it is there, it is taken wherever one looks from."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.txt").write_text("a\nb\n")
    settings = load(environ={"MINION_ENGINE": "file", "FILE_PATH": "params.txt"})
    monkeypatch.setattr(place, "filesystem", lambda path: "nfs4")
    engine = open_to_work(settings, place.identity())
    assert (engine.where, engine.counts().pending) == ("params.txt.queue.d", 2)
    engine.close()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    again = open_engine(settings)
    assert (again.where, again.counts().pending) == ("params.txt.queue.d", 2)
    again.close()
    assert sorted(os.listdir()) == ["params.txt", "params.txt.queue.d"]
