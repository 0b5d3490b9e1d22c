"""What the kernel tells about processes: who their children are, and what they have used of the CPUs and of the memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def children(parent: int) -> Iterator[tuple[int, str]]:
    """Give the pid and the name of every child of a process."""
    for pid, name, fields in _processes():
        if int(fields[1]) == parent:
            yield pid, name


def tree(root: int) -> list[int]:
    """Give the pids of a process and of all its descendants."""
    of: dict[int, list[int]] = {}
    for pid, _, fields in _processes():
        of.setdefault(int(fields[1]), []).append(pid)
    pids = [root]
    for pid in pids:  # grows meanwhile
        pids += of.get(pid, [])
    return pids


def cpu(pid: int) -> float:
    """Give the CPU seconds of a process and of those of its children that have ended."""
    return _seconds(f"/proc/{pid}/stat", 4)


def cpu_of_process(pid: int) -> float:
    """Give the CPU seconds of a process alone: of all its threads."""
    return _seconds(f"/proc/{pid}/stat", 2)


def cpu_of_thread(pid: int, thread: int) -> float:
    """Give the CPU seconds of one thread; the main one has its process's pid."""
    return _seconds(f"/proc/{pid}/task/{thread}/stat", 2)


def kilobytes(path: str, field: str) -> int:
    """Read a field of ``status`` or of ``smaps_rollup``; 0 where the process has just ended."""
    return next((int(line.split()[1]) for line in text(path).splitlines() if line.startswith(field)), 0)


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # it has just ended


def _processes() -> Iterator[tuple[int, str, list[str]]]:
    """Give pid, name and the fields from the state on, of every process."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        head, _, rest = text(f"/proc/{pid}/stat").rpartition(") ")
        if rest:
            yield int(pid), head.partition("(")[2], rest.split()


def _seconds(path: str, fields: int) -> float:
    """Add up utime and stime, and with four fields those of the children that were waited for."""
    rest = text(path).rpartition(") ")[2].split()
    return sum(map(int, rest[11 : 11 + fields])) * _TICK
