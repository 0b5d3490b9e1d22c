"""What runs now: what the queue says is held, joined with the minions' own announcements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.status.model import InFlight
from minionize.status.words import as_typed, param_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minionize.model import Entry
    from minionize.status.ledger import Ledger, Running
    from minionize.status.statistics import Sample


def straggler_after(done: Sample) -> float | None:
    """Say from which age a running task is a straggler: max(p99, 3 x p50) of those done; None before 20 are."""
    return max(done.percentile(0.99), 3 * done.percentile(0.5)) if done.n >= 20 else None


def in_flight(
    ledger: Ledger,
    mine: Sequence[bool],
    leased: Sequence[Entry] | None,
    gone: frozenset[str],
    done: Sample,
    now: float,
) -> list[InFlight]:
    """List what is held, oldest first; ``gone`` are the minions that are lost or left.

    Where the queue can list what it leased, that decides; a task in it without a ``task_start`` is ``held``.
    """
    running = {(r.id, r.delivery): r for r in ledger.running.values() if mine[r.minion]}
    if leased is None:
        tasks = [_announced(r, ledger) for r in running.values() if _is_current(r, ledger, running)]
    else:
        tasks = [_listed(entry, running.get((entry.id, entry.delivery)), ledger) for entry in leased]
    limit, p50 = straggler_after(done), done.percentile(0.5) if done.n else None
    aged = [_aged(task, gone, limit, p50, now) for task in tasks]
    return sorted(aged, key=lambda task: (task.since if task.since is not None else now, task.id))


def _is_current(task: Running, ledger: Ledger, running: Mapping[tuple[str, int], Running]) -> bool:
    """Tell whether nobody took the task over since: the start of a vanished minion is never followed by its end."""
    queue = ledger.minions[task.minion].queue
    last = ledger.last.get((queue, task.id))
    return (last is None or last.delivery < task.delivery) and (task.id, task.delivery + 1) not in running


def _announced(task: Running, ledger: Ledger) -> InFlight:
    record = ledger.minions[task.minion]
    return InFlight(
        id=task.id,
        param=as_typed(task.line).get("param"),
        attempt=task.attempt,
        delivery=task.delivery,
        minion=record.uid,
        host=record.host,
        since=task.since,
        age=None,
        times_p50=None,
        state="running",
    )


def _listed(entry: Entry, running: Running | None, ledger: Ledger) -> InFlight:
    host = entry.host or (ledger.minions[running.minion].host if running else "")
    return InFlight(
        id=entry.id,
        param=param_value(entry.param),
        attempt=entry.attempt,
        delivery=entry.delivery,
        minion=entry.minion or (ledger.minions[running.minion].uid if running else ""),
        host=host,
        since=running.since if running else entry.since,
        age=None,
        times_p50=None,
        state="running" if running else "held",
    )


def _aged(task: InFlight, gone: frozenset[str], limit: float | None, p50: float | None, now: float) -> InFlight:
    age = max(0.0, now - task.since) if task.since is not None else None
    state = task.state
    if task.minion in gone:
        state = "lost"
    elif state == "running" and age is not None and limit is not None and age > limit:
        state = "straggler"
    times = age / p50 if age is not None and p50 and state != "held" else None
    return task._replace(age=age, times_p50=times, state=state)
