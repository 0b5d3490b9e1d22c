"""The pictures of the README are taken by scripts: these still work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
from servers.need import lacking

EXAMPLE = Path(__file__).parents[2] / "examples" / "screenshots"
#: What each script takes, and how wide that is.
PICTURES = {
    "report.py": {"report-light.png": 1280, "report-dark.png": 1280},
    "terminal.py": {"minion-status.png": 1000, "mtop.png": 1500},
}


@pytest.mark.parametrize("script", PICTURES)
def test_a_script_takes_its_pictures(script, tmp_path):
    """In a copy of the example, without those that are there."""
    if not chromium.path():
        lacking("there is no Chromium: apt-get install chromium")
    copy = shutil.copytree(EXAMPLE, tmp_path / "screenshots", ignore=shutil.ignore_patterns("*.png", "__pycache__"))
    done = subprocess.run([sys.executable, script], cwd=copy, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    widths = {path.name: int.from_bytes(path.read_bytes()[16:20], "big") for path in copy.glob("*.png")}
    assert widths == PICTURES[script]
