"""How long the OAR or Slurm job around this process may last: by its environment, and by asking the scheduler.

The environment tells at once, but OAR's knows the time at which the job was submitted for, and Slurm's nothing at all before
version 23.02; limits may be changed while a job runs. So the scheduler is asked too.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from minionize.place.question import Question

if TYPE_CHECKING:
    from collections.abc import Mapping


class Grant(NamedTuple):
    """What a scheduler grants a job, in seconds: what is ``left`` until its end (infinite: no limit), and the ``whole``."""

    left: float
    whole: float


NO_LIMIT = Grant(float("inf"), float("inf"))


def granted(environ: Mapping[str, str]) -> Grant | None:
    """Read the time of the job from its environment; None where that does not tell."""
    if environ.get("OAR_JOB_ID"):
        return _oar(environ)
    end, start = environ.get("SLURM_JOB_END_TIME", ""), environ.get("SLURM_JOB_START_TIME", "")
    if environ.get("SLURM_JOB_ID") and end.isdecimal() and int(end) > 0:
        left = max(0.0, int(end) - time.time())
        return Grant(left, float(int(end) - int(start)) if start.isdecimal() else left)
    return None


def ask(environ: Mapping[str, str]) -> Question | None:
    """Ask the scheduler for the time of the job; :func:`read` reads the answer. None outside a job of Slurm or OAR."""
    if environ.get("OAR_JOB_ID"):
        return Question("oarstat", "-f", "-j", environ["OAR_JOB_ID"])
    if environ.get("SLURM_JOB_ID"):
        # An array's id is also that of its last element: asked for by id alone, that one would get the times of all.
        array, index = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
        id = f"{array}_{index}" if array and index else environ["SLURM_JOB_ID"]
        return Question("squeue", "-h", "-j", id, "-o", "%L %l")
    return None


def read(answer: str) -> Grant | None:
    """Read what ``squeue`` or ``oarstat`` answered; None where it says nothing of use."""
    words = answer.split()
    if len(words) == 2:
        left, whole = (slurm_time(word) for word in words)
        return None if left is None or whole is None else Grant(left, whole)
    facts = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in answer.splitlines())}
    try:
        start = time.mktime(time.strptime(facts["startTime"], "%Y-%m-%d %H:%M:%S"))
        hours, minutes, seconds = map(int, facts["walltime"].split(":"))
    except (KeyError, ValueError, OverflowError):
        return None
    whole = hours * 3600 + minutes * 60 + seconds
    return Grant(max(0.0, start + whole - time.time()), whole)


def _oar(environ: Mapping[str, str]) -> Grant | None:
    walltime = environ.get("OAR_JOB_WALLTIME_SECONDS", "")
    if not walltime.isdecimal():
        return None
    try:
        # OAR writes this file when the job starts; this minion may be started much later.
        started = os.stat(environ.get("OAR_NODE_FILE") or environ.get("OAR_NODEFILE") or "").st_mtime
    except OSError:
        started = time.time()
    return Grant(max(0.0, started + int(walltime) - time.time()), float(walltime))


def slurm_time(text: str) -> float | None:
    """Read what Slurm writes for a length of time: ``1-02:03:04``, ``02:03:04``, ``03:04``, ``UNLIMITED``."""
    if text == "UNLIMITED":
        return float("inf")
    days, dash, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdecimal() for part in parts) or (dash and not days.isdecimal()) or not 2 <= len(parts) <= 3:
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return float(int(days or 0) * 86400 + seconds)
