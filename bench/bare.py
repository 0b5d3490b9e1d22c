"""The least that a worker on Redis can do: the lower bound of what a task costs (``programs/noops/bare.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.children import answer, finish, script, started
from bench.drains import Drain, Stamps, watch
from bench.stock import Stock

if TYPE_CHECKING:
    from redis import Redis

    from bench.children import Program
    from bench.servers import Server


class Bare:
    """A loop that reads in batches, does nothing, and settles with a fence."""

    def __init__(self, directory: str, count: int, server: Server, client: Redis) -> None:
        """Fill its stream."""
        self._directory, self._count, self._server = directory, count, server
        self._stock = Stock(client, directory, self._program("put", str(count)))

    def stamped(self) -> Drain:
        """Let each task leave the time of its call."""
        self._stock.bring()
        with Stamps() as stamps, started(stamps.told_to(self._program("stamp")), self._directory) as process:
            drain = watch(process, stamps, self._count, self._server.pid)
            finish(process)
        return drain

    def empty(self) -> Drain:
        """Let them do nothing at all."""
        self._stock.bring()
        return Drain(float(answer(self._directory, self._program("empty"))))

    def _program(self, *arguments: str) -> Program:
        program = script("noops/bare.py", *arguments)
        return program._replace(variables={**program.variables, **self._server.settings})
