"""The peers: xargs, GNU parallel, and minionize 0.3.4 in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

from bench.children import PROGRAMS, Program
from bench.environments import Environment, Missing

ORIGINAL = "0.3.4"
#: Its pandas does not load with a newer numpy.
_WANTED = (f"minionize[execo]=={ORIGINAL}", "numpy<2")
_PYTHON = (3, 11)


class Original:
    """The last release of the original, in a virtual environment that is kept for the next run."""

    def __init__(self, cache: str) -> None:
        """Name the directory that the environment is kept in; it is made when it is first asked for."""
        home = os.path.join(cache, f"minionize-{ORIGINAL}")
        self._environment = Environment(home, _WANTED, "minionize.cli, execo_engine", _python311)

    def python(self) -> str:
        """Give the interpreter of that environment, which is made where it is missing; raises Missing."""
        return self._environment.program("python")

    def sweeper(self, sweeps: str, count: int, seconds: float = 0.0) -> Program:
        """Make the program that fills a sweep, and then takes from it alone for a while."""
        return Program([self.python(), os.path.join(PROGRAMS, "sweeper.py"), sweeps, str(count), str(seconds)])

    def minion(self, engine: str, stdin: str = os.devnull) -> Program:
        """Make its command, which runs ``/bin/true`` with each param."""
        start = "import sys; from minionize.cli import run; sys.exit(run())"
        return Program([self.python(), "-c", start, "/bin/true"], {"MINION_ENGINE": engine}, stdin)

    def status(self, reports: str) -> Program:
        """Make its ``minion-status``, which prints the most memory that it had, in kB, on a last line of its own."""
        start = """
from minionize.cli import status
status()
with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""
        variables = {"MINION_REPORTER": "json", "REPORTER_JSON_DIRECTORY": reports}
        return Program([self.python(), "-c", start], variables)


def xargs(slots: int, params: str) -> Program:
    return Program(["xargs", f"-P{slots}", "-n1", "/bin/true"], {}, params)


def parallel(slots: int, params: str, home: str, *options: str) -> Program:
    """Make GNU parallel's command; ``home`` is where it keeps files of its own. Raises Missing."""
    if not _is_gnu_parallel():
        raise Missing("there is no GNU parallel here (apt-get install parallel)")
    return Program(["parallel", "--will-cite", f"-j{slots}", *options, "/bin/true"], {"PARALLEL_HOME": home}, params)


@cache
def _is_gnu_parallel() -> bool:
    """Tell it from its namesake of moreutils."""
    if not shutil.which("parallel"):
        return False
    said = subprocess.run(
        ["parallel", "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return "GNU parallel" in said.stdout


def _python311() -> str:
    if sys.version_info[:2] == _PYTHON:
        return sys.executable
    name = f"python{_PYTHON[0]}.{_PYTHON[1]}"
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and _works(path):
            return path
    raise Missing(f"it needs {name}, which is not along PATH")


def _works(python: str) -> bool:
    """Try it: a version manager's stand-in may be there without the interpreter."""
    return subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0
