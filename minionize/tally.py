"""What this minion did: counts and durations, for its decisions, its progress line and its last words."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minionize.model import Outcome
    from minionize.policy import Verdict

#: Executions whose durations are remembered.
MEMORY = 200
_WEIGHT = 0.2
#: Executions that have a say in the mean: what was before these weighs less than a thousandth.
_RECENT = 32


class Tally:
    """The counts of one minion."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.started = 0
        self.done = 0
        self.failed = 0
        self.dead = 0
        self.interrupted = 0
        self.lost = 0
        self.cancelled = 0
        #: Failures in a row, up to now.
        self.row = 0
        #: Durations of the last executions that were not cut short, in seconds.
        self.durations: deque[float] = deque(maxlen=MEMORY)
        #: The mean duration, the recent ones weighing most; None before the first.
        self.mean: float | None = None

    def ended(self, verdict: Verdict, took: float, *, dead: bool) -> None:
        """Count an execution."""
        outcome = verdict.outcome
        if outcome == "done":
            self.done += 1
            self.row = 0
        elif outcome in ("failed", "timeout"):
            self.failed += 1
            self.row += 1
        elif outcome == "interrupted":
            self.interrupted += 1
        else:
            self._gone(outcome)
        self.dead += dead
        if outcome in ("done", "failed"):
            self.durations.append(took)
            self.mean = took if self.mean is None else (1 - _WEIGHT) * self.mean + _WEIGHT * took

    def succeeded(self, durations: list[float]) -> None:
        """Count executions that succeeded, one after the other."""
        self.done += len(durations)
        self.row = 0
        self.durations.extend(durations[-MEMORY:])
        for took in durations[-_RECENT:]:
            self.mean = took if self.mean is None else (1 - _WEIGHT) * self.mean + _WEIGHT * took

    def _gone(self, outcome: Outcome) -> None:
        if outcome == "cancelled":
            self.cancelled += 1
        else:
            self.lost += 1

    def refused(self, outcome: Outcome, why: Outcome, *, dead: bool) -> None:
        """Take back an execution whose settlement was refused, since the task was ``lost`` or ``cancelled``."""
        if outcome == "done":
            self.done -= 1
        elif outcome in ("failed", "timeout"):
            self.failed -= 1
        self.dead -= dead
        self._gone(why)

    def words(self) -> str:
        """Say it: ``412 done, 3 dead``."""
        parts = [f"{self.done} done"]
        retried = self.failed - self.dead
        for count, word in (
            (self.dead, "dead"),
            (retried, "failed and given back"),
            (self.interrupted, "interrupted and given back"),
            (self.lost, "lost to others"),
            (self.cancelled, "cancelled"),
        ):
            if count > 0:
                parts.append(f"{count} {word}")
        return ", ".join(parts)
