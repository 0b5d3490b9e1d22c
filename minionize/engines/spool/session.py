"""The open spool, and what is done where a minion finds that it has lost what it held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

from minionize.engines.spool import files
from minionize.engines.spool.clock import ServerClock
from minionize.engines.spool.holder import Holder, Lost
from minionize.engines.spool.market import Market
from minionize.engines.spool.recovery import Recovery
from minionize.engines.spool.tree import Tree
from minionize.errors import NoQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.model import Identity

T = TypeVar("T")


class Session:
    """What minions and people have in common."""

    def __init__(
        self,
        path: str,
        me: Identity,
        *,
        lease: float = 60.0,
        max_crashes: int = 5,
        create: bool = False,
        clock: ServerClock | None = None,
    ) -> None:
        """Open the queue at ``path``; raises NoQueue where there is none and ``create`` is not given."""
        self.path = self.where = path
        self._me, self._lease, self._max_crashes = me, lease, max_crashes
        self._clock = clock or ServerClock()
        self._why: dict[tuple[str, int], Literal["lost", "cancelled"]] = {}  # of what we held and lost
        self._open(create=create)
        self.notes = self._tree.notes()

    def _open(self, *, create: bool = False) -> None:
        self._tree = Tree(self.path, create=create)
        self.queue = self._tree.queue
        self._holder = Holder(self._tree, self._me, self._lease, self._clock)
        self._market = Market(self._tree)
        self._recovery = Recovery(self._holder, self._max_crashes)

    def _safely(self, act: Callable[[], T]) -> T:
        """Do it, and once more if it shows that we have lost all that we held."""
        with files.Translated(self.path):
            try:
                return act()
            except Lost:
                self._lose()
                return act()

    def _lose(self) -> None:
        """Note what we held as lost, or as cancelled where the whole queue was cleared."""
        held = list(self._holder.held.values())
        cleared = self._holder.lose()
        for one in held:
            self._why[one.line.id, one.delivery] = "cancelled" if cleared else "lost"
        if cleared:
            for _ in files.again():  # who clears it moves the old one away first
                if self._tree.identity():
                    break
            else:
                raise NoQueue(f"the queue {self.path} was deleted under this minion.")
            lives = self._holder.lives
            self._open()
            self._holder.lives = lives  # no name is used twice
