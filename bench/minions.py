"""Minions that call a function which does nothing, once per param of a queue that was filled before."""

from __future__ import annotations

import glob
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.children import Failed, answer, command, finish, run, started
from bench.drains import Drain, Stamps, watch
from bench.stock import Stock
from bench.workers import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from bench.children import Program
    from bench.plan import Plan
    from bench.servers import Server

_BODY = os.path.join(FOLDER, "body.py")
_FILE = "minion-queue.db"
_STATES = ("pending", "delayed", "leased", "done", "dead")


class Minions:
    """One minion after the other, on the same queue of so many params brought back; their settings are the default ones."""

    def __init__(
        self, plan: Plan, directory: str, count: int, server: Server | None = None, client: Redis | None = None
    ) -> None:
        """Fill a file, or a Redis server."""
        self._plan, self._directory, self._count, self._server = plan, directory, count, server
        self._settings = {"MINION_ENGINE": "redis", **server.settings} if server else {"MINION_ENGINE": "sqlite"}
        put = command("queue", "put", f"1..{count}", **self._settings)
        self._stock = Stock(client, directory, put) if client else None
        if not self._stock:
            run(directory, put)

    def stamped(self, slots: int) -> Drain:
        """Run one whose function leaves the time of its call."""
        with self._queue() as directory, Stamps() as stamps:
            program = stamps.told_to(self._program(slots, "stamp"))
            with started(program, directory) as minion:
                drain = watch(minion, stamps, self._count, self._server and self._server.pid)
                finish(minion)
            if len(stamps) != self._count:
                raise Failed(f"{len(stamps)} functions were called, of {self._count}")
            self._check(directory)
        return drain

    def empty(self, slots: int) -> Drain:
        """Run one whose function does nothing at all; its events tell from when to when."""
        with self._queue() as directory:
            run(directory, self._program(slots, "empty"))
            self._check(directory)
            return Drain(self._count / _span(directory))

    def _program(self, slots: int, function: str) -> Program:
        return command("minionize", "-j", str(slots), "--python", f"{_BODY}:{function}", **self._settings)

    @contextmanager
    def _queue(self) -> Iterator[str]:
        """Make a directory from which a minion finds all params pending."""
        with self._plan.place() as directory:
            if self._stock:
                self._stock.bring()
            else:
                shutil.copyfile(os.path.join(self._directory, _FILE), os.path.join(directory, _FILE))
            yield directory

    def _check(self, directory: str) -> None:
        """Raise Failed unless the books say that all is done, and nothing else."""
        said = answer(directory, command("queue", "show", **self._settings))
        books = {
            words[0]: int(words[1]) for words in map(str.split, said.splitlines()) if words[:1] and words[0] in _STATES
        }
        if books != dict.fromkeys(_STATES, 0) | {"done": self._count}:
            raise Failed(f"not all of {self._count} tasks are done:\n{said}")


def _span(directory: str) -> float:
    """Give the seconds from the start of the first task to the end of the last one."""
    starts, ends = [], []
    for path in glob.glob(os.path.join(directory, "minion-report", "*.jsonl")):
        with open(path, encoding="utf-8") as file:
            for event in map(json.loads, file):
                if event["type"] == "task_end":
                    starts.append(event["start"])
                    ends.append(event["t"])
    return max(ends) - min(starts)
