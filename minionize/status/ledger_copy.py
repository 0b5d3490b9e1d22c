"""A ledger without its columns as plain data that JSON can hold, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minionize.model import Identity
from minionize.status.failures import Cause
from minionize.status.ledger import Last, MinionRecord, Running

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minionize.status.ledger import Ledger

#: What is copied of a minion. Its heartbeat is not: that is its file's, which is asked each time.
_OF_MINION = tuple(name for name in MinionRecord.__slots__ if name not in ("heartbeat", "identity"))


def copied(ledger: Ledger) -> dict[str, Any]:
    """Make the data; the ledger must have been settled."""
    return {
        "rows": len(ledger.ended),
        "newest": ledger.newest,
        "minions": [[*(getattr(m, name) for name in _OF_MINION), m.identity] for m in ledger.minions],
        # A line is bytes, whatever is in them: each becomes the character of the same number.
        "running": [[*r[:-1], r.line.decode("latin-1")] for r in ledger.running.values()],
        "last": _last(ledger),
    }


def _last(ledger: Ledger) -> dict[str, Any]:
    """There may be as many as rows: lists of one kind of thing are what JSON reads fastest, and causes are few."""
    causes, queues = _numbered(last.cause for last in ledger.last.values()), _numbered(q for q, _ in ledger.last)
    return {
        "causes": list(causes),
        "queues": list(queues),
        "queue": [queues[queue] for queue, _ in ledger.last],
        "id": [id for _, id in ledger.last],
        "delivery": [last.delivery for last in ledger.last.values()],
        "row": [last.row for last in ledger.last.values()],
        "cause": [causes[last.cause] for last in ledger.last.values()],
        "dead": [last.dead for last in ledger.last.values()],
    }


def _numbered(values: Iterable[Any]) -> dict[Any, int]:
    return {value: number for number, value in enumerate(dict.fromkeys(values))}


def restored(ledger: Ledger, data: Mapping[str, Any]) -> None:
    """Put the data back into a ledger that has its columns; raises LookupError, TypeError or ValueError if it is none."""
    ledger.newest = data["newest"]
    for *fields, identity in data["minions"]:
        record = ledger.minions[ledger.number_of(fields[_OF_MINION.index("uid")])]
        for name, value in zip(_OF_MINION, fields, strict=True):
            setattr(record, name, value)
        record.identity = Identity(*identity) if identity else None
    for minion, id, delivery, attempt, since, line in data["running"]:
        running = Running(minion, id, delivery, attempt, since, line.encode("latin-1"))
        ledger.running[running.minion, running.id, running.delivery] = running
    last = data["last"]
    causes = [cause and Cause(*cause) for cause in last["causes"]]
    queues = last["queues"]
    rows = zip(*(last[name] for name in ("queue", "id", "delivery", "row", "cause", "dead")), strict=True)
    ledger.last = {
        (queues[queue], id): Last(delivery, row, causes[cause], dead) for queue, id, delivery, row, cause, dead in rows
    }
