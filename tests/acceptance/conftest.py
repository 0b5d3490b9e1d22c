"""Every acceptance test has an empty directory to itself, and leaves nothing behind."""

from __future__ import annotations

import pytest

from .harness import Place


@pytest.fixture
def here(tmp_path):
    """Return an empty directory where the commands can be typed; at the end, nothing may run in it any more."""
    place = Place(tmp_path)
    yield place
    place.leave()
