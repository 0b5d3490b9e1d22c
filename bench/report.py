"""The figures, as lines of text while they come and as JSON at the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.machine import Others, describe

if TYPE_CHECKING:
    from bench.measure import Spread
    from bench.targets import Target

_COLUMNS = f"{'median':>10}{'min':>10}{'max':>10}{'floor':>9}{'goal':>9}"

#: Share of the CPUs that others may have before figures are doubtful.
_DISTURBED = 0.05


class Report:
    """Prints figures as they come, and keeps them."""

    def __init__(self, directory: str, *, quick: bool) -> None:
        """Say what is measured on what; ``directory`` is where the queues are."""
        self._figures: list[dict[str, Any]] = []
        self._theme = ""
        self._others = Others()
        self._machine = describe(directory) | {"quick": quick}
        for name, value in self._machine.items():
            print(f"{name:12}{value}")

    def theme(self, name: str, words: str) -> None:
        """Begin a table."""
        self._theme, self._others = name, Others()
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

    def end(self) -> None:
        """End the table, and say whether somebody else made it less than it should be."""
        share = self._others.share()
        self._figures.append({"theme": self._theme, "others": share})
        if share > _DISTURBED:
            print(
                f"  Meanwhile other programs took {share:.0%} of the CPUs: take these figures as provisional.",
                flush=True,
            )

    def save(self, path: str) -> None:
        """Write all of it as JSON."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"machine": self._machine, "figures": self._figures}, file, indent=1)
            file.write("\n")


def _number(value: float) -> str:
    """Write three digits that count, or all before the point."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
