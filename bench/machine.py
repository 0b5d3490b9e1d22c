"""What it was measured on, and who else was there."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import time
from typing import Any

from minionize import __version__, place

_TICKS = os.sysconf("SC_CLK_TCK")


def describe(directory: str) -> dict[str, Any]:
    """Say what a reader of the figures must know; ``directory`` is where the queues are."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "minionize": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "sqlite": sqlite3.sqlite_version,
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": f"{os.cpu_count()} x {_cpu()}, {place.cpus()} for us",
        "disk": f"{place.filesystem(directory)} ({directory})",
    }


class Others:
    """Looks how much of the CPUs programs that are not ours take, from its making on."""

    def __init__(self) -> None:
        """Begin to look."""
        self._began, self._others = time.monotonic(), self._look()

    def share(self) -> float:
        """Give their part of all the CPU time there was."""
        there_was = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return max(0.0, self._look() - self._others) / there_was

    def _look(self) -> float:
        """Count the CPU seconds of all programs but us and the children that we have seen the end of."""
        try:
            with open("/proc/stat", encoding="ascii") as lines:
                user, nice, system, _, _, *interrupts = map(int, lines.readline().split()[1:8])
        except OSError:
            return 0.0  # a container may hide it: then nobody is seen
        return (user + nice + system + sum(interrupts)) / _TICKS - sum(os.times()[:4])


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
