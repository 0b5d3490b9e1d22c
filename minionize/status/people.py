"""Minions and the hosts they run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.processes import is_gone
from minionize.status.model import InFlight, Minion, Node
from minionize.status.statistics import Sample, is_bad

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minionize.model import Identity
    from minionize.status.ledger import MinionRecord
    from minionize.status.totals import Work

#: Seconds without a heartbeat, by the clock of the files, after which a minion is lost while others are alive.
SILENT = 30.0
#: The same for all of them at once. By our own clock, which may differ from that of the files: so it is longer.
ALL_SILENT = 60.0
#: Seconds since its last event in which a minion is at work. Tasks of under a second are told at their end only.
SHORT = 2.0


def is_lost(record: MinionRecord, newest_heartbeat: float, clock: float, here: Identity) -> bool:
    """Tell whether a minion vanished without saying that it leaves: its process is gone from here, or no heartbeat comes."""
    if record.stopped is not None:
        return False
    if record.identity is not None and is_gone(record.identity, here):
        return True
    return newest_heartbeat - record.heartbeat > SILENT or clock - newest_heartbeat > ALL_SILENT


def minions(
    records: Sequence[MinionRecord],
    work: Sequence[Work],
    lost: frozenset[str],
    held: Sequence[InFlight],
    now: float,
) -> list[Minion]:
    """Describe each minion, in the order in which they started."""
    running: dict[str, list[float]] = {}
    for task in held:
        if task.state in ("running", "straggler"):
            running.setdefault(task.minion, []).append(task.age or 0.0)
    described = [_minion(r, w, r.uid in lost, running.get(r.uid, []), now) for r, w in zip(records, work, strict=True)]
    return sorted(described, key=lambda m: (m.started or m.seen, m.uid))


def _minion(record: MinionRecord, work: Work, lost: bool, ages: Sequence[float], now: float) -> Minion:
    over = record.stopped is not None
    until = record.stopped if record.stopped is not None else max(record.newest, record.heartbeat) if lost else now
    up = max(0.0, until - record.started) if record.started is not None else None
    works = bool(work.done or work.failed) and now - record.newest < SHORT
    busy = min(1.0, (work.busy + sum(ages)) / (up * record.slots)) if up else None
    return Minion(
        uid=record.uid,
        host=record.host,
        pid=record.pid,
        job=record.job,
        slots=record.slots,
        state="ended" if over else "lost" if lost else "busy" if ages or works else "idle",
        reason=record.reason,
        started=record.started,
        seen=max(record.newest, record.heartbeat),
        up=up,
        done=work.done,
        failed=work.failed,
        busy_share=busy,
        running=len(ages),
    )


def nodes(everyone: Sequence[Minion], work: Mapping[str, Work], fleet_p50: float | None) -> list[Node]:
    """Add the minions of each host up, hosts that fail most first."""
    by_host: dict[str, list[Minion]] = {}
    for minion in everyone:
        by_host.setdefault(minion.host, []).append(minion)
    failed = sum(m.failed for m in everyone)
    n = failed + sum(m.done for m in everyone)
    described = [_node(host, own, [work[m.uid] for m in own], failed, n, fleet_p50) for host, own in by_host.items()]
    return sorted(described, key=lambda node: (not node.bad, -node.fail_rate, node.host))


def _node(host: str, own: Sequence[Minion], work: Sequence[Work], failed: int, n: int, fleet: float | None) -> Node:
    here = sum(m.failed for m in own)
    tries = here + sum(m.done for m in own)
    took = [t for w in work for t in w.took]
    p50 = Sample(took).percentile(0.5) if took else None
    return Node(
        host=host,
        up=sum(1 for m in own if m.state in ("busy", "idle")),
        minions=len(own),
        done=tries - here,
        failed=here,
        p50=p50,
        times_fleet=p50 / fleet if p50 is not None and fleet else None,
        others=(failed - here) / (n - tries) if n > tries else 0.0,
        # A minion that left because of its host has seen less than statistics ask for; one success there acquits it.
        bad=is_bad(here, tries, failed - here, n - tries)
        or (here == tries and any(m.reason == "bad_host" for m in own)),
        last=max((w.last for w in work if w.last is not None), default=None),
    )
