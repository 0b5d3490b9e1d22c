"""A minion's start is counted in milliseconds, and nearly all of them are imports: these say which there are."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Slow to load and not needed to start a minion; each is one careless import away.
HEAVY = {
    *("asciichartpy", "dotenv", "google", "humanize", "numpy", "pandas", "pulsar", "redis", "textual", "yaml"),
    *("ast", "asyncio", "concurrent", "dataclasses", "difflib", "email", "hashlib", "http", "importlib.metadata"),
    *("inspect", "logging", "pathlib", "pickle", "platform", "random", "selectors", "shlex", "socket", "ssl"),
    *("string", "subprocess", "tempfile", "threading", "tokenize", "traceback", "unittest", "urllib", "uuid"),
}
#: The modules of Python that a start may load, with whatever these load themselves: argparse loads shutil (and that the
#: compressors) for the width of a terminal, sqlite3 loads datetime, and ``os.wait4`` makes its answer with resource.
ALLOWED = (
    *("argparse", "errno", "fcntl", "gc", "importlib", "json", "math", "mmap", "os", "re", "resource"),
    *("select", "signal", "sqlite3", "struct", "time", "typing"),
)

#: Runs the command in this interpreter, and writes down what it loaded.
DRIVER = """
import sys
before = set(sys.modules)
where = sys.argv.pop(1)
try:
    from minionize.cli.minionize import main
    main(sys.argv[1:])
finally:
    with open(where, "w") as file:
        file.write("\\n".join(sorted(set(sys.modules) - before)))
"""
#: Loads what is allowed; argparse loads some of its own only when it is used.
ALLOWANCE = """
import sys
before = set(sys.modules)
import argparse, {}
parser = argparse.ArgumentParser()
parser.add_argument("--option", help="help")
parser.format_help()
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def python(directory, *arguments):
    """Run Python there, with no settings of ours in its environment; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-I", *arguments],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(directory, *arguments):
    """Run ``minionize`` and return the modules that it loaded."""
    where = directory / "modules.txt"
    python(directory, "-c", DRIVER, str(where), *arguments)
    return set(where.read_text().split())


@pytest.fixture(scope="module", params=["help", "empty queue", "task"])
def loaded(request, tmp_path_factory):
    """Return what a start loads: of ``--help``, of a minion with nothing to do, and of one with a task."""
    directory = tmp_path_factory.mktemp("start")
    if request.param == "help":
        return loaded_by(directory, "--help")
    python(directory, "-m", "minionize.cli.queue", "put", "seed=1")
    first = loaded_by(directory, "-q", "true", "{seed}")
    return first if request.param == "task" else loaded_by(directory, "-q", "true", "{seed}")


@pytest.fixture(scope="module")
def allowed(tmp_path_factory):
    """Return what the allowed modules are on this Python, with all that they load."""
    return set(python(tmp_path_factory.mktemp("allowed"), "-c", ALLOWANCE.format(", ".join(ALLOWED))).split())


def test_nothing_heavy_is_loaded(loaded):
    """Not by ``--help``, not by a minion."""
    assert sorted(loaded & HEAVY) == []


def test_nothing_is_loaded_that_was_not_decided_on(loaded, allowed):
    """A new import on the way to the first task is a decision: measure it, then list it above."""
    others = {name for name in loaded if name.partition(".")[0] != "minionize"}
    assert sorted(others - allowed - {"__future__"}) == []


def test_help_loads_no_part_that_works(tmp_path):
    """To print the options, their table is enough."""
    parts = {name.split(".")[1] for name in loaded_by(tmp_path, "--help") if name.startswith("minionize.")}
    assert parts == {"cli", "errors", "masks", "settings"}


def test_a_minion_loads_only_the_parts_it_uses(tmp_path):
    """One engine and one reporter; nothing of the screens, nor of what reads params for a queue."""
    python(tmp_path, "-m", "minionize.cli.queue", "put", "seed=1")
    loaded = loaded_by(tmp_path, "-q", "true", "{seed}")
    assert {name for name in loaded if name.startswith("minionize.engines.")} & {
        "minionize.engines.memory",
        "minionize.engines.sqlite",
    } == {"minionize.engines.sqlite"}
    assert not {name for name in loaded if name.startswith(("minionize.status", "minionize.testing"))}
    assert not loaded & {
        "minionize.params.files",
        "minionize.params.words",
        "minionize.cli.doctor",
        "minionize.cli.dry",
    }
    reporters = {name for name in loaded if name.startswith("minionize.reporters.")}
    assert reporters <= {"minionize.reporters.base", "minionize.reporters.json", "minionize.reporters.progress"}


def test_the_list_of_heavy_modules_is_not_empty_talk(tmp_path):
    """The driver does see a module that is loaded by mistake."""
    where = tmp_path / "modules.txt"
    python(tmp_path, "-c", DRIVER.replace("import main", "import main; import logging"), str(where), "--help")
    assert "logging" in where.read_text().split()
