"""What the minions of a launch say of themselves: the first and the last line of their files of events."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from minionize.launchers.records import Record

#: Bytes in which the last event of a minion is looked for.
_TAIL = 65536
#: Seconds by which the clocks of machines may differ.
_SKEW = 300.0


class Seen(NamedTuple):
    """A minion: when it started, and how it ended (empty and None while it has not)."""

    uid: str
    started: float
    host: str
    reason: str
    exit: int | None


def seen(record: Record) -> dict[tuple[str, ...], Seen]:
    """Find the minions of the time since a launch by their keys, as elements have them; of several the last one."""
    try:
        with os.scandir(record.reports) as entries:
            paths = [e.path for e in entries if e.name.endswith(".jsonl") and e.stat().st_mtime > record.at - _SKEW]
    except OSError:
        return {}
    minions: dict[tuple[str, ...], Seen] = {}
    for path in paths:
        keys, minion = _read(path)
        for key in keys:
            if minion and (key not in minions or minions[key].started < minion.started):
                minions[key] = minion
    return minions


def _read(path: str) -> tuple[list[tuple[str, ...]], Seen | None]:
    try:
        with open(path, "rb") as stream:
            first = _event(stream.readline())
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
            last = _event((stream.read().splitlines() or [b""])[-1])
    except OSError:
        return [], None
    if first.get("type") != "minion_start":
        return [], None
    over = last.get("type") == "minion_stop"
    minion = Seen(
        str(first.get("minion", "")),
        float(first.get("t") or 0.0),
        str(first.get("host", "")),
        str(last.get("reason") or "") if over else "",
        last.get("exit") if over and isinstance(last.get("exit"), int) else None,
    )
    return _keys(first), minion


def _keys(start: dict[str, Any]) -> list[tuple[str, ...]]:
    found = start.get("job")
    job: dict[str, Any] = found if isinstance(found, dict) else {}
    keys: list[tuple[str, ...]] = [("process", str(start.get("boot")), str(start.get("pid")), str(start.get("start")))]
    if job.get("scheduler") == "slurm":
        array = job.get("array")
        keys.append(("slurm", str(array or job.get("id")), str(job.get("index", "")) if array else ""))
    elif job:
        keys.append((str(job.get("scheduler")), str(job.get("id"))))
    return keys


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
