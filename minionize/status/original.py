"""Events of minionize 0.3.x, read as ours.

Its JSON reporter writes one line for each execution that ended, without a ``type``, into a file named by the minion's
UUID alone. There is no start, no stop, no heartbeat, no attempt and no stderr, and what failed was taken off the queue:

    {"uid": "0b3d05f4-...", "generation": 1, "start": T, "end": T, "param": ..., "error": null or text,
     "atomic_actions": [{"name": "next", "start": T, "end": T}, ... "setup", "process", "teardown"],
     "nodename": "paravance-7", "oar_job_id": "1287856"}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minionize.events import Event
    from minionize.status.ledger import MinionRecord

#: The version that a minion's record bears, and the engines it may have had (``file`` was somebody's standard input).
VERSION = "0.3"
ENGINES = frozenset({"", "execo", "google", "pulsar"})

_FILE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.json)?")
#: How Python words the end of a command (subprocess.CalledProcessError), which is all that was kept of it.
_EXIT = re.compile(r"Command .* returned non-zero exit status (\d+)\.", re.DOTALL)
_SIGNAL = re.compile(r"Command .* died with (?:<Signals\.\w+: (\d+)>|unknown signal (\d+))\.", re.DOTALL)


def is_file_name(name: str) -> bool:
    """Tell whether a minion of 0.3.x named its file so."""
    return _FILE.fullmatch(name) is not None


def task_end(line: Event) -> Event:
    """Make the ``task_end`` of version 1 that a line stands for; raises KeyError or TypeError where it is none.

    Its time is that of the action ``process``: the line's own begins before the minion asked for a param.
    """
    uid, generation, error = line["uid"], line["generation"], line["error"]
    start, end = _process(line) or (float(line["start"]), float(line["end"]))
    return {
        "v": 0,
        "type": "task_end",
        "t": float(line["end"]),
        "minion": uid,
        # A process that ran two minions counted their generations from 1 again: so the time is a part of the name.
        "id": f"{int(generation)}-{int(float(line['start']) * 1000):x}-{str(uid)[:8]}",
        "attempt": 1,
        "delivery": 1,
        "param": line["param"],
        "start": start,
        "outcome": "done" if error is None else "failed",
        "took": max(0.0, end - start),
        **_ending(error),
        "dead": error is not None,
        "host": line.get("nodename"),
        "job": line.get("oar_job_id"),
    }


def introduce(record: MinionRecord, event: Event) -> None:
    """Fill in a minion's record from an event that :func:`task_end` made.

    It is taken to have left with the last thing it wrote: nothing tells whether it is still there.
    """
    record.version = VERSION
    host, job, t, start = event["host"], event["job"], event["t"], event["start"]
    record.host = host if isinstance(host, str) else record.host
    record.job = {"id": job} if isinstance(job, str) else record.job
    record.started = start if record.started is None else min(record.started, start)
    record.stopped = t if record.stopped is None else max(record.stopped, t)


def _process(line: Event) -> tuple[float, float] | None:
    actions = line.get("atomic_actions")
    for action in actions if isinstance(actions, list) else ():
        if isinstance(action, dict) and action.get("name") == "process":
            return float(action["start"]), float(action["end"])
    return None


def _ending(error: Any) -> dict[str, Any]:
    if error is None:
        return {"exit": 0, "signal": None, "reason": "", "stderr": ""}
    text = str(error)
    exit, signal = _EXIT.fullmatch(text), _SIGNAL.fullmatch(text)
    return {
        "exit": int(exit[1]) if exit else None,
        "signal": int(signal[1] or signal[2]) if signal else None,
        "reason": text,
        "stderr": "",
    }
