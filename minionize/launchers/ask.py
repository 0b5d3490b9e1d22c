"""Run the command of a scheduler, and say in its own words why it did not do what it was asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NamedTuple

from minionize.errors import LaunchError, LaunchRefused
from minionize.launchers.base import Command
from minionize.masks import mask

#: Seconds that a busy scheduler may take to submit, or to do what it is told; and to answer a question.
PATIENCE, _SHORT = 120.0, 30.0
#: Lines of what a command said that are repeated.
_LINES = 20


def missing(*names: str) -> str:
    """Say which of these programs is not on PATH; empty where all are."""
    for name in names:
        if shutil.which(name) is None:
            return f"there is no command {name} on PATH"
    return ""


class Said(NamedTuple):
    """What a command said, and its exit code (negative: the signal that ended it)."""

    code: int
    out: str
    err: str


def ask(*argv: str) -> str:
    """Return what a command prints; raises LaunchError where it fails."""
    return answer(Command(argv), patience=_SHORT)


def answer(command: Command, hint: str = "", *, patience: float = PATIENCE) -> str:
    """Return what a command prints.

    Raises LaunchRefused where it ends with an error (``hint`` says what to try), LaunchError where nobody knows what it did.
    """
    said = tell(command, patience)
    if said.code:
        raise LaunchRefused(refusal(command, said, hint))
    return said.out


def tell(command: Command, patience: float = PATIENCE) -> Said:
    """Run a command to its end, however that is; raises LaunchRefused where it cannot be run, LaunchError where it hangs."""
    name = command.argv[0]
    # Some go by PWD rather than by where they are.
    environ = {**os.environ, "PWD": command.directory} if command.directory else None
    try:
        done = subprocess.run(
            command.argv,
            cwd=command.directory or None,
            env=environ,
            input=None if command.input is None else os.fsencode(command.input),
            stdin=subprocess.DEVNULL if command.input is None else None,
            capture_output=True,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(
            f"{name} has not answered for {patience:g} s. It may have done its work all the same"
        ) from error
    except OSError as error:
        raise LaunchRefused(f"{name} cannot be run: {missing(name) or error.strerror}") from error
    return Said(done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="replace"))


def refusal(command: Command, said: Said, hint: str = "") -> str:
    """Say that a command failed, in its own words."""
    code = f"signal {-said.code}" if said.code < 0 else f"exit code {said.code}"
    lines = [mask(line.rstrip()) for line in f"{said.err}\n{said.out}".splitlines() if line.strip()]
    words = lines[-_LINES:] or ["it said nothing"]
    return "\n  ".join([f"{command.argv[0]} failed ({code}):", *words, *hint.splitlines()])
