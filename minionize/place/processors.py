"""How many CPUs may this process use: by affinity, by the quotas of control groups, by what Slurm granted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minionize.place.files import read
from minionize.place.mounts import Mount, holds, mounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def cpus(environ: Mapping[str, str] | None = None) -> int:
    """Return how many CPUs this process may use: by affinity, cgroup and Slurm, whatever is least; at least 1.

    Part of a CPU counts as a whole one: what a quota grants is to be used.
    """
    environ = os.environ if environ is None else environ
    limits = [_affinity()]
    quota = cgroup_quota()
    if quota is not None:
        limits.append(-int(-quota // 1))
    granted = environ.get("SLURM_CPUS_PER_TASK") or environ.get("SLURM_CPUS_ON_NODE") or ""
    if granted.isdecimal():
        limits.append(int(granted))
    return max(1, min(limits))


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def cgroup_quota(table: list[Mount] | None = None, own: str | None = None) -> float | None:
    """Return the CPUs that the control groups around us grant, as a fraction; None: no limit.

    ``own`` stands in for ``/proc/self/cgroup``.
    """
    quotas = [
        quota
        for directory in _cgroup_directories(mounts() if table is None else table, own)
        if (quota := _quota_of(directory)) is not None
    ]
    return min(quotas, default=None)


def _cgroup_directories(table: list[Mount], own: str | None) -> Iterator[str]:
    """Yield our CPU groups (version 1 and 2) and all those above them: each of them may set a limit."""
    for line in (read("/proc/self/cgroup") if own is None else own).splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        for mount in table:
            if _governs(mount, number, controllers):
                yield from _upwards(mount, path)


def _governs(mount: Mount, number: str, controllers: str) -> bool:
    """Tell whether the limits on CPUs of this line's group are under this mount. Version 2 has the number 0."""
    if number == "0":
        return mount.type == "cgroup2"
    return mount.type == "cgroup" and "cpu" in controllers.split(",") and "cpu" in mount.options.split(",")


def _upwards(mount: Mount, path: str) -> Iterator[str]:
    # A container may see its own group as the root of the mount, and still be told its path on the host.
    if holds(mount.root, path):
        path = path[len(mount.root.rstrip("/")) :]
    path = path.strip("/")
    while path:
        yield os.path.join(mount.point, path)
        path = os.path.dirname(path)
    yield mount.point


def _quota_of(directory: str) -> float | None:
    limit, _, period = read(os.path.join(directory, "cpu.max")).strip().partition(" ")
    if not limit:
        limit = read(os.path.join(directory, "cpu.cfs_quota_us")).strip()
        period = read(os.path.join(directory, "cpu.cfs_period_us")).strip()
    # "max" and -1 both say: no limit.
    if not limit.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return int(limit) / int(period)
