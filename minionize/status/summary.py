"""The status in one line, for a log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minionize.status import words

if TYPE_CHECKING:
    from minionize.status.model import Status
    from minionize.status.style import Style


def summary(status: Status, style: Style) -> str:
    """Write ``10:42:00  running  68.0%  done 6600  dead 203  in flight 64  pending 3122  1.10/s  ETA ~48 minutes (11:30)``."""
    run, counts = status.run, status.counts
    parts = [time.strftime("%H:%M:%S", style.clock(run.now)), run.state]
    if counts.total and counts.done is not None and counts.dead is not None:
        parts.append(words.percent((counts.done + counts.dead) / counts.total))
    named = (
        ("done", counts.done, True),
        ("dead", counts.dead, False),
        ("in flight", counts.in_flight, True),
        ("lost", counts.lost, False),
        ("delayed", counts.delayed, False),
        ("pending", counts.pending, True),
    )
    parts += [f"{name} {n}" for name, n, always in named if n or (always and n is not None)]
    rate = status.rates.one if status.rates.one is not None else status.rates.mean
    if rate is not None and run.state == "running":
        factor, unit = words.rate(status.rates.mean or rate)
        parts.append(f"{rate * factor:.2f}{unit}")
    if status.eta is not None:
        parts.append(f"ETA {words.about(status.eta.seconds)} ({style.time(status.eta.at, run.now)})")
    if status.warnings:
        parts.append(f"{len(status.warnings)} {'warning' if len(status.warnings) == 1 else 'warnings'}")
    return style._replace(columns=1000).line("  ".join(parts))
