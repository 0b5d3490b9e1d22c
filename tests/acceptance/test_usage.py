"""Help, mistakes on the command line, settings and where they come from, and looking without touching."""

from __future__ import annotations

import os
import re

import pytest

import minionize

from .harness import RECORD, recorded


@pytest.fixture
def filled(here):
    """Return a place with a queue of three params."""
    here.put("a", "b", "c")
    return here


def untouched(here):
    """Tell whether the queue is as it was filled, and no minion has begun."""
    pending = [task[1:3] for task in here.tasks()] == [("pending", 1)] * 3
    return pending and "minion-report" not in here.names()


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["-j", "2", "--help", "true"]])
def test_help_is_printed(filled, words):
    """With examples and every option, anywhere before the command; and nothing is run."""
    done = filled.minionize(*words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: minionize [OPTIONS] [--] COMMAND [ARG...]")
    assert "--max-attempts" in done.out
    assert untouched(filled)


@pytest.mark.parametrize("command", ["minionize", "minion-queue", "minion-status"])
def test_every_command_has_help_and_a_version(here, command):
    """On standard output, with 0; nothing is made."""
    assert here.run(command, "--version").out == f"{command} {minionize.__version__}\n"
    done = here.run(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: {command}")
    assert here.names() == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["./a.oot", "{}"], 127, "command not found: ./a.oot"),
        (["simulaet"], 127, "command not found: simulaet"),
        (["./plain"], 126, "./plain is not executable"),
        (["./directory"], 126, "./directory is a directory"),
        ([], 2, "usage: minionize [OPTIONS] [--] COMMAND [ARG...]"),
        (["-j", "2"], 2, "usage: minionize [OPTIONS] [--] COMMAND [ARG...]"),
        (["--slot", "2", "true"], 2, "--slot"),
        (["--nonsense", "true"], 2, "--nonsense"),
        (["-j", "0", "true"], 2, 'MINION_SLOTS="0" (flag --slots) is not allowed: a whole number from 1, or auto'),
        (["--timeout", "soon", "true"], 2, 'MINION_TIMEOUT="soon" (flag --timeout) is not allowed: a duration'),
        (["--dead-on", "0", "true"], 2, 'MINION_DEAD_ON="0" (flag --dead-on) is not allowed: exit codes from 1 to 255'),
        (["--engine", "reddis", "true"], 2, 'MINION_ENGINE="reddis" (flag --engine)'),
        (["--reporter", "jsn", "true"], 2, 'MINION_REPORTER="jsn" (flag --reporter)'),
    ],
)
def test_a_mistake_leaves_the_queue_untouched(filled, words, code, said):
    """It is found before the first param is taken, and says what is wrong on standard error."""
    filled.write("plain", "")
    (filled.path / "directory").mkdir()
    done = filled.minionize(*words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert untouched(filled)


def test_a_bad_value_in_the_environment_is_named_with_its_source(filled):
    """And what is allowed; nothing is run."""
    done = filled.minionize("true", MINION_LEASE="long")
    assert done.code == 2
    assert done.err.startswith('minionize: MINION_LEASE="long" (environment) is not allowed: a duration above 0')
    assert untouched(filled)


@pytest.mark.parametrize("command", [["minionize", "true"], ["minion-queue", "show"], ["minion-status"]])
def test_a_variable_that_is_no_setting_is_warned_about(filled, command):
    """With the nearest name; the command goes on."""
    done = filled.run(*command, MINION_TIMOUT="5s")
    assert done.code == 0
    assert "MINION_TIMOUT (environment) is not a setting, and ignored. Did you mean MINION_TIMEOUT?" in done.err


def test_the_configuration_says_where_each_value_comes_from(here):
    """Flag before environment before ``.env`` before default; other names of ``.env`` are not looked at."""
    here.write(".env", "MINION_SLOTS=3\nMINION_LEASE=90s\nMINION_GRACE=9s\nSECRET=42\nMINION_HALT=\n")
    done = here.minionize("--grace", "1s", "--show-config", MINION_LEASE="30s")
    assert done.code == 0
    rows = {fields[0]: tuple(fields[1:]) for fields in (re.split(r"  +", line) for line in done.out.splitlines())}
    assert rows["MINION_SLOTS"] == ("3", "./.env")
    assert rows["MINION_LEASE"] == ("30s", "environment")
    assert rows["MINION_GRACE"] == ("1s", "flag --grace")
    assert rows["MINION_BACKOFF"] == ("1s", "default")
    assert rows["MINION_HALT"] == ("0", "default")
    assert "SECRET" not in done.out
    assert here.names() == [".env"]


def test_settings_of_the_directory_are_used(here):
    """By all three commands; what ``.env`` says besides does not reach the children."""
    here.write(".env", "SQLITE_PATH=mine.db\nREPORTER_JSON_DIRECTORY=mine\nMINION_SLOTS=3\nSECRET=42\n")
    here.put("a")
    assert here.minionize("sh", "-c", 'echo "${SECRET-none} $1"', "-").out == "none a\n"
    assert here.run("minion-status").out.splitlines()[2] == "done 1"
    assert here.names() == [".env", "mine", "mine.db", "mine.db-lock"]
    [path] = (here.path / "mine").iterdir()
    assert '"slots": 3' in path.read_text(encoding="utf-8")


def test_a_flag_wins(filled):
    """Over the environment, which wins over ``.env``."""
    filled.write(".env", "MINION_MAX_TASKS=3\n")
    assert filled.minionize("--max-tasks", "1", "echo", MINION_MAX_TASKS="2").out == "a\n"
    assert filled.minionize("echo", MINION_MAX_TASKS="1").out == "b\n"


def test_an_unreadable_line_of_the_directorys_settings(filled):
    """It is said, and the rest is taken."""
    filled.write(".env", "MINION_OUTPUT=none\nthis is no setting\n")
    done = filled.minionize("echo")
    assert (done.code, done.out) == (0, "")
    assert "./.env" in done.err


def test_a_dry_run_prints_command_lines_and_takes_nothing(here):
    """Of the first ten pending params, quoted for a shell; all of them with ``-v``; ``DRY`` does it too."""
    here.put_lines(*({"n": n, "name": "it's"} for n in range(12)))
    record = here.script("record", RECORD)
    done = here.minionize("-n", record, "{n}", "{name}")
    assert done.code == 0
    assert done.out.splitlines() == [*(f"./record {n} 'it'\\''s'" for n in range(10)), "... and more; -v prints all"]
    everything = here.minionize("-n", "-v", record, "{n}", "{name}").out.splitlines()
    assert everything[9:] == [f"./record {n} 'it'\\''s'" for n in (9, 10, 11)]
    assert here.minionize(record, "{n}", "{name}", DRY="1").out == done.out
    assert recorded(here) == []
    assert here.books() == {"pending": 12}
    # What was printed is what a shell makes of it, and what would be run.
    shell = here.run("sh", "-c", everything[0])
    assert (shell.code, recorded(here)) == (0, [[b"0", b"it's"]])


def test_a_dry_run_names_the_params_that_make_no_command_line(here):
    """And ends with 2."""
    here.put_lines("fine", "it's", {"n": 1})
    done = here.minionize("--dry-run", "echo")
    assert done.code == 2
    assert done.out.splitlines()[0] == "echo fine"
    assert "no command line" in done.out.splitlines()[1]
    assert done.out.splitlines()[-1] == "echo --n=1"


def test_a_dry_run_of_standard_input(here):
    """It cannot be looked at without being taken: this is said, and nothing is read or run."""
    done = here.minionize("-n", "echo", input=b"1\n", MINION_ENGINE="file")
    assert (done.code, done.out) == (2, "")
    assert "standard input" in done.err


def test_a_dry_run_of_a_file(here):
    """Its lines are shown, before any minion has made a queue of it and after; no queue is made."""
    here.write("params.txt", "a b\nc\n")
    file = {"MINION_ENGINE": "file", "FILE_PATH": "params.txt"}
    assert here.minionize("-n", "echo", "{}", **file) == (0, "echo 'a b'\necho c\n", "")
    assert here.names() == ["params.txt"]
    assert here.minionize("--max-tasks", "1", "echo", **file).code == 99
    assert here.minionize("-n", "echo", "{}", **file).out == "echo c\n"


def test_the_doctor_finds_all_well(filled):
    """A line per check: queue and its file system, command, reports, clock; and nothing is made or taken."""
    done = filled.minionize("--doctor", "echo")
    assert done.code == 0, done.out
    checks = {line.split()[1]: line for line in done.out.splitlines()}
    assert all(line.startswith("ok ") for line in checks.values())
    assert {"queue", "command", "reports", "clock"} <= set(checks)
    assert "sqlite at minion-queue.db, on " in checks["queue"]
    assert "3 pending" in checks["queue"]
    assert checks["command"].endswith("/echo")
    assert untouched(filled)


def test_the_doctor_finds_what_is_wrong(here):
    """All of it at once, with the cures; exit 1."""
    here.write("reports", "a file")
    done = here.minionize("--doctor", "./a.oot", REPORTER_JSON_DIRECTORY="reports/mine")
    assert done.code == 1
    wrong = [line.split()[1] for line in done.out.splitlines() if line.startswith("FAIL")]
    assert wrong == ["queue", "command", "reports"]
    assert "there is no queue at minion-queue.db" in done.out
    assert "command not found: ./a.oot" in done.out
    assert here.names() == ["reports"]


@pytest.mark.parametrize(
    ("name", "content"), [("text", b"this is a text of mine, and not a queue\n" * 30), ("empty", b"")]
)
def test_a_file_that_is_no_queue(here, name, content):
    """It is refused, and left as it is."""
    here.write(name, content)
    for command in (["minionize", "true"], ["minion-queue", "show"]):
        done = here.run(*command, SQLITE_PATH=name)
        assert done.code == 2
        assert name in done.err
        assert "Traceback" not in done.err
    assert (here.path / name).read_bytes() == content


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "VERB"),
        (["sohw"], "sohw"),
        (["show", "--al"], "--al"),
        (["list", "--state", "ded"], "ded"),
        (["retry"], "minion-queue retry --all"),
        (["retry", "--all", "1234"], "minion-queue retry --all"),
        (["release"], "minion-queue release --lost"),
        (["cancel"], "ID"),
        (["clear"], "minion-queue clear --yes"),
        (["show", "beef"], "there is no task beef"),
        (["cancel", "beef"], "there is no task beef"),
    ],
)
def test_a_mistake_in_administration_changes_nothing(filled, words, said):
    """Exit 2, and what to type."""
    done = filled.run("minion-queue", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert untouched(filled)


@pytest.mark.parametrize("verb", ["show", "list", "drain", "resume"])
def test_administration_makes_no_queue(here, verb):
    """Only ``put`` does."""
    done = here.run("minion-queue", verb)
    assert done.code == 2
    assert "there is no queue at minion-queue.db" in done.err
    assert here.names() == []


def test_the_status_of_nothing(here):
    """Exit 5, and what to do; nothing is made."""
    done = here.run("minion-status")
    assert (done.code, done.out) == (5, "")
    assert "no queue here and no events" in done.err
    assert here.names() == []


def test_a_listing_into_a_closed_pipe(filled):
    """Ends quietly, as by SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    for command in (["minion-queue", "list"], ["minionize", "--help"], ["minion-status", "--json"]):
        started = filled.start(*command, stdout=writer)
        assert started.wait() == (141, "", "")
    os.close(writer)
