"""The contract of engines, clause by clause, on each of our engines."""

from __future__ import annotations

import pytest

from minionize.testing import DoesNotApply
from minionize.testing.contract.runner import try_clause


def test_clause(make, clause):
    """The engine keeps the clause that its id spells out."""
    try:
        try_clause(clause, make)
    except DoesNotApply as reason:
        pytest.skip(str(reason))
