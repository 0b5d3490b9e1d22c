"""Failed tasks, grouped by cause."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from minionize.status.failures import Cause, cause_of_failure
from minionize.status.model import Failed, FailureGroup
from minionize.status.words import param_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.model import Entry
    from minionize.status.ledger import Ledger


def failure_groups(ledger: Ledger, mine: Sequence[bool], dead: Sequence[Entry] | None) -> list[FailureGroup]:
    """Group the tasks whose last execution failed, largest group first.

    ``dead``, where the queue can list it, adds what no minion reported, and takes away what was put back since.
    """
    by_cause: dict[Cause, list[Failed]] = {}
    listed = {entry.id: entry for entry in dead} if dead is not None else None
    seen = set()
    for (_, id), last in ledger.last.items():
        number = ledger.minion[last.row]
        if last.cause is None or not mine[number]:
            continue
        if last.dead and listed is not None and id not in listed:
            continue
        seen.add(id)
        record = ledger.minions[number]
        task = Failed(id, ledger.ended[last.row], record.host, record.uid, last.dead, last.row)
        by_cause.setdefault(last.cause, []).append(task)
    for id, entry in (listed or {}).items():
        failure = entry.failure
        if id not in seen and failure is not None:
            at = failure.at or entry.ended or 0.0
            task = Failed(id, at, failure.host, failure.minion, True, None, entry)
            by_cause.setdefault(cause_of_failure(failure, param_value(entry.param)), []).append(task)
    total = sum(len(tasks) for tasks in by_cause.values())
    ranked = sorted(
        by_cause.items(), key=lambda item: (-len(item[1]), item[0].kind, item[0].code or 0, item[0].signature)
    )
    return [group_of(number, cause, tasks, total) for number, (cause, tasks) in enumerate(ranked, 1)]


def group_of(number: int, cause: Cause, tasks: list[Failed], total: int) -> FailureGroup:
    """Sum up the tasks of one cause, of ``total`` that failed; sorts them."""
    tasks.sort(key=lambda task: (-task.at, task.id))
    hosts = Counter(task.host for task in tasks)
    top, most = max(hosts.items(), key=lambda item: (item[1], item[0]))
    share = len(tasks) / total
    return FailureGroup(
        number, cause, share, tasks[-1].at, tasks[0].at, len(hosts), top, most / len(tasks), tuple(tasks)
    )
