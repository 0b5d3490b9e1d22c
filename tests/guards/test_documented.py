"""What exists is documented: by the commands' own help, the README is asked whether it knows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from functools import cache

import pytest
from source_tree import ROOT

from minionize import __version__
from minionize.settings.document import env_example
from minionize.settings.table import TABLE

README = (ROOT / "README.rst").read_text("utf-8")
COMMANDS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]


@cache
def help_of(*words):
    """Return what ``COMMAND [VERB] --help`` prints."""
    module = COMMANDS[words[0]].partition(":")[0]
    done = subprocess.run(
        [sys.executable, "-m", module, *words[1:], "--help"],
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def verbs_of(command):
    """Return the verbs of a command: what its help lists under that heading."""
    section = help_of(command).partition("\nverbs:\n")[2].partition("\n\n")[0]
    return re.findall(r"^    (\S+)", section, re.MULTILINE)


def options_of(*words):
    """Return the options that a help text lists, long and short."""
    columns = re.findall(r"^  (-.*?)(?:   *|$)", help_of(*words), re.MULTILINE)
    return {option for column in columns for option in re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", column)}


def everything():
    """Return each command, and each of its verbs, with its options."""
    for command in COMMANDS:
        yield from ((command, option) for option in sorted(options_of(command)))
        for verb in verbs_of(command):
            yield from ((f"{command} {verb}", option) for option in sorted(options_of(command, verb)))


def mentions(text, word):
    """Say whether a text holds an option or a name, not as a part of a longer one."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def test_every_command_has_its_place():
    """All that is installed, with every verb, as one would type it."""
    commands = [*COMMANDS, *(f"{command} {verb}" for command in COMMANDS for verb in verbs_of(command))]
    assert "minion-queue put" in commands
    assert [command for command in commands if not mentions(README, command)] == []


def test_every_option_is_mentioned():
    """Of every command and verb."""
    found = list(everything())
    assert ("minionize", "--timeout") in found
    assert ("minion-queue put", "--again") in found
    assert [f"{command} {option}" for command, option in found if not mentions(README, option)] == []


def test_every_setting_is_mentioned():
    """By the name of its variable."""
    assert [row.name for row in TABLE if not mentions(README, f"``{row.name}``")] == []


def test_every_flag_of_the_table_is_an_option():
    """The table and the parser say the same."""
    flags = {flag for row in TABLE for flag in row.flags}
    assert sorted(flags - options_of("minionize")) == []


def test_env_example_is_current():
    """It is made from the table."""
    text = (ROOT / ".env.example").read_text("utf-8")
    assert text == env_example(), "run: python -m minionize.settings.document env > .env.example"


def test_the_changelog_begins_with_this_version():
    """The newest entry is what is being shipped."""
    versions = re.findall(r"^(\d+\.\d+\.\d+).*\n-+$", (ROOT / "CHANGELOG.rst").read_text("utf-8"), re.MULTILINE)
    assert versions[:1] == [__version__]


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("use ``--wait``.", "--wait", True),
        ("use ``--wait-for``.", "--wait", False),
        ("``-j``, ``--slots``", "-j", True),
        ("pre-job", "-j", False),
        ("``MINION_WAIT_ALL``", "MINION_WAIT", False),
    ],
)
def test_a_part_of_a_word_is_no_mention(text, word, found):
    """Or every short option would count as documented."""
    assert mentions(text, word) is found
