"""What the names of chunks and tokens say: so much that a listing of a directory is all that the books need."""

from __future__ import annotations

import re
from typing import NamedTuple

_CHUNK = re.compile(r"([frsx])(\d{14})-([\w~-]+)\.([1-9]\d*)", re.ASCII)
_TOKEN = re.compile(r"([^,/]+),([^,/]*),(\d+),(\d+),(\d+),(\d+),(\d+),(-?\d+),([01])")
#: The last second that a name can tell of: what is due later is due then.
_LATEST = 9e10


class Chunk(NamedTuple):
    """A file of tasks.

    ``kind``: ``f`` fresh, ``r`` returned, ``s`` a suspect that has to run alone, ``x`` dead letters. ``due``: the milliseconds
    of the file server's clock from which on it is to be had; fresh ones have the number of their put instead.
    ``origin`` makes the name unlike any other, ``tasks`` is how many it holds.
    """

    kind: str
    due: int
    origin: str
    tasks: int

    @property
    def name(self) -> str:
        """Write the name: sorted, returned chunks come in the order of their due times, fresh ones as they were put."""
        return f"{self.kind}{self.due:014}-{self.origin}.{self.tasks}"

    def is_due(self, now: float) -> bool:
        """Tell whether it is to be had; ``now`` in seconds."""
        return self.kind == "f" or self.due <= now * 1000


class Token(NamedTuple):
    """What a minion says of itself by the name of an empty file.

    ``minion`` is its name in the spool, ``beat`` grows with every rename, ``size`` is how many bytes of its log count,
    ``held`` how many tasks it was handed, ``backlog`` how many more lie in its chunks, ``done`` how many it settled as done.
    ``hungry``: it has nothing to run although others have more than they need. ``lease`` is in milliseconds.
    """

    minion: str
    host: str
    lease: int
    beat: int = 0
    size: int = 0
    held: int = 0
    backlog: int = 0
    done: int = 0
    hungry: int = 0

    @property
    def name(self) -> str:
        """Write the name."""
        return ",".join(map(str, self))


def parse_chunk(name: str) -> Chunk | None:
    """Read the name of a chunk; None: it is another file."""
    found = _CHUNK.fullmatch(name)
    return Chunk(found[1], int(found[2]), found[3], int(found[4])) if found else None


def parse_token(name: str) -> Token | None:
    """Read the name of a token; None: it is another file."""
    found = _TOKEN.fullmatch(name)
    return Token(found[1], found[2], *map(int, found.groups()[2:])) if found else None


def milliseconds(due: float) -> int:
    """Write a time in seconds as chunks do."""
    return int(min(due, _LATEST) * 1000)


def taken(taker: str, token: Token) -> str:
    """Name a token that was taken away from a lost minion."""
    return f"{taker}!{token.name}"


def parse_taken(name: str) -> tuple[str, Token] | None:
    """Read such a name: who took it, and the token."""
    taker, mark, rest = name.partition("!")
    token = parse_token(rest) if mark else None
    return (taker, token) if token else None


def uid_of(minion: str) -> str:
    """Tell the uid of a minion by its name in the spool, which it changes after it has lost everything."""
    return minion.partition("~")[0]


def plain(text: str) -> str:
    """Make a text fit to be a part of a name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:60]
