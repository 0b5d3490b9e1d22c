"""The lines of a chunk: one task each, ended by a line that says that nothing was cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minionize.errors import BadParam
from minionize.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minionize.engines.spool.names import Chunk

#: JSON texts hold these only between their tokens, where a blank means the same.
BLANKS = {ord(one): " " for one in "\t\n\r"}


class Line(NamedTuple):
    """A task as chunks and logs write it: ``delivery`` is how often it was handed out so far.

    ``failure`` is JSON text or empty; ``error`` says why the line holds no task.
    """

    id: str
    attempt: int
    delivery: int
    crashes: int
    failure: str
    param: str
    error: str = ""

    def write(self) -> str:
        """Write it; what separates fields is in none of them."""
        if self.error:
            return f"{self.id}\t{self.error}\n"
        return f"{self.id}\t{self.attempt}\t{self.delivery}\t{self.crashes}\t{self.failure}\t{self.param}\n"

    def task(self, delivery: int) -> Task:
        """Make what its holder is handed."""
        return Task(self.id, self.param, self.attempt, delivery, self.crashes, None, self.error)


def line_of(id: str, param: str, attempt: int = 1, crashes: int = 0) -> Line:
    """Make the line of a new task; raises BadParam for an id that no line can hold."""
    if not id or not id.isprintable() or "\t" in id:
        raise BadParam(f"{id!r} cannot be a task's id: it is empty, or holds what cannot be printed.")
    if "\n" in param or "\t" in param or "\r" in param:
        param = param.translate(BLANKS)
    return Line(id, attempt, 0, crashes, "", param)


def encode(lines: Iterable[Line]) -> bytes:
    """Write lines as the contents of a chunk."""
    return "".join([line.write() for line in lines]).encode("utf-8", "surrogatepass")


def decode(data: bytes, chunk: Chunk) -> list[Line]:
    """Read a chunk. For each line that is missing or damaged there is one that says so by its ``error``."""
    texts = data.split(b"\n")[:-1]  # what follows the last end of a line was cut
    lines = [_parse(text) or _damaged(chunk, n, "damaged") for n, text in enumerate(texts[: chunk.tasks])]
    return lines + [_damaged(chunk, n, "missing") for n in range(len(lines), chunk.tasks)]


def is_whole(data: bytes, chunk: Chunk) -> bool:
    """Tell whether a chunk was read to its end: another machine's cache may give less at first."""
    return data.count(b"\n") >= chunk.tasks


def _parse(text: bytes) -> Line | None:
    try:
        fields = text.decode("utf-8", "surrogatepass").split("\t")
        if len(fields) == 2:
            return Line(fields[0], 1, 0, 0, "", "null", fields[1])
        id, attempt, delivery, crashes, failure, param = fields
        return Line(id, int(attempt), int(delivery), int(crashes), failure, param)
    except ValueError:
        return None


def _damaged(chunk: Chunk, n: int, what: str) -> Line:
    why = f"line {n + 1} of {chunk.tasks} of the chunk {chunk.name} is {what}: the file system lost a part of it"
    return Line(f"{chunk.origin}.{n}", 1, 0, 0, "", "null", why)
