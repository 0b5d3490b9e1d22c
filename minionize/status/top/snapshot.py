"""What is known at one moment."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from minionize.status.ledger import FAILED, REPLACED, TIMEOUT
from minionize.status.statistics import Chart, chart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.status.ledger import MinionRecord
    from minionize.status.model import InFlight, Minion, Status
    from minionize.status.read import EventFiles
    from minionize.status.top.clerk import Answer
    from minionize.status.top.journal import Entry


class Charts(NamedTuple):
    """Executions that ended per bucket, all of them and those that failed; None where there is nothing to draw yet."""

    ended: Chart | None = None
    failed: Chart | None = None


class Snapshot:
    """The status, how the queue answered, the log, and which rows of the ledger it was made from."""

    def __init__(
        self,
        status: Status,
        answer: Answer,
        files: EventFiles,
        mine: Sequence[bool],
        log: Sequence[Entry],
        clock: float,
    ) -> None:
        """Keep them; ``mine`` says which minions work on this queue, ``clock`` when that was."""
        self.status, self.answer, self.files, self.mine, self.log = status, answer, files, mine, log
        # The status of a run that is finished is for the moment of its end: how long that is ago it does not tell.
        self.now = max(clock, status.run.now)
        self.ledger = files.ledger
        self.rows = len(files.ledger.ended)
        self._charts: dict[float | None, Charts] = {}

    @cached_property
    def minions(self) -> dict[str, Minion]:
        """The minions by their uid."""
        return {minion.uid: minion for minion in self.status.minions}

    @cached_property
    def records(self) -> dict[str, MinionRecord]:
        """What the minions said of themselves, by their uid."""
        return {record.uid: record for record in self.ledger.minions}

    @cached_property
    def at_work(self) -> dict[str, InFlight]:
        """The task that each minion has been running for longest."""
        running = [task for task in self.status.in_flight if task.state in ("running", "straggler", "lost")]
        return {task.minion: task for task in reversed(running)}

    def charts(self, span: float | None) -> Charts:
        """Count what ended in the last ``span`` seconds (None: since the start)."""
        if span not in self._charts:
            self._charts[span] = self._counted(span)
        return self._charts[span]

    def _counted(self, span: float | None) -> Charts:
        run, ledger = self.status.run, self.ledger
        if run.started is None:
            return Charts()
        since = run.started if span is None else max(run.started, run.now - span)
        ended, failed = [], []
        for row in range(self.rows):
            t, outcome = ledger.ended[row], ledger.outcome[row]
            if t >= since and outcome != REPLACED and self.mine[ledger.minion[row]]:
                ended.append(t)
                if FAILED <= outcome <= TIMEOUT:
                    failed.append(t)
        return Charts(chart(ended, since, run.now), chart(failed, since, run.now))
