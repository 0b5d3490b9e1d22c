"""What a minion's log says; it may have millions of lines, so they are gone through one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minionize.engines.spool import files
from minionize.engines.spool.holder import LOG

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from minionize.engines.spool.chunk import Line
    from minionize.engines.spool.names import Chunk, Token
    from minionize.engines.spool.tree import Tree


class Done(NamedTuple):
    """What the log says of a task that is done; ``param`` is empty where it was too large to be kept."""

    id: str
    delivery: int
    attempt: int
    crashes: int
    ended: float
    result: str
    param: str


class History:
    """What became of the tasks of some chunks: where in the log each was last handed out, and where it left."""

    def __init__(self, lines: Iterable[bytes], wanted: Container[str]) -> None:
        """Go through a log, for the tasks with the ``wanted`` ids. A line that is damaged is left out: it is done again."""
        self.took: dict[str, int] = {}
        self.gave: set[str] = set()
        self.took_over: dict[str, frozenset[str]] = {}  # the chunks that were found in whose folder
        self._handed: dict[str, tuple[int, int, float]] = {}  # place in the log, delivery, when
        self._left: dict[str, int] = {}
        for place, line in enumerate(lines):
            try:
                self._add(place, _text(line).split("\t"), wanted)
            except (ValueError, IndexError):
                continue

    def _add(self, place: int, fields: list[str], wanted: Container[str]) -> None:
        what = fields[0]
        if what in "-d":
            if fields[1] in wanted:
                self._left[fields[1]] = place
        elif what == "+":
            if fields[1] in wanted:
                self._handed[fields[1]] = place, int(fields[2]), float(fields[3])
        elif what == "t":
            self.took[fields[1]] = place
        elif what == "g":
            self.gave.add(fields[1])
        elif what == "o":
            self.took_over[fields[1]] = frozenset(fields[2:])

    def remains(self, chunk: Chunk, lines: Iterable[Line]) -> Iterator[tuple[Line, tuple[int, float] | None]]:
        """Go through the tasks of a chunk that have not left; with each, its delivery and when, if it was handed out."""
        since = self.took.get(chunk.name)
        for line in lines:
            if since is None:
                yield line, None
            elif self._left.get(line.id, -1) < since:
                place, delivery, at = self._handed.get(line.id, (-1, 0, 0.0))
                yield line, (delivery, at) if place > since else None


def done(lines: Iterable[bytes]) -> Iterator[Done]:
    """Go through the tasks that a log says are done."""
    for line in lines:
        if line.startswith(b"d\t"):
            try:
                _, id, delivery, attempt, crashes, ended, result, param = _text(line).split("\t")
                yield Done(id, int(delivery), int(attempt), int(crashes), float(ended), result, param)
            except ValueError:
                continue


def log_of(tree: Tree, token: Token) -> Iterator[bytes]:
    """Go through what counts of a minion's log; nothing where there is none."""
    for path in (tree.at("minions", token.minion, LOG), tree.at("logs", token.minion)):
        try:
            yield from files.lines(path, token.size)
        except FileNotFoundError:
            continue
        return


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogatepass").rstrip("\n")
