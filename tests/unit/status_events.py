"""Event files for the tests of status: minions that write what real ones write, by a clock that the test sets."""

from __future__ import annotations

import json
import os

from minionize import events
from minionize.model import Counts, Task
from minionize.status.books import Books
from minionize.status.read import EventFiles

#: Friday, 21 November 2025, 10:42:00 UTC.
NOW = 1763721720.0
VERBS = frozenset({"list", "get", "retry", "release", "remove", "control"})


class Minion:
    """A minion that writes its events into a directory; times are seconds before NOW."""

    def __init__(
        self, directory, uid="c69d4bd8aaaa", *, ago=600.0, queue="q1", host="paravance-1.rennes", slots=1, job=None
    ):
        os.makedirs(directory, exist_ok=True)
        self.uid, self.path = uid, os.path.join(directory, f"{uid}.jsonl")
        start = events.minion_start(
            NOW - ago, uid, queue=queue, engine="sqlite", where="minion-queue.db", host=host, pid=4121, job=job or {},
            command=["./simulate", "{seed}"], slots=slots, version="1.0.0",
        )  # fmt: skip
        self.write(start).beats()

    def write(self, line):
        """Append a line as it is."""
        with open(self.path, "a", encoding="utf-8", errors="surrogatepass") as file:
            file.write(line)
        return self

    def starts(self, id, *, ago, param='{"seed": 1}', delivery=1):
        """Announce a task that runs."""
        return self.write(events.task_start(NOW - ago, self.uid, 0, Task(id, param, 1, delivery))).beats()

    def ends(self, id, outcome="done", *, ago=0.0, took=1.0, param='{"seed": 1}', delivery=1, **fields):
        """Report an execution."""
        task, t = Task(id, param, 1, delivery), NOW - ago
        return self.write(
            events.task_end(t, self.uid, 0, task, start=t - took, outcome=outcome, took=took, **fields)
        ).beats()

    def stops(self, reason="settled", *, ago=0.0):
        """Say that it leaves."""
        return self.write(events.minion_stop(NOW - ago, self.uid, reason, 0))

    def beats(self, ago=0.0):
        """Touch its file."""
        os.utime(self.path, (NOW - ago, NOW - ago))
        return self


def read(directory):
    """Read a directory once."""
    files = EventFiles(str(directory))
    files.refresh()
    return files


def books(pending=0, delayed=0, leased=0, done=0, dead=0, **fields):
    """Make the books of the queue that the minions work on."""
    counts = Counts(pending, delayed, leased, done, dead)
    return Books("sqlite", "q1", "minion-queue.db", counts, verbs=VERBS)._replace(**fields)


def value(text):
    """Parse JSON."""
    return json.loads(text)
