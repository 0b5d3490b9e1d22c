"""``minion-status`` as it is typed: what it prints, how it ends, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import sys

import pytest
from status_events import NOW, Minion

from minionize import app
from minionize.cli.status import main
from minionize.errors import EngineUnavailable, NoQueue
from minionize.model import Counts, Traits


class _Queue:
    """An engine that can only be looked at."""

    traits = Traits(True, "timed", True, True, "exact", "durable", True, True)
    queue, where, notes = "q1", "minion-queue.db", ()

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


def test_a_directory_that_may_not_be_read_is_not_an_empty_one(here, monkeypatch, capsys):
    """Who looks is told so, instead of that there is nothing."""

    def refused(path):
        raise PermissionError(13, "Permission denied", path)

    Minion("minion-report").ends("a")
    monkeypatch.setattr("os.scandir", refused)
    assert main([]) == 5
    assert capsys.readouterr().err.startswith("minion-status: no queue here, and minion-report may not be read.")


def test_without_standard_output_the_exit_code_is_the_answer(here, monkeypatch, capsys):
    """Some daemons start programs so."""
    Minion("minion-report").ends("a", "failed", exit=1, dead=True).stops()
    monkeypatch.setattr("sys.stdout", None)
    assert main(["--exit-code"]) == 1
    sys.stdout.close()


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


@pytest.mark.parametrize(
    ("argv", "shown", "hidden"),
    [
        (["--failures", "--where", "node=h1"], "exit 2", "exit 1"),
        (["--failures", "1", "--where", "node=h0"], "t0", "t3"),
        (["--in-flight", "--where", "id=r2"], "m2", "m1"),
        (["--minions", "--where", "minion=m1"], "h1", "h0"),
        (["--nodes", "--where", "!node=h1"], "h0", "h1"),
        (["--slow", "--where", "param.n>1"], "n=2", "n=1"),
        (["--csv", "tasks", "--where", "outcome=failed", "--where", "param.n=1"], "t1", "t2"),
    ],
)
def test_every_list_can_be_filtered(here, capsys, argv, shown, hidden):
    """By the columns that its CSV has."""
    for n in range(3):
        minion = Minion("minion-report", f"m{n}", host=f"h{n}")
        minion.ends(f"t{n}", "failed", exit=n + 1, param=f'{{"n": {n}}}').starts(f"r{n}", ago=5)
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert shown in out
    assert hidden not in out


def test_a_filter_that_nothing_fits(here, capsys):
    """Says so; it is not that there is nothing."""
    Minion("minion-report").ends("a", "failed", exit=1)
    assert main(["--failures", "--where", "node=elsewhere"]) == 0
    assert capsys.readouterr().out == "none of 1 fits: node=elsewhere\n"
    assert main(["--slow", "--where", "node=elsewhere"]) == 0
    assert capsys.readouterr().out == "none of 1 fits: node=elsewhere\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--where", "node=x"], "--where goes with a list or with --csv."),
        (["--json", "--sort", "took"], "--sort goes with a list or with --csv."),
        (["--slow", "--where", "param.beta=1"], "no param has the field 'beta'\n  Columns: param.seed"),
        (["--nodes", "--sort", "size"], "there is no column 'size'\n  Columns: node, up"),
        (["--csv", "tasks", "-w"], "--csv writes one table, and --watch goes on."),
    ],
)
def test_what_does_not_go_together(here, capsys, argv, said):
    """Says what does."""
    Minion("minion-report").ends("a")
    assert main(argv) == 2
    assert said in capsys.readouterr().err


def test_lists_are_sorted_as_asked(here, capsys):
    """The largest first, or the other way round; what has no value is last."""
    minion = Minion("minion-report")
    for id, took, loss in (("a", 1.0, "0.5"), ("b", 3.0, '"none"'), ("c", 2.0, "0.25"), ("d", 4.0, None)):
        minion.ends(id, took=took, result=loss and f'{{"loss": {loss}}}')

    def ids(*argv):
        assert main(["--csv", "tasks", *argv]) == 0
        return [line[0] for line in capsys.readouterr().out.splitlines()[1:]]

    assert ids() == ["a", "b", "c", "d"]
    assert ids("--sort", "took") == ["d", "b", "c", "a"]
    assert ids("--sort=-took", "--limit", "2") == ["a", "c"]
    assert ids("--sort", "result.loss") == ["a", "c", "b", "d"]
    assert main(["--slow", "2"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["TOOK", "4.0s", "3.0s"]


def test_csv_tells_what_it_left_out(here, capsys):
    """On standard error, where it is in nobody's way."""
    Minion("minion-report", "old", queue="q0").ends("z")
    Minion("minion-report").ends("a").write("garbage\n")
    assert main(["--csv", "tasks"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err == (
        "minion-status: 1 unreadable line skipped in minion-report\n"
        "minion-status: 1 event of another queue in minion-report ignored\n"
    )


def test_quiet_shows_nothing(here, capsys):
    """The exit code is the answer; data that are asked for are no noise."""
    here(_Queue(1, 0, 0, 1, 0))
    Minion("minion-report").ends("a")
    assert main(["-q", "--exit-code"]) == 3
    assert capsys.readouterr() == ("", "")
    assert main(["-q", "--csv", "nodes"]) == 0
    assert capsys.readouterr().out.startswith("node,up,")


class _Slowly(_Queue):
    """A queue whose books change with each look."""

    def __init__(self, *states):
        super().__init__(*states[0])
        self.states = list(states)

    def counts(self):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return Counts(*state)


@pytest.fixture
def pauses(monkeypatch):
    """Take no time over pauses; returns how long they were to be. Ctrl-C comes after the fifth."""
    taken = []

    def sleep(seconds):
        taken.append(seconds)
        if len(taken) > 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("minionize.cli.status_watch.time.sleep", sleep)
    return taken


@pytest.mark.parametrize(("last", "code"), [((0, 0, 0, 2, 0), 0), ((0, 0, 0, 1, 1), 1)])
def test_wait_comes_back_when_the_run_is_over(here, capsys, pauses, last, code):
    """With what came of it, on the screen and as the exit code."""
    here(_Slowly((2, 0, 0, 0, 0), (1, 0, 0, 1, 0), (1, 0, 0, 1, 0), last))
    Minion("minion-report").ends("a")
    assert main(["--wait"]) == code
    assert pauses == [2.0, 2.0]
    assert "finished" in capsys.readouterr().out


def test_wait_comes_back_from_a_run_that_is_stalled(here, pauses):
    """Nothing would ever change."""
    here(_Slowly((1, 0, 0, 1, 0)))
    Minion("minion-report").ends("a").beats(ago=300)
    assert main(["--wait", "-q"]) == 4


def test_wait_for_nothing_is_an_answer(here, capsys, pauses):
    """There is neither a queue nor an event."""
    assert main(["--wait"]) == 5
    assert pauses == []


def test_a_queue_that_does_not_answer_for_a_while_does_not_end_the_waiting(here, pauses):
    """The events alone would say that it is over."""
    here(_Slowly((1, 0, 0, 1, 0), EngineUnavailable("gone"), (1, 0, 0, 1, 0), (0, 0, 0, 2, 0)))
    Minion("minion-report").ends("a").stops().beats()
    Minion("minion-report", "m2").ends("b")
    assert main(["--wait", "-q"]) == 0
    assert len(pauses) == 2


def test_interrupted_waiting_is_no_answer(here, pauses):
    """130, as of any command."""
    here(_Slowly((1, 0, 0, 1, 0)))
    Minion("minion-report").ends("a")
    assert main(["--wait"]) == 130
    assert main(["--wait", "-w"]) == 130


def test_watch_in_a_pipe_is_a_line_each_time(here, capsys, pauses):
    """Until somebody ends it, which is no failure."""
    here(_Slowly((2, 0, 0, 0, 0), (1, 0, 0, 1, 0)))
    Minion("minion-report").ends("a")
    assert main(["-w", "0.1"]) == 0
    assert pauses == [0.5] * 6
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert "done 0  in flight 0  pending 2" in lines[0]
    assert "done 1  in flight 0  pending 1" in lines[1]


def test_watch_as_json_is_an_object_a_line(here, capsys, pauses):
    """Only the interval and the end are ours."""
    here(_Slowly((2, 0, 0, 0, 0), (1, 0, 0, 1, 0), (0, 0, 0, 2, 0)))
    Minion("minion-report").ends("a")
    assert main(["--json", "-w", "1m", "--wait"]) == 0
    assert pauses == [60.0, 60.0]
    states = [json.loads(line)["run"]["state"] for line in capsys.readouterr().out.splitlines()]
    assert states == ["running", "running", "finished"]


def test_watch_shows_that_the_queue_does_not_answer(here, capsys, pauses):
    """And goes on; a queue that comes is found."""
    here(_Slowly((1, 0, 0, 0, 0), EngineUnavailable("cannot reach it\n  details"), (1, 0, 0, 0, 0)))
    Minion("minion-report").starts("a", ago=5)
    assert main(["--json", "-w"]) == 0
    texts = [[w["text"] for w in json.loads(line)["warnings"]] for line in capsys.readouterr().out.splitlines()]
    assert texts[:3] == [[], ["cannot reach it"], []]


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("0.1", 0.5), ("1m30s", 90.0)])
def test_an_interval_is_half_a_second_at_least(here, pauses, text, seconds):
    """Faster than that, looking would be the load."""
    here(_Slowly((1, 0, 0, 1, 0)))
    main(["--json", "-w", text])
    assert pauses[0] == seconds


def test_what_is_no_interval_is_named(here, capsys):
    """Such as the directory behind -w."""
    with pytest.raises(SystemExit):
        main(["-w", "minion-report"])
    assert "'minion-report' is no length of time (2, 0.5, 1m); REPORT_DIR goes before -w" in capsys.readouterr().err


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
