"""All clauses, and running them with no test framework."""

from __future__ import annotations

import traceback
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from minionize.testing.contract.clause import DoesNotApply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minionize.testing.contract.clause import Clause
    from minionize.testing.contract.maker import Maker

THEMES = (
    "exchanging",
    "values",
    "settling",
    "leases",
    "crashes",
    "putting",
    "books",
    "admin",
    "crowd",
    "faults",
)


def clauses() -> Iterator[Clause]:
    """Go through the contract, clause by clause."""
    for name in THEMES:
        yield from import_module(f"minionize.testing.contract.{name}").theme.clauses


class Report(NamedTuple):
    """What came of a run: the clauses kept, those skipped with the reason, those broken with the traceback."""

    passed: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]

    @property
    def kept(self) -> bool:
        """Whether no clause is broken, and some were tried."""
        return not self.failed and bool(self.passed)

    def __str__(self) -> str:
        """Write it for people."""
        lines = [f"broken   {name}\n{trace}" for name, trace in self.failed]
        lines += [f"skipped  {name}: {reason}" for name, reason in self.skipped]
        lines += [f"kept     {name}" for name in self.passed]
        lines.append(f"{len(self.passed)} kept, {len(self.failed)} broken, {len(self.skipped)} skipped")
        return "\n".join(lines)


def run(make: Callable[[], Maker], chosen: Callable[[Clause], bool] = lambda _: True) -> Report:
    """Run the contract, or the ``chosen`` clauses, each on a new queue made by ``make``."""
    passed: list[str] = []
    skipped: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    for clause in filter(chosen, clauses()):
        try:
            try_clause(clause, make)
        except DoesNotApply as reason:
            skipped.append((clause.name, str(reason)))
        except Exception:  # noqa: BLE001 - a broken engine may raise anything, and the other clauses are still of interest
            failed.append((clause.name, traceback.format_exc()))
        else:
            passed.append(clause.name)
    return Report(tuple(passed), tuple(skipped), tuple(failed))


def try_clause(clause: Clause, make: Callable[[], Maker]) -> None:
    """Check one clause on a new queue and clean up; raises AssertionError, DoesNotApply or what the engine raised."""
    maker = make()
    try:
        lacking = clause.needs(maker.traits)
        if lacking:
            raise DoesNotApply(lacking)
        clause.check(maker)
    finally:
        maker.cleanup()
