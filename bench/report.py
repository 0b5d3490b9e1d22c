"""The figures, as lines of text while they come and as JSON at the end."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Any

from minionize import __version__, place

if TYPE_CHECKING:
    from bench.measure import Spread
    from bench.targets import Target

_COLUMNS = f"{'median':>10}{'min':>10}{'max':>10}{'floor':>9}{'goal':>9}"


class Report:
    """Prints figures as they come, and keeps them."""

    def __init__(self, directory: str, *, quick: bool) -> None:
        """Say what is measured on what; ``directory`` is where the queues are."""
        self._figures: list[dict[str, Any]] = []
        self._theme = ""
        self._machine = _machine(directory) | {"quick": quick}
        for name, value in self._machine.items():
            print(f"{name:12}{value}")
        if self._machine["load"] > 0.5:
            print("The machine is busy with something else: take the figures as provisional.")

    def theme(self, name: str, words: str) -> None:
        """Begin a table."""
        self._theme = name
        print(f"\n{name}: {words}\n{'':52}{_COLUMNS}", flush=True)

    def add(self, what: str, spread: Spread, unit: str = "", target: Target | None = None) -> None:
        """Print one figure, and beside it what it should be."""
        label = f"{what}, {unit}" if unit else what
        line = f"  {label:50}" + "".join(f"{_number(v):>10}" for v in (spread.middle, spread.low, spread.high))
        figure = {
            "theme": self._theme,
            "what": what,
            "unit": unit,
            "median": spread.middle,
            "min": spread.low,
            "max": spread.high,
            "values": spread.values,
        }
        if target:
            verdict = target.verdict(round(spread.middle, 2))  # as it is printed
            goal = "-" if target.goal is None else _number(target.goal)
            line += f"{_number(target.floor):>9}{goal:>9}  {verdict}"
            figure |= {"floor": target.floor, "goal": target.goal, "better": target.better, "verdict": verdict}
        self._figures.append(figure)
        print(line, flush=True)

    def note(self, words: str) -> None:
        """Print a remark: what was left out, and why."""
        self._figures.append({"theme": self._theme, "note": words})
        print(f"  {words}", flush=True)

    def save(self, path: str) -> None:
        """Write all of it as JSON."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"machine": self._machine, "figures": self._figures}, file, indent=1)
            file.write("\n")


def _machine(directory: str) -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "minionize": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "sqlite": sqlite3.sqlite_version,
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": f"{place.cpus()} x {_cpu()}",
        "disk": f"{place.filesystem(directory)} ({directory})",
        "load": round(os.getloadavg()[0] / place.cpus(), 2),
    }


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _number(value: float) -> str:
    """Write three digits that count, or all before the point."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
