"""Where am I: which process of which host, in which job, for how long, with how many CPUs, on which file system.

Everything is read from ``/proc``, ``/sys`` and the environment. Where a system has none of them the answer is the
harmless one: unknown, no limit, local.
"""

from __future__ import annotations

from minionize.place.mounts import filesystem, is_local, mount
from minionize.place.processors import cpus
from minionize.place.scheduler import best_effort, in_job_or_container, job
from minionize.place.who import here, identity, scratch, user

__all__ = [
    "best_effort",
    "cpus",
    "filesystem",
    "here",
    "identity",
    "in_job_or_container",
    "is_local",
    "job",
    "mount",
    "scratch",
    "user",
]
