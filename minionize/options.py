"""How a minion behaves, as its user said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from minionize import place
from minionize.choice import engine_name
from minionize.policy import Rules
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minionize.settings import Settings


class Options(NamedTuple):
    """How a minion behaves; times in seconds, see the settings table."""

    slots: int
    rules: Rules
    timeout: float | None = None
    grace: float = 5.0
    lease: float = 60.0
    patience: float = 600.0
    idle_timeout: float = 60.0
    wait: bool = False
    service: bool = False
    max_tasks: int | None = None
    lifetime: float | None = None
    job: Mapping[str, str] | None = None  # the environment of a job of Slurm or OAR, which tells how long it may last
    halt: int = 0
    bad_host: int = 10
    ignore_failures: bool = False
    supervised: bool = False  # in a job or container, where stops reach the children too
    output: str = "live"  # where what tasks write goes
    engine: str = ""  # the name of the engine


def read_options(settings: Settings, environ: Mapping[str, str] = os.environ) -> Options:
    """Read them; raises UsageError where it is not clear which queue is meant."""
    return Options(
        slots=settings[table.SLOTS_] or place.cpus(),
        rules=Rules(
            settings[table.MAX_ATTEMPTS],
            settings[table.TIMEOUT],
            settings[table.BACKOFF],
            settings[table.DEAD_ON],
            settings[table.REQUEUE_ON],
        ),
        timeout=settings[table.TIMEOUT],
        grace=settings[table.GRACE],
        lease=settings[table.LEASE],
        patience=settings[table.PATIENCE],
        idle_timeout=settings[table.IDLE_TIMEOUT],
        wait=settings[table.WAIT],
        service=settings[table.SERVICE],
        max_tasks=settings[table.MAX_TASKS],
        lifetime=settings[table.LIFETIME],
        job=environ if place.job(environ).get("scheduler") in ("slurm", "oar") else None,
        halt=settings[table.HALT],
        bad_host=settings[table.BAD_HOST],
        ignore_failures=settings[table.IGNORE_FAILURES],
        supervised=place.in_job_or_container(),
        output=settings[table.OUTPUT],
        engine=engine_name(settings),
    )
