"""The README says what is true: its commands are run, its tables are made anew."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from generate import README, generated

TEXT = README.read_text("utf-8")
BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:   .*\n|\n)+)", re.MULTILINE)
#: What differs from run to run: ids, clock times, lengths of time, rates and bars.
VARIES = (
    (r"\b[0-9a-f]{16}\b", "TASK"),
    (r"\b[0-9a-f]{12}\b", "MINION"),
    (r"\bl[0-9a-f]{6}\b", "LAUNCH"),
    (r"\bpid \d+\b", "PID"),
    (r"\b\d+:\d\d(:\d\d)?\b", "CLOCK"),
    (r"\b\d+(\.\d+)?(ms|s|m)\b", "TIME"),
    (r"\b\d+\.\d+/s\b", "RATE"),
    ("\u2588+", "BAR"),  # as wide as the words beside it leave
)
FILES = {
    "simulate.sh": '#!/bin/sh\necho "$1 $2"\n',
    "params.csv": "model,seed\nlinear,1\nforest,1\n",
    "model.py": 'def score(alpha, seed=0):\n    print("scoring", alpha)\n    return {"loss": alpha * 2}\n',
    "params.txt": "red\nblue\n",
}


def blocks():
    """Give the console blocks: each a list of (command, expected output)."""
    for match in BLOCK.finditer(TEXT):
        lines = [line[3:] for line in match.group(1).splitlines()]
        steps: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.startswith("$ "):
                steps.append((line[2:], []))
            elif line:
                steps[-1][1].append(line)
        yield steps


def plain(text):
    """Take out what differs from run to run."""
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines() if line.strip())


@pytest.mark.parametrize("steps", list(blocks()), ids=lambda steps: steps[0][0])
def test_console_blocks_are_true(steps, tmp_path):
    """Every command of the README, run in an empty directory, prints what the README shows."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "simulate.sh").chmod(0o755)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = {"PATH": path, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    for command, expected in steps:
        done = subprocess.run(
            ["sh", "-c", f"{{ {command}\n}} 2>&1"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            timeout=60,
            check=False,
        )
        found, wanted = plain(done.stdout.decode()), plain("\n".join(expected))
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(wanted, found, flags), f"$ {command}\n{found}"


def test_generated_tables_are_current():
    """Settings and engines are documented as they are."""
    assert generated(TEXT) == TEXT, "run: python tests/docs/generate.py"
