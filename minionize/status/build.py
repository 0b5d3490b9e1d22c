"""Make the model: join events with the books of the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.masks import mask
from minionize.place import identity
from minionize.status import eta, original, statistics
from minionize.status.alarms import Seen, warnings
from minionize.status.groups import failure_groups
from minionize.status.in_flight import in_flight, straggler_after
from minionize.status.model import Durations, Eta, FailureGroup, InFlight, Minion, Rates, Run, RunState, Status, Tally
from minionize.status.people import is_lost, minions, nodes
from minionize.status.statistics import Sample
from minionize.status.totals import Totals, tasks_done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.model import Counts
    from minionize.status.books import Books
    from minionize.status.ledger import MinionRecord
    from minionize.status.read import EventFiles

#: An event that is further ahead of our clock than this many seconds says nothing about the time.
AHEAD = 3600.0


def build(events: EventFiles, books: Books | None, clock: float) -> Status:
    """Make the status from events that were read (after the books were), the books, and our clock."""
    ledger = events.ledger
    shown = _newest(ledger.minions)
    queue = books.queue if books else shown.queue if shown else ""
    mine = of_queue(ledger.minions, queue, books.engine if books else shown.engine if shown else "")
    ours = [record for record, is_mine in zip(ledger.minions, mine, strict=True) if is_mine]
    totals = Totals(ledger, mine)
    here = identity()
    lost = frozenset(r.uid for r in ours if is_lost(r, events.newest_heartbeat, clock, here))
    gone = lost | {r.uid for r in ours if r.stopped is not None}
    done, failed = Sample(totals.done), Sample(totals.failed)

    now = max([clock, *(r.newest for r in ours if r.newest < clock + AHEAD)])
    held = in_flight(ledger, mine, books.leased if books else None, gone, done, now)
    groups = failure_groups(ledger, mine, books.dead if books else None)
    told = len(totals.done)
    if books is None or books.counts.done != told:
        told = tasks_done(ledger, mine)
    counts = _tally(books, totals, told, held, groups)
    state = _state(counts, ours, gone, held)
    started = min(_starts(ours, totals), default=None)
    if state == "finished":
        now = max((t for t in totals.ended if t < clock + AHEAD), default=now)
    elapsed = max(0.0, now - started) if started is not None else None

    work = [w for w, is_mine in zip(totals.by_minion, mine, strict=True) if is_mine]
    everyone = minions(ours, work, lost, held, now)
    hosts = nodes(
        everyone, {r.uid: w for r, w in zip(ours, work, strict=True)}, done.percentile(0.5) if done.n else None
    )
    newest = max(ours, key=lambda r: r.started or 0.0, default=None)
    run = Run(
        engine=books.engine if books else newest.engine if newest else "",
        queue=queue,
        where=mask(books.where if books else newest.where if newest else ""),
        directory=events.directory,
        state=state,
        now=now,
        started=started,
        elapsed=elapsed,
        still=_still(ours, clock) if state == "stalled" else None,
        command=tuple(newest.command) if newest else (),
    )
    seen = Seen(
        unreadable=events.unreadable,
        refused=tuple(events.refused),
        elsewhere=totals.elsewhere,
        done=told,
        held=_untold(ours, held),
        # A minion that vanished could not tell of it.
        dead=sum(task.stored is not None for g in groups if g.cause.kind != "crash" for task in g.tasks),
        future=sum(1 for t in totals.ended if t >= clock + AHEAD),
        lost_minions=len(lost),
        clock=clock,
    )
    return Status(
        run=run,
        counts=counts,
        eta=_eta(totals, counts, held, everyone, state, now),
        rates=_rates(totals, now, elapsed),
        chart=statistics.chart(totals.ended, started, now) if started is not None else None,
        durations=Durations(done.duration(), failed.duration()),
        failures=tuple(groups),
        in_flight=tuple(held),
        minions=tuple(everyone),
        nodes=tuple(hosts),
        straggler_after=straggler_after(done),
        warnings=tuple(warnings(run, counts, hosts, held, books, seen)),
    )


def of_queue(records: Sequence[MinionRecord], queue: str, engine: str) -> list[bool]:
    """Tell which minions worked on a queue. One whose first line is missing gets the benefit of the doubt.

    Those of minionize 0.3.x never said: they did where the queue is of an engine that there was.
    """
    then = engine in original.ENGINES
    return [r.queue == queue or (not r.queue and (then or r.version != original.VERSION)) for r in records]


def _newest(records: Sequence[MinionRecord]) -> MinionRecord | None:
    return max(records, key=lambda r: r.started if r.started is not None else float("-inf"), default=None)


def _starts(ours: Sequence[MinionRecord], totals: Totals) -> list[float]:
    return [r.started for r in ours if r.started is not None] or list(totals.ended)


def _tally(
    books: Books | None, totals: Totals, done: int, held: Sequence[InFlight], groups: Sequence[FailureGroup]
) -> Tally:
    lost = sum(1 for task in held if task.state == "lost")
    dead = sum(task.dead for group in groups for task in group.tasks)
    if books is None:
        return Tally("events", None, None, None, None, done, dead, len(held) - lost, lost, len(totals.ended))
    counts = _completed(books.counts, done, dead)
    known = [n for n in counts if n is not None]
    lost = lost if counts.leased is None else min(lost, counts.leased)
    flying = counts.leased - lost if counts.leased is not None else len(held) - lost
    total = sum(known) if len(known) == len(counts) else None
    return Tally("queue", total, *counts, flying, lost, len(totals.ended))


def _completed(counts: Counts, done: int, dead: int) -> Counts:
    """Fill in, where the queue forgets what ended, what the events tell; what is left to do nobody but the queue knows."""
    return counts._replace(
        done=done if counts.done is None else counts.done, dead=dead if counts.dead is None else counts.dead
    )


def _state(counts: Tally, ours: Sequence[MinionRecord], gone: frozenset[str], held: Sequence[InFlight]) -> RunState:
    if counts.left == 0:
        return "finished"
    # A minion that reports elsewhere, or nowhere, is seen by what it holds.
    if len(gone) < len(ours) or any(task.minion and task.minion not in gone for task in held):
        return "running"
    if not ours:
        return "running" if counts.in_flight else "waiting"
    return "finished" if counts.left is None and _left_nothing(ours) else "stalled"


def _left_nothing(ours: Sequence[MinionRecord]) -> bool:
    """Tell from the last words of minions that are all gone whether they left nothing to do."""
    last = max(ours, key=lambda r: r.stopped if r.stopped is not None else float("-inf"))
    if last.stopped is None:
        return False
    if last.reason == "settled":  # it saw that nobody held anything: what vanished before was taken over
        return all(r.newest <= last.stopped for r in ours)
    # One of 0.3.x does not say why it left; it did so when its queue gave it nothing any more.
    return all(r.stopped is not None for r in ours) and (last.reason == "idle" or last.version == original.VERSION)


def _untold(ours: Sequence[MinionRecord], held: Sequence[InFlight]) -> int:
    """Count the tasks that are held by minions of which there are no events."""
    known = {record.uid for record in ours}
    return sum(1 for task in held if task.minion and task.minion not in known)


def _still(ours: Sequence[MinionRecord], clock: float) -> float:
    return max(0.0, clock - max(r.stopped or max(r.newest, r.heartbeat) for r in ours))


def _rates(totals: Totals, now: float, elapsed: float | None) -> Rates:
    if not elapsed:
        return Rates(None, None, None, None)
    one, five, fifteen = (statistics.rate(totals.ended, now, w, elapsed) for w in (60.0, 300.0, 900.0))
    return Rates(one, five, fifteen, len(totals.ended) / elapsed)


def _eta(
    totals: Totals, counts: Tally, held: Sequence[InFlight], everyone: Sequence[Minion], state: RunState, now: float
) -> Eta | None:
    if state != "running" or counts.left is None or counts.in_flight is None:
        return None
    ages = [task.age or 0.0 for task in held if task.state in ("running", "straggler")]
    slots = sum(m.slots for m in everyone if m.state in ("busy", "idle"))
    # What waits in a minion's hands for a slot is leased, but does not run.
    at_once = max(len(ages), min(counts.in_flight or slots, slots or counts.in_flight))
    queued = max(0, counts.left - at_once)
    estimate = eta.estimate(totals.newest(eta.window(at_once)), ages, at_once, queued, now)
    return Eta(estimate.seconds, now + estimate.seconds, estimate.k) if estimate else None
