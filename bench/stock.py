"""A Redis server's content, put once and brought back before every run, since producers are slow and not what is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.children import run

if TYPE_CHECKING:
    from redis import Redis

    from bench.children import Program


class Stock:
    """All keys of a server after a program has filled it."""

    def __init__(self, server: Redis, directory: str, fill: Program) -> None:
        """Let the program fill it."""
        server.flushall()
        run(directory, fill)
        self._server = server
        self._keys = [(key, max(0, server.pttl(key)), server.dump(key)) for key in server.scan_iter()]

    def bring(self) -> None:
        """Make the server hold just that."""
        self._server.flushall()
        with self._server.pipeline(transaction=False) as pipeline:
            for key, ttl, value in self._keys:
                pipeline.restore(key, ttl, value)
            pipeline.execute()
