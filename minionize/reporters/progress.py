"""What a minion says while it works, and its last words: one line on a terminal, one a minute in a log."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minionize.model import Counts
    from minionize.policy import Reason
    from minionize.tally import Tally

#: Seconds between two lines: redrawn on a terminal, appended to a log.
TERMINAL, LOG = 1.0, 60.0
#: Readings of the books that the rate is taken over.
_WINDOW = 60

_WORDS: dict[Reason, str] = {
    "settled": "all settled",
    "idle": "nothing left to run here",
    "drain": "drained, as asked",
    "lifetime": "out of time",
    "max_tasks": "ran as many tasks as it was to",
    "halt": "halted by dead tasks",
    "signal": "stopped by a signal",
    "bad_host": "this host is bad: every task failed here while others succeed",
    "engine_lost": "the queue is lost",
    "output": "nobody reads the output any more",
    "error": "cannot go on",
}


class Progress:
    """The progress line of one minion."""

    def __init__(self, now: float, *, terminal: bool, quiet: bool, durable: bool) -> None:
        """Start the clock; ``now`` is monotonic. ``durable``: the queue is still there when the minion has left."""
        self._durable = durable
        self._every = float("inf") if quiet else TERMINAL if terminal else LOG
        self.due = now + self._every
        self._readings: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._counted = False

    def line(self, now: float, tally: Tally, counts: Counts | None, running: int) -> str:
        """Say how far things are."""
        self.due = now + self._every
        counted = counts is not None and counts.done is not None and counts.dead is not None
        if counted != self._counted:  # our own count and that of the queue are not to be compared
            self._counted = counted
            self._readings.clear()
        self._readings.append((now, _ended(counts) if counted and counts else tally.done + tally.failed))
        parts = [f"{tally.done} done", f"{tally.failed} failed"] if tally.failed else [f"{tally.done} done"]
        rate = self._rate()
        if running:
            parts.append(f"{running} running")
        if rate:
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f}s/task")
        left = _left(counts)
        if left is not None:
            parts.append(f"{left} to go")
            if rate and left:
                parts.append(f"ETA {duration(left / rate)}")
        return ", ".join(parts)

    def _rate(self) -> float:
        """Take the rate of the whole queue where its books are known, else ours: tasks per second."""
        if len(self._readings) < 2:
            return 0.0
        (then, before), (now, ended) = self._readings[0], self._readings[-1]
        return max(0.0, (ended - before) / (now - then)) if now > then else 0.0

    def last_words(
        self,
        reason: Reason,
        tally: Tally,
        counts: Counts | None,
        error: BaseException | None,
        *,
        took: float,
        closed: bool,
    ) -> list[str]:
        """Say why the minion leaves, what it did, and where to look."""
        words = _WORDS[reason]
        if reason == "settled" and not tally.started and counts is not None:
            words = f"nothing to do: {_books(counts)}"
        elif reason == "idle" and (counts is None or counts.pending is None):
            words = "nothing came for a while, and this queue cannot tell whether anything is left"
        elif reason == "idle" and counts is not None:
            words += f": {counts.leased or 0} held by others, {counts.delayed or 0} delayed"
        lines = [str(error)] if error is not None else []
        if not closed:
            lines.append("the queue did not answer: what was held comes back when the lease ends.")
        lines.append(f"{words}. This minion: {tally.words()} in {duration(took)}. Details: minion-status")
        if tally.dead:
            retry = "     put the dead ones back:  minion-queue retry --all" if self._durable else ""
            lines.append(f"see why:  minion-status --failures{retry}")
        return lines


def _left(counts: Counts | None) -> int | None:
    if counts is None or counts.pending is None:
        return None
    return counts.pending + (counts.delayed or 0) + (counts.leased or 0)


def _ended(counts: Counts) -> int:
    return (counts.done or 0) + (counts.dead or 0)


def _books(counts: Counts) -> str:
    known = [f"{value} {name}" for name, value in zip(counts._fields, counts, strict=True) if value]
    return "the queue is empty" + (f" ({', '.join(known)})" if known else "")


def duration(seconds: float) -> str:
    """Write a length of time as a clock does: ``58s``, ``4:07``, ``1:02:11``."""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
