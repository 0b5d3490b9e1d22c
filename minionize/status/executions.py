"""Executions one by one, for whoever wants more of them than what they add up to."""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING, Any

from minionize.status.failures import cause_of_event, describe
from minionize.status.ledger import FAILED, OUTCOMES, REPLACED, TIMEOUT
from minionize.status.read import event_of
from minionize.status.words import as_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from minionize.events import Event
    from minionize.status.ledger import Ledger, MinionRecord
    from minionize.status.read import EventFiles

#: JSON has whole numbers of any length, and what Python reads as JSON has NaN; whoever writes events can write both.
_LARGEST = 1e300


class Execution:
    """One execution. What the ledger has is at hand; its event is read when something else is asked for."""

    __slots__ = ("_decode", "_event", "_line", "end", "minion", "outcome", "row", "took")
    minion: MinionRecord
    end: float
    took: float
    outcome: str

    def __init__(self, ledger: Ledger, row: int, line: bytes, decode: Callable[[bytes], Any]) -> None:
        """Take a row of the ledger, and the line of its event, which ``decode`` reads as JSON."""
        self.row, self._line, self._decode = row, line, decode
        self._event: Event | None = None
        self.minion = ledger.minions[ledger.minion[row]]
        self.end, self.took, self.outcome = ledger.ended[row], ledger.took[row], OUTCOMES[ledger.outcome[row]]

    @property
    def event(self) -> Event:
        """Its ``task_end``; empty where that is gone."""
        if self._event is None:
            self._event = event_of(self._line, self._decode) or {}
        return self._event

    @property
    def error(self) -> str | None:
        """What went wrong, in one line that others with the same cause share; None where nothing did."""
        failed = self.outcome in (OUTCOMES[FAILED], OUTCOMES[TIMEOUT])
        return describe(cause_of_event(self.event)) if failed and self.event else None

    def get(self, name: str) -> Any:
        """Return a field of the event; None where there is none."""
        return self.event.get(name)

    def number(self, name: str) -> float | None:
        """Return a field that is a number; None where it is none."""
        return number_in(self.event, name)

    def text(self, name: str) -> str | None:
        """Return a field that is a text; None where it is none, or empty."""
        return text_in(self.event, name)


def number_in(event: Event, name: str) -> float | None:
    """Return a field of an event that is a number; None where it is none, or none that can be written or sorted."""
    value = event.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return value if -_LARGEST < value < _LARGEST else None


def text_in(event: Event, name: str) -> str | None:
    """Return a field of an event that is a text; None where it is none, or empty."""
    value = event.get(name)
    return value if isinstance(value, str) and value else None


def rows_of(ledger: Ledger, mine: Sequence[bool] | None = None) -> Iterator[int]:
    """Yield the rows that count (no settlement of theirs was refused), those of some minions or (None) of all."""
    ledger.settle()
    for row, (minion, outcome) in enumerate(zip(ledger.minion, ledger.outcome, strict=True)):
        if outcome != REPLACED and (mine is None or mine[minion]):
            yield row


def executions(
    files: EventFiles, rows: Iterable[int], decode: Callable[[bytes], Any] = as_typed
) -> Iterator[Execution]:
    """Yield the executions of rows, in that order; what was removed since it was read is left out."""
    for row, line in files.lines(rows):
        yield Execution(files.ledger, row, line, decode)


def longest(ledger: Ledger, rows: Iterable[int], n: int) -> list[int]:
    """Return the rows of the n longest executions, longest first; n = 0 returns all."""
    took = ledger.took.__getitem__
    return nlargest(n, rows, key=took) if n else sorted(rows, key=took, reverse=True)
