"""Chunks that are to be had: given back ones that are due first, then fresh ones, as they were put."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from minionize.engines.spool import files
from minionize.engines.spool.names import Chunk, parse_chunk
from minionize.policy import uniform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minionize.engines.spool.tree import Tree

#: With so many chunks at hand no further put is looked at for one claim.
_ENOUGH = 512
#: Among so many of the first ones a minion picks one where others are faster, so that not all try the same.
_SPREAD = 32
#: What a put's folder keeps.
IDS = "ids"


class Offer(NamedTuple):
    """A chunk that is to be had, and where it is."""

    path: str
    chunk: Chunk


class Market:
    """What is to be had, as it was when we last looked: most of it stays to be had until we want it."""

    def __init__(self, tree: Tree) -> None:
        """Know nothing yet."""
        self._tree = tree
        self._offers: list[Offer] = []  # the next one last
        self.suspects: list[Offer] = []
        self.next_due: float | None = None
        self.empty = True
        self.timed = False  # whether it is a question of time what is to be had
        self._missed = 0

    def look(self, now: float) -> None:
        """Look what there is; ``now`` is the file server's time."""
        self._offers, self.suspects, self.next_due, self.empty = [], [], None, True
        self.timed = False
        for offer in self._all():
            self._add(offer, now)
        self.suspects.sort(key=lambda offer: offer.chunk)
        self._offers.sort(key=lambda offer: (offer.chunk.kind == "f", offer.chunk), reverse=True)
        self._missed = 0

    def _add(self, offer: Offer, now: float) -> None:
        self.empty = False
        self.timed |= offer.chunk.kind != "f"
        if not offer.chunk.is_due(now):
            due = offer.chunk.due / 1000
            self.next_due = due if self.next_due is None else min(due, self.next_due)
        else:
            (self.suspects if offer.chunk.kind == "s" else self._offers).append(offer)

    def next(self) -> Offer | None:
        """Tell which one to try; None: look again."""
        if not self._offers:
            return None
        among = min(len(self._offers), _SPREAD) if self._missed else 1
        return self._offers.pop(-1 - int(uniform() * among))

    def missed(self) -> None:
        """Note that somebody else was faster."""
        self._missed += 1
        if self._missed > _SPREAD:
            self._offers.clear()

    def _all(self) -> Iterator[Offer]:
        yield from offers(self._tree["open"])
        for put in sorted(files.names(self._tree["puts"])):
            if len(self._offers) >= _ENOUGH:
                return
            if not put.isdigit():
                continue
            folder = self._tree.at("puts", put)
            found = False
            for offer in offers(folder):
                found = True
                yield offer
            if not found and IDS in files.names(folder):  # all its chunks were taken, and it is no cache that says so
                self._retire(put)

    def _retire(self, put: str) -> None:
        """Put away what is left of a put; a chunk that a listing had left out goes on."""
        if files.take(self._tree.at("puts", put), self._tree.at("known", put)):
            for path, chunk in offers(self._tree.at("known", put)):
                files.take(path, self._tree.home(chunk.name))


def offers(folder: str, names: Iterable[str] | None = None) -> list[Offer]:
    """List the chunks in a folder, in order; ``names`` is a listing of it."""
    if names is None:
        names = files.names(folder)
    found = [Offer(os.path.join(folder, name), chunk) for name in names if (chunk := parse_chunk(name))]
    found.sort(key=lambda offer: offer.chunk)
    return found
