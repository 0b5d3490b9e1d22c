"""``minion-status`` as it is typed: what it prints, how it ends, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os

import pytest
from status_events import NOW, Minion

from minionize import app
from minionize.cli.status import main
from minionize.errors import EngineUnavailable, NoQueue
from minionize.model import Counts, Traits


class _Queue:
    """An engine that can only be looked at."""

    traits = Traits(True, "timed", True, True, "exact", "durable", True, True)
    queue, where = "q1", "minion-queue.db"

    def __init__(self, *counts):
        self.books, self.closed = Counts(*counts), False

    def counts(self):
        return self.books

    def close(self):
        self.closed = True


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in an empty directory, at a fixed time, with no queue; returns what sets the queue."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("MINION_", "REPORTER_", "FILE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("time.time", lambda: NOW)

    def use(queue):
        def open_engine(settings, me=None, *, create=False):
            assert not create
            if isinstance(queue, Exception):
                raise queue
            return queue

        monkeypatch.setattr(app, "open_engine", open_engine)
        return queue

    use(NoQueue("there is no queue"))
    return use


def test_neither_queue_nor_events(here, tmp_path, capsys):
    """Exit 5, with what to type; nothing is made."""
    assert main([]) == 5
    assert "no queue here and no events in ./minion-report" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_queue_without_events_is_a_report(here, capsys):
    """Its counts; the queue is closed again."""
    queue = here(_Queue(3, 0, 0, 1, 0))
    assert main([]) == 0
    assert "done 1  in flight 0  pending 3" in capsys.readouterr().out
    assert queue.closed


def test_events_without_a_queue_are_a_report(here, capsys):
    """From the default directory, the one that is configured, or the one that is named."""
    Minion("minion-report").ends("a")
    assert main([]) == 0
    assert "done 1" in capsys.readouterr().out
    os.rename("minion-report", "kept")
    assert main(["kept"]) == 0
    assert main([]) == 5


def test_a_directory_that_is_named_must_be_there(here, capsys):
    """It is a typo, not an empty report."""
    assert main(["minion-reprot"]) == 2
    assert capsys.readouterr().err.startswith("minion-status: there is no directory minion-reprot\n")


def test_a_queue_that_does_not_answer(here, capsys):
    """Exit 69; the events are shown nevertheless."""
    here(EngineUnavailable("cannot reach the queue"))
    assert main([]) == 69
    assert capsys.readouterr().out == ""
    Minion("minion-report").ends("a")
    assert main([]) == 69
    printed = capsys.readouterr()
    assert "done 1" in printed.out
    assert printed.err == "minion-status: cannot reach the queue\n"


@pytest.mark.parametrize(
    ("counts", "alive", "code"),
    [
        ((0, 0, 0, 2, 0), True, 0),
        ((0, 0, 0, 1, 1), True, 1),
        ((1, 0, 0, 1, 0), True, 3),
        ((1, 0, 0, 1, 0), False, 4),
    ],
)
def test_the_exit_code_tells_the_state_when_asked(here, counts, alive, code):
    """0 finished, 1 with failures, 3 running, 4 stalled; 0 when not asked."""
    here(_Queue(*counts))
    Minion("minion-report").ends("a").beats(ago=0 if alive else 300)
    assert main(["--exit-code"]) == code
    assert main([]) == 0


def test_json_is_one_line(here, capsys):
    """For programs."""
    here(_Queue(1, 0, 0, 1, 0))
    Minion("minion-report").ends("a", param='{"x": "\\ud800"}')
    assert main(["--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["counts"]["total"] == 2


def test_a_group_that_does_not_exist(here, capsys):
    """Says how many there are."""
    Minion("minion-report").ends("a", "failed", exit=1, stderr="boom\n")
    assert main(["--failures", "1"]) == 0
    assert "  boom\n" in capsys.readouterr().out
    assert main(["--failures", "2"]) == 2
    assert "there is no group 2: there is 1\n" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--failures", "--in-flight", "--minions", "--nodes"])
def test_each_list_can_be_printed_and_cut(here, capsys, option):
    """``--limit`` says how many rows."""
    for n in range(3):
        Minion("minion-report", f"m{n}", host=f"h{n}").ends(f"t{n}", "failed", exit=n + 1).starts(f"r{n}", ago=5)
    assert main([option, "--limit", "1"]) == 0
    assert "+ 2 more   --limit 0 shows all" in capsys.readouterr().out
    assert main([option, "--limit", "0"]) == 0
    assert "more   --limit" not in capsys.readouterr().out


def test_a_pipe_gets_no_escapes_unless_it_asks(here, capsys, monkeypatch):
    """``--color`` wins over NO_COLOR, NO_COLOR over FORCE_COLOR."""
    Minion("minion-report").ends("a")

    def coloured(*argv):
        main([*argv])
        return "\x1b[" in capsys.readouterr().out

    assert not coloured()
    assert coloured("--color", "always")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert coloured()
    assert not coloured("--color", "never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured()
    assert coloured("--color=always")


def test_looking_at_a_file_of_params_puts_nothing(here, monkeypatch, tmp_path):
    """The queue beside it is opened as it is; standard input is nobody's queue and is not read."""
    monkeypatch.setenv("MINION_ENGINE", "file")
    assert main([]) == 5
    (tmp_path / "params.txt").write_text("1\n2\n")
    monkeypatch.setenv("FILE_PATH", "params.txt")
    assert main([]) == 5
    assert os.listdir(tmp_path) == ["params.txt"]
