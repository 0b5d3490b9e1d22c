"""What tasks are called: a hash of the param, so that putting it again is known to be the same.

A param that stands several times in one put is a task each time: its how-manieth occurrence is hashed with it. To know
that, a put remembers its params: the first hundred thousand in memory, the rest in a temporary database on disk.
"""

from __future__ import annotations

import os
from collections import Counter
from hashlib import blake2b
from itertools import islice
from struct import pack, unpack
from typing import TYPE_CHECKING

from minionize.model import NewTask
from minionize.params.jsontext import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Params remembered in memory: about 15 MB.
_IN_MEMORY = 100_000
#: Params looked up at once when on disk. A batch is sorted: its inserts then walk the index from left to right.
_BATCH = 50_000


def identify(text: str, occurrence: int = 1) -> str:
    """Name the task of a param, by 16 hex digits: the same for equal params, another for each occurrence."""
    # No canonical text holds a newline: this cannot be mistaken for another param.
    content = canonical(text) if occurrence == 1 else f"{canonical(text)}\n{occurrence}"
    return blake2b(content.encode(), digest_size=8).hexdigest()


def number(texts: Iterable[str], again: bool = False) -> Iterator[NewTask]:
    """Make tasks of the params of one put, lazily and in their order; ``again``: under new names, never known before."""
    if again:
        return (NewTask(os.urandom(8).hex(), text) for text in texts)
    return _number(iter(texts))


def _digest(text: str) -> bytes:
    """Hash a first occurrence, saving a call where the text is canonical already: most are plain strings or numbers."""
    if text[0] in "{[" or "\\" in text:
        text = canonical(text)
    return blake2b(text.encode(), digest_size=8).digest()


def _number(texts: Iterator[str]) -> Iterator[NewTask]:
    seen: dict[bytes, int] = {}
    for text in texts:
        digest = _digest(text)
        occurrence = seen[digest] = seen.get(digest, 0) + 1
        yield NewTask(digest.hex() if occurrence == 1 else identify(text, occurrence), text)
        if len(seen) == _IN_MEMORY:
            break
    else:
        return
    spill = _Spill()
    try:
        while batch := list(islice(texts, _BATCH)):
            yield from _number_batch(batch, seen, spill)
    finally:
        spill.close()


def _number_batch(batch: list[str], seen: dict[bytes, int], spill: _Spill) -> Iterator[NewTask]:
    digests = [_digest(text) for text in batch]
    met = Counter([digest for digest in digests if digest not in seen])
    before = spill.count(met)
    if len(met) == len(batch) and not before:
        yield from map(NewTask, [digest.hex() for digest in digests], batch)
        return
    for digest, text in zip(digests, batch, strict=True):
        counts = seen if digest in seen else before
        occurrence = counts[digest] = counts.get(digest, 0) + 1
        yield NewTask(digest.hex() if occurrence == 1 else identify(text, occurrence), text)


class _Spill:
    """How often each digest was met, on disk: a private database that vanishes with its connection."""

    def __init__(self) -> None:
        """Import sqlite3 here: a small put needs none."""
        import sqlite3

        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA cache_size = -16384")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE seen (digest INTEGER PRIMARY KEY, times INTEGER, batch INTEGER)")
        self._batch = 0

    def count(self, met: Counter[bytes]) -> dict[bytes, int]:
        """Count what a batch met; give how often each had been met before it, where it had.

        One statement takes the whole batch as a JSON list, which is twice as fast as a statement a digest. Where it
        adds them all, nothing was known and nothing is left to look up.
        """
        self._batch += 1
        digests = str(sorted(unpack(f">{len(met)}q", b"".join(met))))
        self._db.execute("BEGIN")
        added = self._db.execute(
            "INSERT OR IGNORE INTO seen SELECT value, 1, ? FROM json_each(?)",
            (self._batch, digests),
        ).rowcount
        known = self._known(digests) if added < len(met) else {}
        totals = [
            (known.get(digest, 0) + times, *unpack(">q", digest))
            for digest, times in met.items()
            if times > 1 or digest in known
        ]
        self._db.executemany("UPDATE seen SET times = ? WHERE digest = ?", totals)
        self._db.execute("COMMIT")
        return known

    def _known(self, digests: str) -> dict[bytes, int]:
        rows = self._db.execute(
            "SELECT digest, times FROM json_each(?) JOIN seen ON digest = value WHERE batch < ?",
            (digests, self._batch),
        )
        return {pack(">q", digest): times for digest, times in rows}

    def close(self) -> None:
        """Let the disk space go."""
        self._db.close()
