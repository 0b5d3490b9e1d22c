"""What users import from ``minionize``, and that importing it costs nothing."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest
from source_tree import ROOT

import minionize

#: The promise. Adding a name here is a decision; taking one away breaks programs.
PUBLIC = [
    *(
        "ContainerCallback",
        "Dead",
        "DockerCallback",
        "FuncCallback",
        "Interrupted",
        "MinionizeError",
        "ProcessCallback",
    ),
    *("Retry", "__version__", "current_task", "minionize", "minionizer"),
]


def typed_names():
    """Return what ``__init__`` tells type checkers: each public name, and the module it comes from."""
    tree = ast.parse((ROOT / "minionize" / "__init__.py").read_text("utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: node.module
        for node in imports
        for alias in node.names
        if node.module and node.module.startswith("minionize")
    }


def test_the_public_names_are_these():
    """Sorted, each once."""
    assert minionize.__all__ == sorted(set(minionize.__all__))
    assert sorted({*minionize.__all__, "__version__"}) == sorted(PUBLIC)


def test_type_checkers_and_python_see_the_same_names():
    """A lazy name that mypy does not know would be ``Any`` to users."""
    assert sorted(typed_names()) == sorted(set(minionize.__all__) - {"__version__"})


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_a_public_name_is_what_its_module_defines(name):
    """Found late, but the very same object."""
    assert getattr(minionize, name) is getattr(importlib.import_module(typed_names()[name]), name)


def test_a_star_import_brings_the_public_names():
    """All of them can be resolved, and nothing else comes along."""
    scope: dict[str, object] = {}
    exec("from minionize import *", scope)
    assert sorted(scope.keys() - {"__builtins__"}) == sorted(minionize.__all__)


def test_completion_shows_the_public_names():
    """``dir()`` lists what was not loaded yet."""
    assert set(minionize.__all__) <= set(dir(minionize))


def test_an_unknown_name_is_an_attribute_error():
    """As of any module, with the name in it."""
    with pytest.raises(AttributeError, match="Minioniser"):
        minionize.Minioniser  # noqa: B018


def test_importing_the_package_loads_nothing_of_it():
    """Only itself, and what Python's own typing needs."""
    assert loaded_by("minionize") <= {"__future__", "minionize"} | loaded_by("typing")


def loaded_by(module):
    """Return the modules that an import loads in a new interpreter."""
    code = f"import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())
