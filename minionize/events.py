"""The record of a run: JSON Lines, one append-only file per minion, made by reporters and read by status.

Version 1. Every event has ``v``, ``type``, ``t`` (seconds since the epoch) and ``minion``:

``minion_start``  ``queue`` (the queue's own uuid), ``engine``, ``where`` (secrets masked), ``host``, ``pid``, ``job``
                  (``scheduler``, ``id``, and where known ``array``, ``index``, ``node``, ``restarts``; empty outside one), ``command`` (a list), ``slots``, ``version``; ``start`` (of the
                  process, in the kernel's ticks), ``boot`` and ``namespace``, so that a reader on the same host can see
                  whether the process is still there
``task_start``    ``slot``, ``id``, ``attempt``, ``delivery``, ``param``; written only for a task that still runs after a second
``task_end``      the same and ``start`` (seconds since the epoch), ``outcome``, ``took`` (seconds, monotonic clock), ``exit`` and
                  ``signal`` (one of them null), ``reason``, ``stderr`` (the tail of a failure), ``retry_in`` (seconds; null where the
                  task is not offered again), ``dead`` (true where it became a dead letter), ``result`` (what the task left, or null), ``cpu`` (seconds), ``rss`` (bytes)
``minion_stop``   ``reason`` and ``exit``

A ``task_end`` is written before its settlement. Where that is refused, a second one of the same id and delivery follows
with outcome ``lost`` or ``cancelled``: the last one counts. A minion touches its file every 10 seconds: its mtime is the heartbeat.
"""

from __future__ import annotations

from json import dumps
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minionize.model import Outcome, Task

VERSION = 1
#: Seconds between two touches of a minion's event file.
HEARTBEAT = 10.0
#: Seconds after which a running task is announced by a ``task_start``.
ANNOUNCE = 1.0


def minion_start(t: float, minion: str, **fields: Any) -> str:
    """Write the line that opens a minion's file; ``fields`` as listed above."""
    return dumps({"v": VERSION, "type": "minion_start", "t": round(t, 3), "minion": minion, **fields}) + "\n"


def minion_stop(t: float, minion: str, reason: str, exit: int) -> str:
    """Write the line that closes a minion's file."""
    return (
        dumps({"v": VERSION, "type": "minion_stop", "t": round(t, 3), "minion": minion, "reason": reason, "exit": exit})
        + "\n"
    )


def task_start(t: float, minion: str, slot: int, task: Task) -> str:
    """Write the line of a task that has been running for a while."""
    return f'{{"v":1,"type":"task_start","t":{t:.3f},"minion":"{minion}","slot":{slot},{_task(task)}}}\n'


def task_end(
    t: float,
    minion: str,
    slot: int,
    task: Task,
    *,
    start: float,
    outcome: Outcome,
    took: float,
    exit: int | None = None,
    signal: int | None = None,
    reason: str = "",
    stderr: str = "",
    retry_in: float | None = None,
    dead: bool = False,
    result: str | None = None,
    cpu: float = 0.0,
    rss: int = 0,
) -> str:
    """Write the line of an execution that ended. Spliced, not dumped: the param and the result are JSON text already."""
    return (
        f'{{"v":1,"type":"task_end","t":{t:.3f},"minion":"{minion}","slot":{slot},{_task(task)},"start":{start:.3f},'
        f'"outcome":"{outcome}","took":{took:.6f},"exit":{_number(exit)},"signal":{_number(signal)},'
        f'"reason":{quote(reason)},"stderr":{quote(stderr)},"retry_in":{_number(retry_in)},"dead":{"true" if dead else "false"},'
        f'"result":{result or "null"},"cpu":{cpu:.6f},"rss":{rss}}}\n'
    )


def task_done(
    t: float, minion: str, slot: int, task: Task, start: float, took: float, result: str | None, cpu: float, rss: int
) -> str:
    """Write the same line as :func:`task_end` of an execution that succeeded: there are many of these."""
    return (
        f'{{"v":1,"type":"task_end","t":{t:.3f},"minion":"{minion}","slot":{slot},"id":{quote(task.id)},'
        f'"attempt":{task.attempt},"delivery":{task.delivery},"param":{task.param},"start":{start:.3f},"outcome":"done",'
        f'"took":{took:.6f},"exit":0,"signal":null,"reason":"","stderr":"","retry_in":null,"dead":false,'
        f'"result":{result or "null"},"cpu":{cpu:.6f},"rss":{rss}}}\n'
    )


def _task(task: Task) -> str:
    return f'"id":{quote(task.id)},"attempt":{task.attempt},"delivery":{task.delivery},"param":{task.param}'


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


Event = dict[str, Any]
__all__ = [
    "ANNOUNCE",
    "HEARTBEAT",
    "VERSION",
    "Event",
    "minion_start",
    "minion_stop",
    "task_done",
    "task_end",
    "task_start",
]
