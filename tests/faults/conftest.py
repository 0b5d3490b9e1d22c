"""The fixture of the tests of faults."""

from __future__ import annotations

import pytest
from harness import Camp


@pytest.fixture
def camp(tmp_path):
    """Give a directory where minions work; what was started in it is ended, and must have ended."""
    camp = Camp(tmp_path)
    yield camp
    camp.end()
