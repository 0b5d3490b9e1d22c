"""Where ``minion-status`` looks: the events of a directory and the books of the queue, as often as it is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minionize.errors import EngineUnavailable, NoQueue
from minionize.settings import table

if TYPE_CHECKING:
    from minionize.engines.base import Engine
    from minionize.settings import Settings
    from minionize.status.books import Books
    from minionize.status.model import Status


class Looker:
    """Looks again and again; the queue stays open and only new events are read."""

    def __init__(self, settings: Settings, directory: str) -> None:
        """Look nowhere yet."""
        from minionize.status.cache import Cache
        from minionize.status.read import EventFiles

        self.events = EventFiles(directory, Cache.of_user())
        #: Why the queue did not answer when it was last asked.
        self.unavailable: EngineUnavailable | None = None
        self._settings = settings
        self._engine: Engine | None = None

    def look(self) -> Status | None:
        """Return the status; None where there is neither a queue nor an event. A queue that does not answer is a warning."""
        from minionize.status.build import build

        # The books first: an event precedes its settlement, so that what is in the books is in the events.
        books = self._books()
        self.events.refresh()
        if books is None and not self.events.ledger.minions:
            return None
        status = build(self.events, books, time.time())
        return self._warned(status) if self.unavailable else status

    def close(self) -> None:
        """Let go of the queue."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _warned(self, status: Status) -> Status:
        from minionize.status.model import Warning

        text = str(self.unavailable).partition("\n")[0]
        return status._replace(warnings=(*status.warnings, Warning("unavailable", text, "minionize --doctor", {})))

    def _books(self) -> Books | None:
        """Read the books of the queue; None where there is no queue, or where it does not answer."""
        if self._settings[table.ENGINE] == "file" and not self._settings[table.FILE_PATH]:
            return None  # a queue made of somebody else's standard input cannot be seen from here
        from minionize.app import open_engine
        from minionize.status.books import ask

        self.unavailable = None
        try:
            if self._engine is None:
                self._engine = open_engine(self._settings)
            return ask(self._engine)
        except NoQueue:
            self.close()
        except EngineUnavailable as error:
            self.close()
            self.unavailable = error
        return None
