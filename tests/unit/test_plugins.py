"""Engines and reporters by name: ours, those of installed packages, and what is said when there is none."""

from __future__ import annotations

import os
import sys
import tomllib

import pytest

from minionize import plugins
from minionize.errors import MissingExtra, UsageError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: The engines that come with minionize.
OURS = [*plugins.BUILT_IN["engine"], "file"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package that brings an engine, as pip would leave it."""
    info = tmp_path / "cavern-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cavern\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text(
        "[minionize.engines]\ncavern = cavern_module:Cavern\nbroken = broken_cavern:Cavern\nempty = cavern_module:Nothing\n"
        "module = cavern_module\nsqlite = cavern_module:Cavern\n[minionize.reporters]\necho = cavern_module:Echo\n"
    )
    (tmp_path / "cavern_module.py").write_text(
        "class Cavern:\n    from_settings = put = exchange = renew = counts = wake = close = print\n"
        "class Echo:\n    from_settings = print\n"
    )
    (tmp_path / "broken_cavern.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("cavern_module", "broken_cavern"):
        sys.modules.pop(name, None)


@pytest.fixture
def built_in(tmp_path, monkeypatch):
    """Return a function that puts a module of ours in the place of an engine."""

    def put(text):
        (tmp_path / "our_engine.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(plugins.BUILT_IN["engine"], "ours", "our_engine:Engine")
        monkeypatch.setitem(plugins.CLIENTS, "some_client", plugins.Client("some-client", "ours"))

    yield put
    sys.modules.pop("our_engine", None)


def test_ours_are_found_without_looking_at_installed_packages(built_in, monkeypatch):
    """Reading the metadata of all packages is slow."""
    built_in("class Engine: ...\n")
    monkeypatch.setattr(plugins, "_entry_points", None)
    assert plugins.find("engine", "ours").__name__ == "Engine"


def test_an_installed_package_brings_engines_and_reporters(package):
    """By its entry points."""
    assert plugins.find("engine", "cavern").__name__ == "Cavern"
    assert plugins.find("reporter", "echo").__name__ == "Echo"


def test_a_package_cannot_take_our_names(package):
    """What is documented here is what runs here."""
    assert plugins.names("engine") == [*OURS, "broken", "cavern", "empty", "module"]
    assert plugins.find("engine", "sqlite").__name__ == "SqliteEngine"


def test_an_unknown_name_is_answered_by_the_nearest_and_by_all(package):
    """The user's own words first, then what there is."""
    with pytest.raises(UsageError) as caught:
        plugins.find("engine", "cavren", 'MINION_ENGINE="cavren" (./.env)')
    assert str(caught.value) == (
        'MINION_ENGINE="cavren" (./.env) is not an engine. Did you mean "cavern"?\n'
        f"  Engines: {', '.join(OURS)}, broken, cavern, empty, module"
    )


def test_a_name_that_is_near_nothing_gets_no_guess():
    """A wrong guess helps nobody."""
    with pytest.raises(UsageError, match=r'^"xyzzy" is not a reporter\.\n  Reporters: json, stdout, null'):
        plugins.find("reporter", "xyzzy")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "ModuleNotFoundError: No module named 'surely_not_installed'"),
        ("empty", "AttributeError: module 'cavern_module' has no attribute 'Nothing'"),
    ],
)
def test_a_plug_in_that_cannot_be_loaded_shows_its_own_error(package, name, why):
    """And whose it is: we cannot repair it, its package can."""
    with pytest.raises(UsageError) as caught:
        plugins.find("engine", name)
    assert str(caught.value).startswith(f'the engine "{name}" of the package cavern 2.1 cannot be loaded: {why}\n')
    assert not isinstance(caught.value, MissingExtra)


def test_an_entry_point_that_names_something_else_says_what_it_lacks(package):
    """A module is no engine, nor is a class without what a minion calls."""
    with pytest.raises(UsageError) as caught:
        plugins.find("engine", "module")
    assert str(caught.value) == (
        'the engine "module" of the package cavern 2.1 is no engine:'
        " it has no from_settings, put, exchange, renew, counts, wake, close\n  It is cavern_module"
    )


def test_a_missing_client_names_the_extra_to_install(built_in):
    """In the words that pip understands."""
    built_in("import some_client.aio\n")
    with pytest.raises(MissingExtra) as caught:
        plugins.find("engine", "ours")
    assert str(caught.value) == (
        "the engine \"ours\" needs the package some-client, which is not installed.\n  pip install 'minionize[ours]'"
    )


def test_a_client_that_is_installed_but_broken_shows_its_own_error(built_in):
    """To install it again would not help."""
    built_in("raise ImportError('libfoo.so.7: cannot open shared object file')\n")
    with pytest.raises(ImportError, match=r"libfoo\.so\.7"):
        plugins.find("engine", "ours")


def test_a_missing_module_that_is_no_client_is_a_fault_of_ours(built_in):
    """No extra would bring it."""
    built_in("import surely_not_installed\n")
    with pytest.raises(ModuleNotFoundError):
        plugins.find("engine", "ours")


def test_every_client_is_in_the_extra_that_is_named():
    """The advice must work."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as stream:
        extras = tomllib.load(stream)["project"]["optional-dependencies"]
    for client in plugins.CLIENTS.values():
        assert any(need.startswith(client.distribution) for need in extras[client.extra])
