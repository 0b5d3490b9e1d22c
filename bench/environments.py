"""Virtual environments for the programs of others: each is made once, and kept for the next run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.children import environment

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 600


class Missing(Exception):
    """A peer cannot be had here; says why."""


class Environment:
    """A virtual environment with some packages in it."""

    def __init__(
        self, home: str, wanted: tuple[str, ...], imported: str, base: Callable[[], str] = lambda: sys.executable
    ) -> None:
        """Name its directory, what pip gets to install, and modules that must load then; ``base`` gives the interpreter."""
        self._home, self._wanted, self._imported, self._base = home, wanted, imported, base
        self._missing: Missing | None = None

    def program(self, name: str) -> str:
        """Give the path of one of its programs; the environment is made where it is missing. Raises Missing."""
        if self._missing:
            raise self._missing
        if self._noted() != self._wanted:
            print(f"  (makes an environment for {self._wanted[0]} in {self._home}: a minute at most, once)", flush=True)
            try:
                self._make()
            except BaseException as error:
                shutil.rmtree(self._home, ignore_errors=True)
                self._missing = error if isinstance(error, Missing) else None
                raise
        return os.path.join(self._home, "bin", name)

    def _make(self) -> None:
        python = os.path.join(self._home, "bin", "python")
        base = self._base()
        shutil.rmtree(self._home, ignore_errors=True)
        _do(base, "-m", "venv", self._home)
        _do(python, "-m", "pip", "install", "--quiet", *self._wanted)
        _do(python, "-c", f"import {self._imported}")
        with open(self._complete, "w", encoding="utf-8") as file:
            file.writelines(f"{wanted}\n" for wanted in self._wanted)

    def _noted(self) -> tuple[str, ...]:
        """Tell what was installed when it was complete."""
        try:
            with open(self._complete, encoding="utf-8") as file:
                return tuple(file.read().split())
        except OSError:
            return ()

    @property
    def _complete(self) -> str:
        return os.path.join(self._home, "complete")


def _do(*argv: str) -> None:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=environment(), timeout=_LONGEST, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"it cannot be installed: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise Missing(f"it cannot be installed: {last}")
