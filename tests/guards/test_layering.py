"""Imports go one way: a part of the package knows only what lies below it."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from source_tree import Import, imports_of, imports_of_package, is_foreign, is_ours, modules

from minionize import plugins

#: From the ground up. A part is a module or a folder of the package.
LAYERS = (
    {"model", "errors"},
    {
        *("policy", "params", "events", "place", "plugins", "settings", "processes", "masks", "choice"),
        *("signals", "interpreter", "options"),
    },
    {"courier", "slots", "callbacks", "reporters", "engines", "console", "tally", "lifetime"},
    {"outcomes", "mover", "departure"},
    {"minion"},
    {"app", "status", "launchers"},
    {"decorator"},
    {"cli", "testing"},
)
#: Parts of this layer are helpers, and may help each other.
HELPERS = 1
#: The one place that may import each package from elsewhere.
HOMES = {
    "dotenv": "minionize.settings.dotenv_file",
    "yaml": "minionize.settings.yaml_file",
    "humanize": "minionize.status",
    "asciichartpy": "minionize.status",
    "pandas": "minionize.status",
    "textual": "minionize.status.top",
    "rich": "minionize.status.top",
    "textual_serve": "minionize.status.top",
    "aiohttp": "minionize.status.top",
    "redis": "minionize.engines.redis",
    "google": "minionize.engines.google",
    "grpc": "minionize.engines.google",
    "pulsar": "minionize.engines.pulsar",
    "execo_engine": "minionize.engines.execo",
}
RANKS = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}


def part_of(module: str) -> str:
    """Return the part that a module belongs to: ``engines`` for ``minionize.engines.sqlite.store``."""
    return module.split(".")[1]


def within(module: str, place: str) -> bool:
    """Say whether a module is that place, or inside it."""
    return module == place or module.startswith(place + ".")


def inner_imports() -> list[Import]:
    """Return the imports between modules of the package. Everybody may ask the package itself for its version."""
    return [
        one
        for one in imports_of_package()
        if is_ours(one.target) and one.target != "minionize" and one.source != "minionize"
    ]


def goes_down(one: Import) -> bool:
    """Say whether an import stays in its part, goes down, or is one helper's of another."""
    source, target = part_of(one.source), part_of(one.target)
    if source == target:
        return True
    return RANKS[target] < RANKS[source] or RANKS[target] == RANKS[source] == HELPERS


def test_every_part_has_a_layer():
    """A new module must say what it may know."""
    parts = {part_of(name) for name in modules() if name != "minionize"}
    assert sorted(parts - RANKS.keys()) == []


def test_imports_go_down():
    """Also those inside functions: putting an import there changes when it happens, not what knows what."""
    assert [str(one) for one in inner_imports() if not goes_down(one)] == []


def test_imports_go_in_no_circle():
    """Neither between parts nor within one."""
    graph: dict[str, set[str]] = {}
    for one in inner_imports():
        graph.setdefault(one.source, set()).add(one.target)
    circle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def test_one_engine_never_sees_another():
    """What they share is the interface; what an engine adapts stays in its own module or folder."""
    engines = {place.partition(":")[0] for place in plugins.BUILT_IN["engine"].values()} | {"minionize.engines.memory"}

    def engine_of(module: str) -> str | None:
        return next((engine for engine in engines if within(module, engine)), None)

    seen = [
        str(one)
        for one in inner_imports()
        if engine_of(one.target) and part_of(one.source) == "engines" and engine_of(one.source) != engine_of(one.target)
    ]
    assert seen == []


def test_only_app_and_testing_choose_the_memory_engine():
    """It is what standard input becomes, and a stand-in for tests; no command and no minion knows of it."""
    users = {
        part_of(one.source)
        for one in inner_imports()
        if within(one.target, "minionize.engines.memory") and not within(one.source, "minionize.engines.memory")
    }
    assert users <= {"app", "testing"}


def test_a_foreign_package_has_one_home():
    """The file that adapts it; nobody else learns that it exists."""
    strays = [
        str(one)
        for one in imports_of_package()
        if is_foreign(one.target) and not within(one.source, HOMES.get(one.target.partition(".")[0], "nowhere"))
    ]
    assert strays == []


def test_the_package_itself_imports_nothing_of_its_own_at_once():
    """``import minionize`` must stay free: its names come when they are asked for."""
    eager = [str(one) for one in imports_of_package() if one.source == "minionize" and is_ours(one.target)]
    at_once = [str(one) for one in imports_of_package() if one.source == "minionize" and not one.deferred]
    assert [line for line in eager if line in at_once] == []


def test_the_reader_of_imports_reads_what_python_would():
    """Imports in functions count, those under TYPE_CHECKING do not, and its ``else`` does."""
    text = """
from typing import TYPE_CHECKING
import os, redis.client
from minionize import __version__, place
if TYPE_CHECKING:
    import pandas
else:
    import numpy
def later():
    from minionize.place import host
class Class:
    import json
try:
    import fcntl
except ImportError:
    pass
"""
    found = imports_of("minionize.x", text, {"minionize", "minionize.place"})
    assert [(one.target, one.deferred) for one in found] == [
        ("typing", False),
        ("os", False),
        ("redis.client", False),
        ("minionize", False),
        ("minionize.place", False),
        ("numpy", False),
        ("minionize.place", True),
        ("json", False),
        ("fcntl", False),
    ]
    assert str(found[-1]) == "minionize.x:14 imports fcntl"


def test_the_rules_would_notice():
    """An engine that reads settings is well; one that reads the minion, or a callback, is not."""
    assert goes_down(Import("minionize.engines.redis", "minionize.settings.table", 1, False))
    assert goes_down(Import("minionize.settings.read", "minionize.masks", 1, False))
    assert not goes_down(Import("minionize.engines.redis", "minionize.minion", 1, True))
    assert not goes_down(Import("minionize.engines.redis", "minionize.callbacks.base", 1, True))
    assert not goes_down(Import("minionize.model", "minionize.errors", 1, False))
    assert not goes_down(Import("minionize.app", "minionize.status.read", 1, True))
