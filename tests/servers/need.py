"""What a test needs of this machine."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

#: Whether every case is wanted, as in CI; else those that are much alike are left out.
EVERYTHING = bool(os.environ.get("MINIONIZE_TEST_ALL"))


def lacking(why: str) -> NoReturn:
    """Say that this machine lacks what a test needs: at home the test is skipped, where everything must be there it fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{why} (CI is set: here it must be)", pytrace=False)
    pytest.skip(why)
