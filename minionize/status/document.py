"""The status as one JSON object: schema 1. Times are ISO 8601 in UTC, lengths seconds, unknown is null, secrets are masked."""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING, Any

from minionize.status.tables import failed_facts
from minionize.status.words import iso, masked, masked_command, param_words

if TYPE_CHECKING:
    from minionize.status.model import FailureGroup, InFlight, Minion, Node, Status
    from minionize.status.read import EventFiles
    from minionize.status.statistics import Duration

SCHEMA_VERSION = 1
#: Lists are cut here; the counts beside them are not.
LONGEST = 500


def document(status: Status, events: EventFiles) -> dict[str, Any]:
    """Make the object; ``events`` are asked for an example of each group of failures."""
    run, counts, states = status.run, status.counts, [minion.state for minion in status.minions]
    return {
        "schema_version": SCHEMA_VERSION,
        "now": iso(run.now),
        "run": {
            "engine": run.engine,
            "queue": run.where,
            "queue_id": run.queue,
            "state": run.state,
            "started": iso(run.started),
            "elapsed_s": run.elapsed,
            "command": masked_command(run.command),
        },
        "counts": counts._asdict(),
        "eta": status.eta
        and {"seconds": status.eta.seconds, "at": iso(status.eta.at), "method": "busy-window", "k": status.eta.k},
        "rate": dict(zip(("1m", "5m", "15m", "mean"), status.rates, strict=True)),
        "duration": {"done": _duration(status.durations.done), "failed": _duration(status.durations.failed)},
        "success_rate": counts.success_rate,
        "failures": [_group(group, events) for group in status.failures[:LONGEST]],
        "in_flight": [_in_flight(task) for task in status.in_flight[:LONGEST]],
        "minions": {"up": status.up, "lost": states.count("lost"), "ended": states.count("ended")},
        "minion_list": [_minion(minion) for minion in status.minions[:LONGEST]],
        "nodes": [_node(node) for node in status.nodes[:LONGEST]],
        "warnings": [{"code": w.code, **w.facts, "text": w.text, "command": w.command} for w in status.warnings],
    }


def _value(param: Any) -> Any:
    """Keep a param, unless strict JSON cannot hold it: what is NaN, or nested too deeply, becomes text."""
    param = masked(param)
    try:
        dumps([[[[[[param]]]]]], allow_nan=False)  # as deep as it will be in the document
    except (ValueError, RecursionError):
        return param_words(param)
    return param


def _duration(duration: Duration | None) -> dict[str, Any] | None:
    return duration._asdict() if duration else None


def _group(group: FailureGroup, events: EventFiles) -> dict[str, Any]:
    newest = group.tasks[0]
    facts = failed_facts(newest, events)
    return {
        "group": group.number,
        "kind": group.cause.kind,
        "code": group.cause.code,
        "signature": group.cause.signature,
        "count": group.size,
        "share": group.share,
        "first": iso(group.first),
        "last": iso(group.last),
        "nodes": group.hosts,
        "example": {
            "id": newest.id,
            "param": _value(facts.param),
            "minion": newest.minion,
            "node": newest.host,
            "reason": facts.reason,
            "stderr": facts.stderr,
        },
    }


def _in_flight(task: InFlight) -> dict[str, Any]:
    return {
        "id": task.id,
        "param": _value(task.param),
        "attempt": task.attempt,
        "delivery": task.delivery,
        "minion": task.minion,
        "node": task.host,
        "since": iso(task.since),
        "age_s": task.age,
        "state": task.state,
    }


def _minion(minion: Minion) -> dict[str, Any]:
    fields = minion._asdict()
    fields |= {"started": iso(minion.started), "seen": iso(minion.seen)}
    return {{"uid": "minion", "host": "node", "up": "up_s"}.get(name, name): value for name, value in fields.items()}


def _node(node: Node) -> dict[str, Any]:
    fields = node._asdict() | {"last": iso(node.last), "fail_rate": node.fail_rate}
    return {{"host": "node"}.get(name, name): value for name, value in fields.items()}
