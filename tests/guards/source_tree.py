"""Reads the package's own source: which module imports which, without running any of it."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = "minionize"


class Import(NamedTuple):
    """One import that happens at run time. ``target`` is a module; ``deferred``: only when a function is called."""

    source: str
    target: str
    line: int
    deferred: bool

    def __str__(self) -> str:
        """Say where to look."""
        return f"{self.source}:{self.line} imports {self.target}"


def modules() -> dict[str, Path]:
    """Return every module of the package by its name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        words = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


@cache
def imports_of_package() -> tuple[Import, ...]:
    """Return every import of every module of the package."""
    known = modules()
    return tuple(one for name, path in known.items() for one in imports_of(name, path.read_text("utf-8"), set(known)))


def imports_of(source: str, text: str, known: set[str]) -> list[Import]:
    """Return the imports of one module. What only type checkers see does not count."""
    found: list[Import] = []

    def visit(node: ast.AST, deferred: bool) -> None:
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            for child in node.orelse:
                visit(child, deferred)
            return
        targets: set[str] = set()
        if isinstance(node, ast.Import):
            targets = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno} imports relatively: write the whole name"
            targets = {_module(node.module or "", alias.name, known) for alias in node.names}
        found.extend(Import(source, target, node.lineno, deferred) for target in sorted(targets))
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(text), False)
    return found


def is_ours(module: str) -> bool:
    """Say whether a module belongs to the package."""
    return module.partition(".")[0] == PACKAGE


def is_foreign(module: str) -> bool:
    """Say whether a module is neither ours nor Python's."""
    return not is_ours(module) and module.partition(".")[0] not in sys.stdlib_module_names


def _module(module: str, name: str, known: set[str]) -> str:
    """``from minionize import place`` imports the module ``minionize.place``."""
    return f"{module}.{name}" if f"{module}.{name}" in known else module


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
