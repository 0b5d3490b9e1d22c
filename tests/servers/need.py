"""What a test needs of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Whether every case is wanted, as in CI; else those that are much alike are left out.
EVERYTHING = bool(os.environ.get("MINIONIZE_TEST_ALL"))


def of_a_cluster(what: str, commands: Sequence[str], packages: str, path: str, *namespaces: str) -> str:
    """Say what keeps a scheduler from being started here; empty where nothing does. ``namespaces`` are options of unshare."""
    if os.geteuid() != 0:
        return f"only root can start {what}"
    for command in commands:
        if shutil.which(command, path=path) is None:
            return f"there is no {command}: apt-get install --no-install-recommends {packages}"
    done = subprocess.run(
        ["unshare", *namespaces, "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return f"no namespaces can be made here: {done.stderr.strip()}" if done.returncode else ""


def lacking(why: str) -> NoReturn:
    """Say that this machine lacks what a test needs: at home the test is skipped, where everything must be there it fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{why} (CI is set: here it must be)", pytrace=False)
    pytest.skip(why)
