"""Runs the console blocks of a README, and compares what it shows with what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
_BLOCK = re.compile(r"^( *)\.\. code-block:: console\n\n((?:\1   .*\n|\n)+)", re.MULTILINE)
#: What differs from run to run: names of minions, of launches and of processes, and times of either kind.
_VARIES = (
    (r"\bl[0-9a-f]{6}\b", "LAUNCH"),
    (r"\bpid \d+\b", "PID"),
    (r"\b[0-9a-f]{12}\b", "MINION"),
    (r"\b\d+((:\d\d)+|(\.\d+)?(ms|s))\b", "TIME"),
)


class Step(NamedTuple):
    """A command, and the lines that it is said to print; ``...`` stands for any lines."""

    command: str
    shown: list[str]


class Printed(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def steps(readme: Path) -> Iterator[Step]:
    """Give the commands of all console blocks, in order."""
    for match in _BLOCK.finditer(readme.read_text("utf-8")):
        for text in re.split(r"^\$ ", dedent(match.group(2)), flags=re.MULTILINE)[1:]:
            command, *shown = text.strip().splitlines()
            yield Step(command, shown)


def run(command: str, directory: Path, timeout: float = 60, **environ: str) -> Printed:
    """Run a command line in a directory, with the commands of this Python first, and none of our own settings."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environ = {"PATH": path, "HOME": str(directory), "LC_ALL": "C.UTF-8", **environ}
    done = subprocess.run(
        ["sh", "-c", command], cwd=directory, env=environ, capture_output=True, timeout=timeout, check=False
    )
    return Printed(done.returncode, done.stdout.decode(), done.stderr.decode())


def agrees(shown: list[str], printed: str) -> bool:
    """Say whether these lines are what was printed, but for what differs from run to run."""
    wanted = "\n".join(r"(?:.*\n)*?.*" if line == "..." else re.escape(_plain(line)) for line in shown)
    return re.fullmatch(wanted, _plain(printed.strip("\n"))) is not None


def _plain(text: str) -> str:
    for pattern, word in _VARIES:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
