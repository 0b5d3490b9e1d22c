"""The thread that reads: events, then what is to be shown of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from minionize.status.build import build, of_queue
from minionize.status.top.clerk import Answer
from minionize.status.top.detail import Detail, detail
from minionize.status.top.journal import Journal
from minionize.status.top.listing import Listing, Wanted, listed
from minionize.status.top.snapshot import Charts, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from minionize.status.read import EventFiles
    from minionize.status.style import Style
    from minionize.status.top.clerk import Clerk

#: Seconds that a look waits for the queue's answer before it goes on with the books it has.
PATIENCE = 0.3


class Wish(NamedTuple):
    """What the screen wants: a list, the detail of a row, charts of the last ``span`` seconds (None: since the start).

    ``row`` is the key of a row; None is the first, or the last where the newest is last.
    ``frozen``: of the moment that is shown, whatever has happened since.
    """

    wanted: Wanted
    row: Hashable = None
    span: float | None = None
    frozen: bool = False


class Scene(NamedTuple):
    """What the screen gets. ``number`` counts the looks, ``row`` is the one that ``detail`` describes.

    ``trouble``: why events could not be read.
    """

    number: int
    wish: Wish
    row: Hashable
    shot: Snapshot
    charts: Charts
    listing: Listing
    detail: Detail
    trouble: str = ""


class Looker:
    """Reads what is new when it is told to look, and hands a scene over for each wish: the newest one, if they come fast."""

    def __init__(
        self,
        files: EventFiles,
        clerk: Clerk,
        clock: Callable[[], float],
        style: Style,
        *,
        patience: float = PATIENCE,
    ) -> None:
        """Start nothing yet."""
        self.journal = Journal()
        self._files, self._clerk, self._clock, self._style, self._patience = files, clerk, clock, style, patience
        self._latest: Snapshot | None = None
        self._shown: Snapshot | None = None
        self._number, self._trouble = 0, ""
        self._written: set[str] = set()
        self._listing: tuple[Snapshot, Listing] | None = None
        self._changed = threading.Condition()
        self._wish: Wish | None = None
        self._is_to_look = self._is_over = False
        self._deliver: Callable[[Scene | Exception], None] | None = None

    def start(self, deliver: Callable[[Scene | Exception], None]) -> None:
        """Begin; ``deliver`` is called in the looker's thread, with an exception where there is a fault of ours."""
        self._deliver = deliver
        threading.Thread(target=self._run, name="mtop-looker", daemon=True).start()

    def ask(self, wish: Wish, *, look: bool = False) -> None:
        """Ask for a scene; ``look``: of this moment. Any thread may call it."""
        with self._changed:
            self._wish = wish
            self._is_to_look = self._is_to_look or look
            self._changed.notify()

    def close(self) -> None:
        """Stop, when what is being read is read; nobody waits for that."""
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wish is not None or self._is_over)
                if self._is_over or self._wish is None or self._deliver is None:
                    return
                wish, is_to_look = self._wish, self._is_to_look
                self._wish, self._is_to_look = None, False
            try:
                self._deliver(self.scene(wish, look=is_to_look))
            except Exception as error:  # noqa: BLE001 - it is told by the thread that has a terminal
                self._deliver(error)
                return

    def scene(self, wish: Wish, *, look: bool) -> Scene:
        """Make a scene, in this thread."""
        if look or self._latest is None:
            self._latest = self._look()
            self._number += 1
        if not wish.frozen or self._shown is None or self._shown.ledger is not self._files.ledger:
            self._shown = self._latest
        shot = self._shown
        listing = self._list(shot, wish.wanted)
        row = listing.find(wish.row)
        described = detail(shot, listing.items[row], self._style) if row is not None else Detail()
        key = listing.keys[row] if row is not None else None
        return Scene(self._number, wish, key, shot, shot.charts(wish.span), listing, described, self._trouble)

    def _look(self) -> Snapshot:
        # The books first: an event precedes its settlement, so that what is in the books is in the events.
        answer = self._clerk.books(self._patience)
        try:
            self._files.refresh()
            self._trouble = ""
        except OSError as error:
            self._trouble = f"cannot read {self._files.directory}: {error.strerror}"
        now = self._clock()
        self._write_down({self._trouble, answer.trouble} - {""}, now)
        status = build(self._files, answer.books, now)
        mine = of_queue(self._files.ledger.minions, status.run.queue, status.run.engine)
        return Snapshot(status, answer, self._files, mine, self.journal.entries(status, now), now)

    def _write_down(self, troubles: set[str], now: float) -> None:
        """Log what goes wrong, when it begins: the line on the screen has no room for all of it."""
        for text in sorted(troubles - self._written):
            self.journal.note(now, text, "red")
        self._written = troubles

    def _list(self, shot: Snapshot, wanted: Wanted) -> Listing:
        """List, unless that was done already: the cursor only moves within a list."""
        if self._listing is None or self._listing[0] is not shot or self._listing[1].wanted != wanted:
            self._listing = (shot, listed(shot, wanted, self._style))
        return self._listing[1]


__all__ = ["Answer", "Looker", "Scene", "Wish"]
