"""How long a minion may go on: for as long as its user says, or as its job lasts, which its scheduler is asked now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minionize.place.grant import Grant
    from minionize.place.question import Question

#: Seconds before the end of a job, after the grace, in which all is given back and reported.
MARGIN = 5.0
#: The scheduler is asked again when half of the time is over, between these many seconds from now.
SOONEST, LATEST = 30.0, 600.0
#: Seconds that it may take to answer.
PATIENCE = 30.0
_FOREVER = float("inf")


class Lifetime:
    """The time that is left, on the monotonic clock. Nothing here waits: the loop calls :meth:`watch` whenever it wakes."""

    def __init__(
        self,
        own: float | None,
        job: Mapping[str, str] | None = None,
        grace: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to live, for ``own`` seconds where the user said so; else as the job whose environment is given.

        The job's end comes sooner by ``grace`` seconds, that its tasks have to end in, and a margin.
        """
        self._clock, self._grace = clock, grace
        self._job = job if own is None else None
        #: How long a minion has here at the most, in seconds: what does not fit into this fits nowhere.
        self.whole = _FOREVER if own is None else own
        self._end = self._known = clock() + self.whole
        self._question: Question | None = None
        self._asked = 0.0
        self._ask_at = _FOREVER
        if self._job is not None:
            from minionize.place.grant import granted

            self._ask_at = clock()
            grant = granted(self._job)
            if grant is not None:
                self._take(grant)
                if self.left() < SOONEST:  # by what was told at its start: it may have been given more since
                    self.renew()

    def left(self) -> float:
        """Return the seconds until what runs has to be stopped; infinite where there is no end, or none known yet."""
        return self._end - self._clock()

    def watch(self, now: float) -> float:
        """Ask, or hear what was answered; returns when something is due next. Both are on the monotonic clock."""
        if self._question is not None:
            self._hear(now)
        elif now >= self._ask_at:
            self._ask(now)
        return min(self._end, self._ask_at)

    def renew(self) -> None:
        """Ask again: time stood still for us, and perhaps for our job too. Until the answer comes there is no end."""
        if self._job is not None:
            self.close()  # what was asked before is answered of before
            self._end, self._ask_at = _FOREVER, self._clock()

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._question is not None:
            self._question.drop()
            self._question = None

    def _ask(self, now: float) -> None:
        from minionize.place.grant import ask

        assert self._job is not None  # noqa: S101 - else there is nothing to ask
        self._question, self._asked, self._ask_at = ask(self._job), now, now + PATIENCE

    def _hear(self, now: float) -> None:
        from minionize.place.grant import read

        assert self._question is not None  # noqa: S101 - else there is nothing to hear
        answer = self._question.answer()
        if answer is None and now - self._asked < PATIENCE:
            return
        self.close()
        grant = read(answer or "")
        if grant is not None:
            self._take(grant)
        else:
            self._end = self._known
            self._ask_at = now + (SOONEST if self._end == _FOREVER else LATEST)

    def _take(self, grant: Grant) -> None:
        """Keep what the scheduler said; a job that is very short is not all reserve."""
        now = self._clock()
        reserve = min(self._grace + MARGIN, grant.whole / 4)
        self.whole = grant.whole - reserve
        self._end = self._known = now + grant.left - reserve
        self._ask_at = now + min(LATEST, max(SOONEST, (self._end - now) / 2))
