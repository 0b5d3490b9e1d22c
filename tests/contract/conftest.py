"""One test of each clause of the contract and each engine."""

from __future__ import annotations

from makers import MAKERS

from minionize.testing import clauses


def pytest_generate_tests(metafunc):
    """Make one test of each clause and each engine."""
    if {"make", "clause"} <= set(metafunc.fixturenames):
        pairs = [(make, clause) for make in MAKERS.values() for clause in clauses()]
        ids = [f"{name}: {clause.name}" for name in MAKERS for clause in clauses()]
        metafunc.parametrize(("make", "clause"), pairs, ids=ids)
