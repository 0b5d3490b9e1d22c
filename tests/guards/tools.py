"""What the guards run from outside: where it is missing, at home that is a reason to skip, in CI a failure."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
from source_tree import ROOT


def need(*packages: str) -> None:
    """Skip the test where a package is not installed; in CI, where everything must be, fail it."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}; pip install --group test"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module (``-m`` is understood) in the checkout; its output is kept, both streams in one."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
