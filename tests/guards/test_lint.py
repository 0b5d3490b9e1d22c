"""The source is clean, by the rules that pyproject.toml states."""

from __future__ import annotations

import pytest
from tools import need, run


@pytest.mark.parametrize(
    "command",
    ["ruff check --no-fix --output-format concise .", "ruff format --check .", "mypy"],
)
def test_the_source_is_clean(command):
    """Rules, layout and types."""
    words = command.split()
    need(words[0])
    done = run(*words)
    assert done.returncode == 0, done.stdout
