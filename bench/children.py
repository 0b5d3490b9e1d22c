"""Starting programs: in an environment that is the same for all, and with nothing left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, NamedTuple

import minionize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
#: Variables that would change what is measured. Without byte code every start would compile everything anew.
_OURS = ("MINION_", "SQLITE_", "SPOOL_", "FILE_", "EXECO_", "REPORTER_", "REDIS_", "GOOGLE_", "PUBSUB_", "PULSAR_")
_SCHEDULERS = ("SLURM_", "OAR_", "PBS_")
_PYTHONS = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONPROFILEIMPORTTIME")
#: Seconds that a program may take, and that it gets to end after SIGTERM.
_LONGEST, _GRACE = 600, 10


class Failed(Exception):
    """A program that was to be measured did not do its work."""


class Ended(Failed):
    """It ended before it should have: what it said on its standard error tells why."""


class Program(NamedTuple):
    """A command line, with its own variables and input."""

    argv: Sequence[str]
    variables: Mapping[str, str] = {}
    stdin: str = os.devnull


def environment(**variables: str) -> dict[str, str]:
    """Make the environment of a program: ours without the settings of minionize, schedulers and Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS + _SCHEDULERS)}
    for name in _PYTHONS:
        kept.pop(name, None)
    return kept | variables


@cache
def _path() -> dict[str, str]:
    """Let children import the package that we import: by PYTHONPATH only where it is not installed."""
    ask = [sys.executable, "-c", "import minionize; print(minionize.__file__)"]
    answer = subprocess.run(ask, cwd="/", env=environment(), capture_output=True, text=True, check=False)
    if answer.stdout.strip() == minionize.__file__:
        return {}
    return {"PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(minionize.__file__)))}


def command(module: str, *arguments: str, stdin: str = os.devnull, **variables: str) -> Program:
    """Make one of our commands as its script starts it; ``module`` is the one in ``minionize.cli``."""
    start = f"import sys; from minionize.cli.{module} import main; sys.exit(main())"
    return Program([sys.executable, "-c", start, *arguments], _path() | variables, stdin)


def script(name: str, *arguments: str) -> Program:
    """Make a program of this folder."""
    return Program([sys.executable, os.path.join(PROGRAMS, name), *arguments], _path())


@contextmanager
def started(
    program: Program, cwd: str, *, talk: bool = False, endless: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Start a program, and end it with this block; raises Failed where it did not end well by then, unless ``endless``.

    With ``talk``, its input and output are pipes.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors, open(program.stdin, "rb") as stdin:
        process = _start(program, cwd, stdin, errors, talk=talk)
        try:
            yield process
            if not endless:
                _check(process, program, errors)
        except (BrokenPipeError, Ended):
            process.wait(_GRACE)
            _check(process, program, errors)
            raise
        finally:
            _end(process)


def run(cwd: str, *programs: Program) -> float:
    """Run programs side by side to their ends; returns the seconds from the first start to the last exit."""
    with ExitStack() as stack:
        began = time.perf_counter()
        for process in [stack.enter_context(started(program, cwd)) for program in programs]:
            finish(process)
        return time.perf_counter() - began


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a process to the millisecond: with a time limit, Popen's own wait looks every 50 of them."""
    fd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(_LONGEST * 1000):
            raise subprocess.TimeoutExpired(process.args, _LONGEST)
    finally:
        os.close(fd)
    process.wait()


def answer(cwd: str, program: Program, line: str = "") -> str:
    """Run a program on a line of input; returns what it prints."""
    with started(program, cwd, talk=True) as process:
        return process.communicate(line, _LONGEST)[0]


def _start(program: Program, cwd: str, stdin: IO[bytes], errors: IO[str], *, talk: bool) -> subprocess.Popen[str]:
    """Start a program; no signal makes us leave between its start and our knowing of it."""
    with _undisturbed():
        process = subprocess.Popen(
            program.argv,
            stdin=subprocess.PIPE if talk else stdin,
            stdout=subprocess.PIPE if talk else subprocess.DEVNULL,
            stderr=errors,
            env=environment(**program.variables),
            cwd=cwd,
            text=True,
            start_new_session=True,
        )
        _running.append(process)
    return process


def _check(process: subprocess.Popen[str], program: Program, errors: IO[str]) -> None:
    """Raise Failed where a program ended badly, or has not ended by itself."""
    code = process.poll()
    if code == 0:
        return
    errors.seek(0)
    said = errors.read()[-2000:].strip()
    how = "did not end" if code is None else f"ended with {code}"
    raise Failed(f"{' '.join(program.argv)} {how}{': ' + said if said else ''}")


def _end(process: subprocess.Popen[str]) -> None:
    """End what a program may have left of itself: a minion hears SIGTERM and stops its children first."""
    if process.poll() is None:  # not reaped: the number of its group is still its own
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    if process in _running:
        _running.remove(process)


# ---------------------------------------------------------------------- leaving

_running: list[subprocess.Popen[str]] = []
_asked_to_leave: list[int] = []
_is_undisturbed = False


@contextmanager
def nothing_left() -> Iterator[None]:
    """Leave at SIGINT, SIGTERM and SIGHUP, with 128 and its number; whatever ends this block, nothing runs on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for process in _running:
            _end(process)


def _leave(number: int, frame: object) -> None:
    """Leave; a second signal changes nothing."""
    _asked_to_leave.append(number)
    if len(_asked_to_leave) == 1 and not _is_undisturbed:
        sys.exit(128 + number)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hear signals only at the end of this block."""
    global _is_undisturbed  # noqa: PLW0603 - signals are the process's, and so is this
    _is_undisturbed = True
    try:
        yield
    finally:
        _is_undisturbed = False
    if _asked_to_leave:
        sys.exit(128 + _asked_to_leave[0])
