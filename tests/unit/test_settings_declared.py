"""Settings that plug-ins declare: known, shown and checked as ours are, where that plug-in is chosen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from minionize.errors import UsageError
from minionize.settings import load
from minionize.settings.declared import rows_of
from minionize.settings.show import show

MODULE = """
from minionize.settings import Setting
from minionize.settings.setting import COUNT, NAME

DEPTH = Setting("MINION_CAVERN_DEPTH", COUNT, "7", "How deep the cavern is", group="queue")
KEY = Setting("CAVERN_KEY", NAME, None, "What opens it", group="queue", secret=True)

class Cavern:
    settings = (DEPTH, KEY)
    from_settings = put = exchange = renew = counts = wake = close = print

class Wrong(Cavern):
    settings = ["CAVERN_KEY"]

class Echo:
    settings = (Setting("ECHO_TIMES", COUNT, "2", "How often", group="reports"),)
    from_settings = print
"""
ENTRY_POINTS = """
[minionize.engines]
cavern = cavern_settings:Cavern
wrong = cavern_settings:Wrong
broken = surely_not_installed:Cavern
[minionize.reporters]
echo = cavern_settings:Echo
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package that brings engines and a reporter, as pip would leave it; returns where."""
    info = tmp_path / "cavern-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cavern\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "cavern_settings.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield str(tmp_path)
    sys.modules.pop("cavern_settings", None)


def names(settings):
    """Return the names of all settings that are known."""
    return {row.name for row in settings.rows}


def test_the_rows_of_the_chosen_engine_are_known(package):
    """Its variables are no unknown ones, and are shown with their source; what is secret is not."""
    environ = {"MINION_ENGINE": "cavern", "MINION_CAVERN_DEPTH": "9", "CAVERN_KEY": "sesame"}
    settings = load({}, environ, "/nowhere")
    assert settings.warnings == ()
    shown = {line.split()[0]: line.split()[1:] for line in show(settings).splitlines()}
    assert shown["MINION_CAVERN_DEPTH"] == ["9", "environment"]
    assert "sesame" not in show(settings)
    assert "CAVERN_KEY" in shown


def test_the_rows_of_the_chosen_reporter_are_known_too(package):
    """They are plug-ins of the same kind."""
    assert "ECHO_TIMES" in names(load({"MINION_REPORTER": "echo"}, {}, "/nowhere"))


def test_the_rows_of_an_engine_that_is_not_chosen_are_unknown(package):
    """And their variables are warned of."""
    settings = load({}, {"MINION_CAVERN_DEPTH": "9"}, "/nowhere")
    assert "MINION_CAVERN_DEPTH" not in names(settings)
    assert settings.warnings == ("MINION_CAVERN_DEPTH (environment) is not a setting, and ignored",)


def test_a_bad_value_of_a_declared_row_is_an_error(package):
    """Found before anything is done, as for ours."""
    with pytest.raises(UsageError, match=r'MINION_CAVERN_DEPTH="deep" \(environment\) is not allowed: a whole number'):
        load({}, {"MINION_ENGINE": "cavern", "MINION_CAVERN_DEPTH": "deep"}, "/nowhere")


def test_a_misspelled_variable_is_answered_by_a_declared_one(package):
    """It is one of the names that there are."""
    settings = load({}, {"MINION_ENGINE": "cavern", "MINION_CAVERN_DEPHT": "9"}, "/nowhere")
    assert settings.warnings[0].endswith("Did you mean MINION_CAVERN_DEPTH?")


@pytest.mark.parametrize("engine", ["broken", "no-such-engine", "sqlite", "file"])
def test_an_engine_that_cannot_be_loaded_declares_nothing(package, engine):
    """What is wrong with it is said where it is opened: the configuration can be looked at all the same."""
    assert names(load({"MINION_ENGINE": engine}, {}, "/nowhere")) == names(load({}, {}, "/nowhere"))


def test_settings_that_are_none_are_the_plug_ins_fault(package):
    """Said with its name."""
    with pytest.raises(UsageError, match=r"cavern_settings\.Wrong\.settings is not a tuple of minionize"):
        load({"MINION_ENGINE": "wrong"}, {}, "/nowhere")
    assert rows_of(object()) == ()


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        (["--engine", "cavern", "--help"], {}),
        (["--engine=cavern", "-h"], {}),
        (["--help"], {"MINION_ENGINE": "cavern"}),
    ],
)
def test_help_tells_of_the_variables_of_the_chosen_engine(package, tmp_path, words, environ):
    """However it was chosen; without it, nothing of them."""

    def told(*words, **environ):
        done = subprocess.run(
            [sys.executable, "-m", "minionize.cli.minionize", *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": package, "COLUMNS": "100", **environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert "  MINION_CAVERN_DEPTH\n" in told(*words, **environ)
    assert "How deep the cavern is (a whole number; default: 7)" in told(*words, **environ)
    assert "CAVERN" not in told("--help", MINION_ENGINE="sqlite")
    assert "CAVERN" not in told("--help")
