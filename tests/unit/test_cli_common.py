"""What the commands share: options made from the table, and how a command ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from minionize.cli.common import add_settings, flags_of, parser, run
from minionize.errors import CommandNotFound, UsageError
from minionize.settings.table import TABLE


def options(*argv):
    """Parse a command line with every setting's option."""
    made = parser("minionize")
    add_settings(made)
    return made.parse_args(argv)


def python(code, **options):
    """Run a program that ends by what `run` returns."""
    code = f"import sys\nfrom minionize.cli.common import run, parser\n{code}"
    # Buffered, as commands are: a write that fails shows when the buffer is written out.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-c", code], env=env, stderr=subprocess.PIPE, text=True, check=False, **options
    )


def raising(error):
    """Make a command that fails in this way."""

    def body():
        raise error

    return body


def test_only_flags_that_were_given_are_returned():
    """So that the environment decides about the others."""
    assert flags_of(options()) == {}
    assert flags_of(options("-j", "4", "--wait", "--dead-on=64,65", "-n")) == {
        "MINION_SLOTS": "4",
        "MINION_WAIT": "1",
        "MINION_DEAD_ON": "64,65",
        "DRY": "1",
    }


def test_every_flag_of_the_table_is_an_option():
    """Both spellings, and help names the variable."""
    made = parser("minionize")
    add_settings(made)
    text = made.format_help()
    for row in TABLE:
        assert all(flag in text for flag in row.flags)
        assert (f"({row.name}" in " ".join(text.split())) == bool(row.flags)


def test_help_names_the_default():
    """Of those that have one."""
    made = parser("minionize")
    add_settings(made, ["minion"])
    assert "(MINION_GRACE, default: 5s)" in " ".join(made.format_help().split())
    assert "(MINION_TIMEOUT)" in " ".join(made.format_help().split())


def test_a_command_takes_the_groups_it_understands():
    """minion-queue has an engine, and no slots."""
    made = parser("minion-queue")
    add_settings(made, ["queue"])
    assert flags_of(made.parse_args(["--engine", "sqlite"])) == {"MINION_ENGINE": "sqlite"}
    with pytest.raises(SystemExit):
        made.parse_args(["--slots", "2"])


@pytest.mark.parametrize("argv", [["--slot", "2"], ["--nonsense"], ["--slots"]])
def test_a_bad_option_leaves_with_2_and_says_what_to_type(argv, capsys):
    """Abbreviations are bad options: the next release may have two of them."""
    with pytest.raises(SystemExit) as caught:
        options(*argv)
    assert caught.value.code == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("minionize: ")
    assert second == "  try: minionize --help"


def test_a_commands_code_is_its_own():
    """Nothing is said about it."""
    assert run("minionize", lambda: 99) == 99


@pytest.mark.parametrize(("error", "code"), [(UsageError("a\n  b"), 2), (CommandNotFound("a\n  b", 126), 126)])
def test_an_error_of_ours_is_said_without_a_traceback(error, code, capsys):
    """With the code that it has."""
    assert run("minion-queue", raising(error)) == code
    assert capsys.readouterr().err == "minion-queue: a\n  b\n"


def test_an_error_of_ours_has_a_traceback_if_asked_for(capsys):
    """With -vv."""
    assert run("minionize", raising(UsageError("a")), verbose=True) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("\nminionize: a\n")


def test_ctrl_c_leaves_with_130_and_says_nothing(capsys):
    """Who typed it knows."""
    assert run("minionize", raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""


def test_an_unexpected_error_leaves_its_traceback_in_a_file(tmp_path, monkeypatch, capsys):
    """One line for people, the rest for the report; addresses without their passwords."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run("minion-queue put", raising(KeyError("redis://u:secret@h"))) == 70
    first, second = capsys.readouterr().err.splitlines()
    assert first == "minion-queue put: unexpected error: KeyError: 'redis://u:***@h'"
    (path,) = tmp_path.iterdir()
    assert second.endswith(str(path))
    text = path.read_text()
    assert text.startswith("Traceback")
    assert "secret" not in text


def test_a_write_that_would_have_to_wait_is_no_lack_of_processes(capsys):
    """Both have one number; of the second the host is to blame."""
    assert run("x", raising(BlockingIOError(11, "would block", 0))) == 70
    assert run("x", raising(BlockingIOError(11, "unavailable"))) == 71
    assert run("x", raising(RuntimeError("something else"))) == 70
    assert capsys.readouterr().err.count("no process or thread can be started here") == 1


def test_an_unexpected_error_shows_its_traceback_if_asked_for(tmp_path, monkeypatch, capsys):
    """Or where no file can be written."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    for verbose in (True, False):
        assert run("minionize", raising(KeyError("x")), verbose) == 70
        err = capsys.readouterr().err
        assert err.count("Traceback") == 1
        assert err.endswith("minionize: unexpected error: KeyError: 'x'\n")


@pytest.mark.parametrize(
    "code",
    [
        "sys.exit(run('x', lambda: print('y' * 10**6) or 0))",
        "sys.exit(run('x', lambda: print('y') or 0))",
        "parser('x').parse_args(['--help'])",
    ],
)
def test_nobody_reads_our_output_any_more(code):
    """``| head`` has left: 141, and not a word, whether much was printed or little."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = python(code, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_under_our_output_is_said():
    """What was printed is lost, so this is no success."""
    with open("/dev/full", "wb") as full:
        done = python("sys.exit(run('x', lambda: print('y') or 0))", stdout=full)
    assert (done.returncode, done.stderr) == (1, "x: cannot write to standard output: No space left on device\n")


def test_a_full_disk_under_much_output_is_said_too():
    """It is found while the command still writes, not at its end; what is left of the output is not tried once more."""
    with open("/dev/full", "wb") as full:
        done = python("sys.exit(run('x', lambda: print('y' * 10**6) or 0))", stdout=full)
    assert (done.returncode, done.stderr) == (1, "x: cannot write: No space left on device\n")


def test_a_command_without_standard_streams_still_ends_with_its_code():
    """Some daemons start programs so."""
    code = "sys.stdout.close(); sys.stdout = sys.stderr = None\nfrom minionize.errors import UsageError\n"
    code += "def body():\n    raise UsageError('a')\nsys.exit(run('x', body))"
    assert python(code).returncode == 2
