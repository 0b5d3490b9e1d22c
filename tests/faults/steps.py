"""What tests of engines on servers do with them."""

from __future__ import annotations

import json

from harness import wait_until

from minionize.errors import EngineUnavailable
from minionize.model import NewTask


def tasks(count, start=0):
    """Make tasks, whose params are their numbers."""
    return [NewTask(f"{n:016x}", json.dumps(n)) for n in range(start, start + count)]


def take(engine, count, settled=()):
    """Take so many tasks, which have to come; what is settled is settled first."""
    found = []

    def more():
        found.extend(engine.exchange(limit=count - len(found), wait=0.1).tasks)
        return len(found) == count

    if settled:
        assert engine.exchange(settled).gone == ()
    wait_until(more, lambda: f"{count} tasks, of which {len(found)} came")
    return found


def persistently(act):
    """Do it as a courier does: again while the server does not answer. Returns what it gave, and what was said meanwhile."""
    said = []

    def attempt():
        try:
            return (act(),)
        except EngineUnavailable as error:
            said.append(str(error))
            return None

    (found,) = wait_until(attempt, lambda: f"an answer of the server, which said: {said[-1:]}")
    return found, said
