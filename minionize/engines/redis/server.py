"""What a server says of itself: whether it can hold a queue, and what its user should know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.engines.redis.connect import ForbiddenError, cluster
from minionize.errors import EngineError

if TYPE_CHECKING:
    from minionize.engines.redis.connect import Wire


def ask(wire: Wire, *sections: str) -> dict[str, str]:
    """Ask the server about itself; empty where this user may not, which does not hinder a queue."""
    try:
        answer = bytes(wire.command("INFO", *sections))
    except ForbiddenError:
        return {}
    found = {}
    for line in answer.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found[name] = value
    return found


def check(wire: Wire, where: str) -> tuple[str, ...]:
    """Look what the server is; raises EngineError where it cannot hold a queue. Returns what a user should know."""
    info = ask(wire)
    version = info.get("redis_version", "7.0")
    if int(version.partition(".")[0]) < 7:
        raise EngineError(f"{where} is Redis {version}: a queue needs 7.0 or later (or Valkey).")
    if info.get("cluster_enabled") == "1" or info.get("redis_mode") == "cluster":
        raise cluster(where)
    return tuple(_notes(info))


def _notes(info: dict[str, str]) -> list[str]:
    notes = []
    if info.get("aof_enabled") == "0":
        notes.append(
            "The Redis server keeps no append-only file: if it stops abruptly, what happened since its last snapshot is"
            " lost (redis-cli CONFIG SET appendonly yes)."
        )
    if info.get("maxmemory", "0") != "0" and info.get("maxmemory_policy") != "noeviction":
        notes.append(
            f"The Redis server deletes keys when its memory is full (maxmemory-policy {info.get('maxmemory_policy')}),"
            " and a queue with them (redis-cli CONFIG SET maxmemory-policy noeviction)."
        )
    return notes
