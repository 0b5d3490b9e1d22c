"""One pass over the rows of a ledger: what each minion, each host and all of them did."""

from __future__ import annotations

from array import array
from heapq import nlargest
from typing import TYPE_CHECKING

from minionize.status.eta import Ended
from minionize.status.ledger import DONE, REPLACED, TIMEOUT, Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence


class Work:
    """Executions of one minion or host: how many were done or failed, seconds inside them, the last end."""

    __slots__ = ("busy", "done", "failed", "last", "took")

    def __init__(self) -> None:
        """Start with none."""
        self.done = self.failed = 0
        self.busy = 0.0
        self.last: float | None = None
        self.took = array("d")


def tasks_done(ledger: Ledger, mine: Sequence[bool]) -> int:
    """Count the tasks that were done: where a minion vanished, or a queue knows no ids, some were done more than once."""
    rows = zip(ledger.task, ledger.outcome, ledger.minion, strict=True)
    return len({task for task, outcome, number in rows if outcome == DONE and mine[number]})


class Totals:
    """Executions of the minions in ``mine``; ``elsewhere`` counts those of others."""

    __slots__ = ("_settles", "_task", "_took", "by_minion", "done", "elsewhere", "ended", "failed")

    def __init__(self, ledger: Ledger, mine: Sequence[bool]) -> None:
        """Add them up."""
        ledger.settle()
        self.ended, self._took, self._settles, self._task = array("d"), array("d"), array("B"), array("q")
        self.done, self.failed = array("d"), array("d")
        self.by_minion = [Work() for _ in mine]
        self.elsewhere = 0
        columns = zip(ledger.minion, ledger.outcome, ledger.ended, ledger.took, ledger.task, strict=True)
        for number, outcome, ended, took, task in columns:
            if outcome == REPLACED:
                continue
            if not mine[number]:
                self.elsewhere += 1
                continue
            work = self.by_minion[number]
            if outcome == DONE:
                work.done += 1
                work.took.append(took)
                self.done.append(took)
            elif outcome <= TIMEOUT:
                work.failed += 1
                self.failed.append(took)
            work.busy += took
            if work.last is None or ended > work.last:
                work.last = ended
            self.ended.append(ended)
            self._took.append(took)
            self._task.append(task)
            self._settles.append(outcome <= TIMEOUT)

    def newest(self, n: int) -> list[Ended]:
        """List the last n executions that ended, oldest first."""
        rows = nlargest(n, zip(self.ended, self._took, self._settles, self._task, strict=True))
        return [Ended(at, took, bool(settles), task) for at, took, settles, task in reversed(rows)]
