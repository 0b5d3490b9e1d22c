"""The engine example: built, installed as users install it, found by its name, and run by the real commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from console import EXAMPLES, agrees, run, steps

from minionize.settings.table import TABLE

ENGINE = EXAMPLES / "engine"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the distribution and install it, without a network, into a directory of its own; returns that."""
    for module in ("pip", "hatchling"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install --group test")
    source = tmp_path_factory.mktemp("source") / "engine"
    shutil.copytree(ENGINE, source, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("installed")
    return install(source, target)


def install(source, target):
    """Install a distribution into a directory with pip."""
    options = (
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--no-cache-dir",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", target, source],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return target


@pytest.fixture
def here(tmp_path, installed):
    """Return a copy of the example, where it may leave files, and what runs commands there with the engine installed."""
    directory = tmp_path / "engine"
    shutil.copytree(ENGINE, directory, ignore=shutil.ignore_patterns("__pycache__", "minion-*", ".env", "*-pile"))
    os.unlink(directory / "minionize_pile.py")  # the installed one is meant

    def type_in(command, **environ):
        environ = {"PYTHONPATH": str(installed), "TMPDIR": str(tmp_path), **environ}
        return run(f"{{ {command}\n}} 2>&1", directory, timeout=100, **environ)

    return type_in


def test_the_page_shows_what_happens(here):
    """Every command of it, one after the other; the installation was another one, without a network."""
    commands = [step for step in steps(ENGINE / "README.rst") if not step.command.startswith("pip ")]
    assert len(commands) > 7
    for command, shown in commands:
        printed = here(command).out
        assert agrees(shown, printed), f"$ {command}\n{printed}"


def test_it_keeps_the_contract(here, tmp_path):
    """No clause is broken, what it does not promise is skipped by trait or means, and nothing is left behind."""
    before = set(os.listdir(tmp_path))
    ran = here("python -m minionize.testing maker:PileMaker")
    assert ran.code == 0, ran.out
    skipped = [line for line in ran.out.splitlines() if line.startswith("skipped")]
    reasons = ("order is False", "counts is exact", "param_limit is None", "admin lacks", "the maker cannot")
    assert [line for line in skipped if not any(reason in line for reason in reasons)] == []
    assert set(os.listdir(tmp_path)) == before


def test_a_killed_minion_loses_nothing(here):
    """Its task comes back when its lease is over: the processes of others are nothing that this engine looks at."""
    here("minion-queue put --engine pile 1..3")
    here("minionize --engine pile -q sh -c 'kill -9 $PPID'")
    ran = here("minionize --engine pile -q --lease 1s echo")
    assert sorted(ran.out.split()) == ["1", "2", "3"]
    assert "done     3" in here("minion-queue show --engine pile").out


def test_the_rest_of_minionize_knows_it(here):
    """The status, the doctor, and the verbs that it has not."""
    here("minion-queue put --engine pile 1..3")
    here("minionize --engine pile -q true")
    assert here("minion-status --engine pile").out.startswith("minion-pile (pile)   3 params")
    assert "ok    queue    pile at minion-pile: 3 done" in here("minionize --engine pile --doctor true").out
    told = here("minion-queue list --engine pile").out
    assert told == "minion-queue list: the engine of minion-pile cannot do that; it can: put, show, copy.\n"
    assert here("minion-queue show --engine pile").code == 0


def test_its_settings_are_settings(here):
    """Shown and explained where it is chosen."""
    shown = here("minionize --engine pile --show-config").out.strip().splitlines()
    assert len(shown) == len(TABLE) + 1
    assert shown[-1].split() == ["PILE_DIR", "minion-pile", "default"]
    assert "The pile engine's directory (a path; default: minion-pile)" in here("minionize --engine pile --help").out


def test_a_queue_that_is_not_there_is_no_empty_one(here):
    """It is said how to make it, and nothing is created."""
    ran = here("minionize --engine pile true", PILE_DIR="elsewhere")
    assert (ran.code, "there is no pile at elsewhere" in ran.out) == (2, True)


def test_what_it_holds_can_be_copied_to_an_engine_of_ours_and_back(here):
    """It takes nothing off its books: there it is done."""
    here("minion-queue put --engine pile 1..300")
    assert here("minion-queue copy --from pile --to sqlite").out == (
        "minion-pile -> minion-queue.db: 300 moved (and done there: that engine forgets no task); 300 done stay\n"
    )
    assert here("minion-queue copy --from sqlite --to pile:another").out == "minion-queue.db -> another: 300 moved\n"
    assert "pending  300" in here("minion-queue show --engine pile", PILE_DIR="another").out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "import surely_not_installed",
            "cannot be loaded: ModuleNotFoundError: No module named 'surely_not_installed'",
        ),
        (
            "class PileEngine:\n    pass",
            "is no engine: it has no from_settings, put, exchange, renew, counts, wake, close",
        ),
        ("def PileEngine(): ...", "is no engine: it has no from_settings"),
        ("PileEngine = 1/0", "cannot be loaded: ZeroDivisionError"),
    ],
)
def test_a_broken_plug_in_says_what_and_whose_it_is(installed, tmp_path, text, why):
    """Exit code 2, and no traceback."""
    broken = tmp_path / "broken"
    shutil.copytree(installed, broken, ignore=shutil.ignore_patterns("__pycache__"))
    (broken / "minionize_pile.py").write_text(text)
    ran = run("minionize --engine pile true", tmp_path, PYTHONPATH=str(broken))
    assert ran.code == 2
    assert ran.err.startswith(f'minionize: the engine "pile" of the package minionize-pile 1.0 {why}'), ran.err
    assert ran.err.endswith("  It is minionize_pile:PileEngine\n")
    assert "Traceback" not in ran.err
