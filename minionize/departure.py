"""Why a minion leaves, once it does, and the exit code that goes with it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from minionize import policy, signals
from minionize.errors import EngineUnavailable, MinionizeError

if TYPE_CHECKING:
    from minionize.console import Console
    from minionize.model import Counts
    from minionize.policy import Reason

#: Seconds that leaving may take once nothing runs any more: giving back, closing, last output.
PARTING = 5.0


class Departure:
    """Undecided at first. ``signal`` is the one that ended the minion, ``error`` what did, if so."""

    def __init__(self) -> None:
        """Stay."""
        self.reason: Reason | None = None
        self.signal = 0
        self.error: BaseException | None = None

    @property
    def is_hurried(self) -> bool:
        """Whether nothing is waited for."""
        return self.reason is not None and policy.RANKS[self.reason] >= policy.HURRIED

    def decide(self, reason: Reason, signal: int = 0) -> None:
        """Leave for this reason, unless there is one already that prevails."""
        if self.reason is None or policy.RANKS[reason] > policy.RANKS[self.reason]:
            self.reason, self.signal = reason, signal

    def exit_code(self, dead: int, books: Counts | None, *, answered: bool, ignore_failures: bool) -> int:
        """Give the exit code; ``dead`` tasks died here, the queue was left with these ``books``, if it ever ``answered``."""
        if isinstance(self.error, EngineUnavailable):
            return 75 if answered else self.error.exit_code
        if self.error is not None:
            return self.error.exit_code if isinstance(self.error, MinionizeError) else 70
        left = books is None or books.pending is None or books.pending + (books.delayed or 0) + (books.leased or 0) > 0
        reason = self.reason or "error"
        return policy.exit_code(reason, dead=dead, left=left, signal=self.signal, ignore_failures=ignore_failures)

    def see_off(self, console: Console, wake: signals.Signals, grace: float, code: int) -> int:
        """Wait for the reader of our output, if there is time: one who has not read on is no reason to lose the rest."""
        hurry = {"signal": grace, "lifetime": PARTING, "error": PARTING}
        patience = hurry.get(self.reason or "error", float("inf"))
        end = time.monotonic() + patience
        while not console.close(min(0.2, patience)) and time.monotonic() < end:
            received = wake.read()
            stops = [number for number in signals.STOP if number in received]
            if stops and self.reason != "signal":
                return 128 + stops[0]
            if signal.SIGINT in stops:
                break
        return code
