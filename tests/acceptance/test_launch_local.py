"""``minion-launch local``: detached minions, and what another shell can do with them later."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal

import pytest

from .harness import runs, until

#: Says who it is, and waits until it is let through.
WAIT = 'echo "$1" >> begun; read _ < gate; echo "$1" >> ended'


def launch(here, *words, **options):
    """Launch minions; returns the launch's id."""
    done = here.run("minion-launch", "local", *words, **options)
    assert done.code == 0, done.err
    return re.match(r"(l[0-9a-f]{6}): ", done.out)[1]


def minions(here, id):
    """Ask what has become of each minion."""
    done = here.run("minion-launch", "status", id, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["minions"]


def wait_for_end(here, id):
    """Wait until all minions of a launch have ended; returns what is said of them."""
    until(lambda: {minion["state"] for minion in minions(here, id)} == {"ended"}, f"the end of {id}")
    return minions(here, id)


def test_minions_share_the_work(here):
    """Each param once, and each minion's words in a file of its own."""
    here.put("1..40")
    id = launch(here, "-c", "3", "-j", "2", "--", "sh", "-c", 'echo "$1" >> done', "-")
    ended = wait_for_end(here, id)
    assert sorted(map(int, here.lines("done"))) == list(range(1, 41))
    assert [(one["number"], one["exit"], one["note"]) for one in ended] == [(n, 0, "settled") for n in range(3)]
    assert sorted(os.listdir(here.path / "minion-launch" / id)) == ["0.log", "1.log", "2.log"]
    assert "takes params from minion-queue.db" in (here.path / "minion-launch" / id / "1.log").read_text()


def test_what_to_type_next_is_said(here):
    """Each of these lines works as it stands."""
    here.put("1")
    done = here.run("minion-launch", "local", "--", "true")
    assert re.match(r"l[0-9a-f]{6}: 1 minion by local \(pid \d+\), on minion-queue.db \(sqlite\)\n", done.out)
    for line in ("minion-status -w", "minion-launch status l", "minion-launch drain l", "minion-launch stop l"):
        assert line in done.out
    wait_for_end(here, done.out[:7])


def test_minions_survive_what_started_them(here):
    """They are in sessions of their own: neither a hang-up nor the end of a terminal is theirs."""
    here.put("1..2")
    gate = here.gate()
    id = launch(here, "-c", "2", "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun", 2)
    handle = json.loads(here.run("minion-launch", "status", id, "--json").out)["handle"]
    pids = [process["pid"] for process in handle["processes"]]
    assert all(os.getsid(pid) == pid for pid in pids)
    gate.open()
    assert {one["exit"] for one in wait_for_end(here, id)} == {0}


def test_stop_gives_tasks_back(here):
    """From another directory, by the beginning of the id; nothing is charged, nothing is left."""
    here.put("1..2")
    here.gate()
    id = launch(here, "-c", "2", "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun", 2)
    elsewhere = here.path / "elsewhere"
    elsewhere.mkdir()
    assert here.run("minion-launch", "stop", id[:4], cwd=elsewhere).code == 0
    assert {one["exit"] for one in wait_for_end(here, id)} == {128 + signal.SIGTERM}
    assert here.books() == {"pending": 2}
    assert [task[2] for task in here.tasks()] == [1, 1]


def test_drain_lets_tasks_end(here):
    """What runs is done, what waits is left; 99 says that work is left."""
    here.put("1..3")
    gate = here.gate()
    id = launch(here, "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun")
    assert here.run("minion-launch", "drain", id).code == 0
    gate.open()
    [minion] = wait_for_end(here, id)
    assert (minion["exit"], minion["note"]) == (99, "drain")
    assert here.books() == {"pending": 2, "done": 1}


def test_kill_asks_nobody(here):
    """The minion says no last word; its children go with it."""
    here.put("1")
    here.gate()
    id = launch(here, "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun")
    assert here.run("minion-launch", "stop", "--kill", id).code == 0
    [minion] = wait_for_end(here, id)
    assert (minion["exit"], minion["note"]) == (None, "it vanished")


def test_a_stranger_with_a_pid_of_ours_is_left_alone(here):
    """A pid is used again; with another start time it is another process."""
    here.put("1")
    id = launch(here, "--", "true")
    wait_for_end(here, id)
    stranger = here.start("sleep", "1000")
    [path] = (here.path / ".local/state/minionize/launches").iterdir()
    record = json.loads(path.read_text())
    record["handle"]["processes"][0]["pid"] = stranger.pid
    path.write_text(json.dumps(record))
    assert here.run("minion-launch", "stop", "--kill", id).code == 0
    assert minions(here, id)[0]["state"] == "ended"
    assert runs(stranger.pid)


def test_settings_reach_minions(here):
    """Flags, and variables of the shell; those of a file they read themselves."""
    here.put("1..4")
    here.write(".env", "MINION_MAX_ATTEMPTS=1\nMINION_LAUNCH_COUNT=2\n")
    id = launch(here, "--max-tasks", "1", "--", "sh", "-c", "exit 3", MINION_IGNORE_FAILURES="1")
    assert [(one["exit"], one["note"]) for one in wait_for_end(here, id)] == [(99, "max_tasks")] * 2
    assert here.books() == {"pending": 2, "dead": 2}
    assert "MINION_LAUNCH" not in (here.path / "minion-launch" / id / "0.log").read_text()


def test_a_walltime_is_a_lifetime_here(here):
    """Nobody else would end them in time."""
    here.put("1")
    shown = here.run("minion-launch", "local", "--walltime", "90m", "--script", "--", "true")
    assert "export MINION_LIFETIME=1h30m\n" in shown.out
    clock = here.run("minion-launch", "local", "--walltime", "1:30:00", "--script", "--", "true")
    assert "export MINION_LIFETIME=1h30m\n" in clock.out
    mine = here.run("minion-launch", "local", "--walltime", "90m", "--lifetime", "5m", "--script", "--", "true")
    assert "export MINION_LIFETIME=5m\n" in mine.out


def test_lines_of_shell_come_first(here):
    """In their order, in the minion's own shell."""
    here.put("1")
    words = ("--before", "WHO=ana", "--before", 'export WHO="$WHO b"')
    id = launch(here, *words, "--", "sh", "-c", 'echo "$WHO" > who')
    wait_for_end(here, id)
    assert here.lines("who") == ["ana b"]


def test_why_a_minion_did_not_start_is_shown(here):
    """Its last words, where it left no event."""
    here.put("1")
    id = launch(here, "--before", "MINION_SLOTS=none; export MINION_SLOTS", "--", "true")
    [minion] = wait_for_end(here, id)
    assert minion["note"].startswith('minionize: MINION_SLOTS="none" (environment) is not allowed')


def test_what_would_be_done_is_only_shown(here):
    """Neither --script nor --dry-run leaves a trace, nor does DRY=1."""
    here.put("1")
    before = here.names()
    script = here.run("minion-launch", "local", "-c", "2", "--script", "--", "true")
    assert script.out.splitlines()[0] == "{"
    assert "for number in 0 1; do" in script.out
    for words, environ in ((("-n",), {}), ((), {"DRY": "1"})):
        assert here.run("minion-launch", "local", *words, "--", "true", **environ).out == "/bin/sh < SCRIPT\n"
    assert here.names() == before
    assert here.books() == {"pending": 1}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "usage: minion-launch LAUNCHER"),
        (("local",), 2, "run what?\n  minion-launch local -c 10 -- ./simulate {seed}"),
        (("lokal", "true"), 2, '"lokal" is not a launcher. Did you mean "local"?'),
        (("local", "-c", "0", "--", "true"), 2, 'MINION_LAUNCH_COUNT="0" (flag --count) is not allowed'),
        (("local", "--walltime", "60", "--", "true"), 2, "is not allowed: a duration with its unit"),
        (("local", "--walltime", "9" * 400 + "d", "--", "true"), 2, "up to 1000d"),
        (("local", "--name", "a b", "--", "true"), 2, 'MINION_LAUNCH_NAME="a b" (flag --name) is not allowed'),
        (("local", "--hosts", "a", "--", "true"), 2, "unrecognized arguments"),
        (("local", "--", "surely-no-command"), 127, "command not found: surely-no-command"),
        (("--to",), 2, "--to what?"),
        (("--to", "local,lokal", "--", "true"), 2, '"lokal" is not a launcher'),
        (("status", "l0"), 2, "there is no launch l0.\n  See them:  minion-launch list"),
        (("stop",), 2, "required: ID"),
    ],
)
def test_what_is_wrong_is_said(here, words, code, said):
    """With what to type; nothing is started, nothing recorded."""
    here.put("1")
    done = here.run("minion-launch", *words)
    assert (done.code, said in done.err) == (code, True), done.err
    assert ".local" not in here.names()
    assert "minion-launch" not in here.names()


def test_no_queue_no_minions(here):
    """The same words as minionize has; --service waits for one."""
    done = here.run("minion-launch", "local", "--", "true")
    assert done.code == 2
    assert "there is no queue at minion-queue.db" in done.err
    id = launch(here, "--service", "--", "true")
    here.put("1")
    until(lambda: here.books() == {"done": 1}, "the param was done")
    assert here.run("minion-launch", "stop", id).code == 0
    wait_for_end(here, id)


def test_standard_input_is_no_queue_for_many(here):
    """A file is one: its lines are put beside it once."""
    done = here.run("minion-launch", "local", "--", "true", MINION_ENGINE="file")
    assert (done.code, "FILE_PATH=params.txt" in done.err) == (2, True)
    here.write("params.txt", "a\nb\nc\n")
    id = launch(
        here, "-c", "2", "--", "sh", "-c", 'echo "$1" >> done', "-", MINION_ENGINE="file", FILE_PATH="params.txt"
    )
    wait_for_end(here, id)
    assert sorted(here.lines("done")) == ["a", "b", "c"]


def test_the_first_that_takes_it_has_it(here):
    """And why the others did not is said."""
    here.put("1")
    tools = here.path / "tools"
    tools.mkdir()
    for name in ("cat", "mkdir", "setsid"):
        (tools / name).symlink_to(shutil.which(name))
    here.environ["PATH"] = str(tools)
    done = here.run("minion-launch", "--to", "slurm,ssh,local", "--", "/bin/true")
    assert done.code == 0, done.err
    assert "not slurm: there is no command sbatch on PATH\n" in done.err
    assert "not ssh: there is no command ssh on PATH\n" in done.err
    assert "chosen: local\n" in done.err
    wait_for_end(here, done.out[:7])


def test_none_that_takes_it(here):
    """All reasons, and no success."""
    here.put("1")
    here.environ["PATH"] = "/nowhere"
    done = here.run("minion-launch", "--to=slurm,local", "--besteffort", "--", "/bin/true")
    assert done.code == 1
    assert "none of slurm, local takes it:\n  slurm: there is no command sbatch on PATH\n" in done.err
    assert "  local: local has no --besteffort\n" in done.err


def test_nothing_starts_that_cannot_be_recorded(here):
    """Or nobody could end it."""
    here.put("1")
    here.write(".local", "in the way")
    done = here.run("minion-launch", "local", "--", "true")
    assert done.code == 1
    assert "nothing was started, since it cannot be recorded" in done.err
    assert here.books() == {"pending": 1}
    assert here.events("minion_start") == []
    assert "minion-launch" not in here.names()


def test_what_runs_and_could_not_be_recorded_says_so(here):
    """With its job, and how it is ended by hand."""
    here.put("1")
    here.gate()
    # The record's directory vanishes while minions are started.
    spoil = 'rm -rf "$HOME/.local"; : > "$HOME/.local"'
    done = here.run("minion-launch", "local", "--before", spoil, "--", "sh", "-c", WAIT, "-")
    assert done.code == 1
    [pid] = re.findall(r"They are pid (\d+)\. End them by:  kill \1$", done.err, re.MULTILINE)
    assert runs(int(pid))
    here.wait_for_lines("begun")
    os.kill(int(pid), signal.SIGTERM)
    until(lambda: not runs(int(pid)), "it ended")


def test_a_launch_that_was_cut_off_is_known(here):
    """Whoever is killed in the middle leaves a record that says as much."""
    here.put("1")
    here.gate()
    launching = here.start("minion-launch", "local", "--before", "echo x > begun; read _ < gate", "--", "true")
    here.wait_for_lines("begun")
    launching.kill()
    listed = here.run("minion-launch", "list")
    assert "? (submitting)" in listed.out
    other = launch(here, "--", "true")
    done = here.run("minion-launch", "stop", listed.out.splitlines()[1][:7], other)
    assert done.code == 1
    assert "whether anything was started, it does not know" in done.err
    assert done.out.startswith(f"{other}: told to end")
    here.path.joinpath("gate").unlink()
    for pid in here.processes():
        os.kill(pid, signal.SIGKILL)


def test_a_launch_that_is_interrupted_says_what_to_ask(here):
    """Ctrl-C comes when nobody knows yet whether the minions were started."""
    here.put("1")
    here.gate()
    launching = here.start("minion-launch", "local", "--before", "echo x > begun; read _ < gate", "--", "true")
    here.wait_for_lines("begun")
    launching.signal(signal.SIGINT)
    done = launching.wait()
    assert done.code == 128 + signal.SIGINT
    [id] = re.findall(r"was started is not known\. Ask:  minion-launch status (\w+)\n", done.err)
    assert here.run("minion-launch", "list").out.splitlines()[1].startswith(id)
    until(lambda: not here.processes(), "the end of the shell")


def test_two_at_once(here):
    """Each has its own record, its own logs."""
    here.put("1..20")
    both = [here.start("minion-launch", "local", "-c", "2", "--", "true") for _ in range(2)]
    ids = {one.wait().out[:7] for one in both}
    assert len(ids) == 2
    for id in ids:
        wait_for_end(here, id)
    listed = json.loads(here.run("minion-launch", "list", "--json").out)["launches"]
    assert {launch["id"] for launch in listed} == ids
    assert here.books() == {"done": 20}


def test_a_record_of_another_machine(here):
    """Its pids mean others here."""
    here.put("1")
    id = launch(here, "--", "true")
    wait_for_end(here, id)
    [path] = (here.path / ".local/state/minionize/launches").iterdir()
    record = json.loads(path.read_text())
    record["handle"]["processes"][0] |= {"host": "elsewhere", "boot": "another"}
    path.write_text(json.dumps(record))
    done = here.run("minion-launch", "status", id)
    assert (done.code, "these minions are on elsewhere" in done.err) == (1, True)
