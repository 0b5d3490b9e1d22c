"""The one thread that uses the engine: it reads the books and does what was confirmed."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from minionize.errors import NoQueue
from minionize.status.books import Books, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.engines.base import Engine

#: Seconds that leaving waits for an engine that is at work.
FAREWELL = 1.0


class Answer(NamedTuple):
    """The newest books there are, and what is wrong: ``error``, or that an answer is awaited since ``asked``."""

    books: Books | None = None
    error: Exception | None = None
    asked: float | None = None

    @property
    def trouble(self) -> str:
        """The error in a line; empty where all is well, and where there is no queue."""
        if self.error is None or isinstance(self.error, NoQueue):
            return ""
        return str(self.error).partition("\n")[0] or type(self.error).__name__


class Clerk:
    """Opens the engine in a thread of its own, and again after an error. A call that hangs keeps nobody else waiting."""

    def __init__(self, open: Callable[[], Engine], clock: Callable[[], float]) -> None:
        """Start; ``open`` is called in the thread: an engine belongs to the one that made it."""
        self._open, self._clock = open, clock
        self._engine: Engine | None = None
        self._at: tuple[int, int] | None = None
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._answer = Answer()
        self._thread = threading.Thread(target=self._run, name="mtop-clerk", daemon=True)
        self._thread.start()

    def books(self, patience: float) -> Answer:
        """Ask for the books, and wait for them, so many seconds at most; any thread may call it."""
        with self._changed:
            if self._answer.asked is None:
                self._answer = self._answer._replace(asked=self._clock())
                self._jobs.put(self._ask)
            self._changed.wait_for(lambda: self._answer.asked is None, patience)
            return self._answer

    def do(self, act: Callable[[Engine], str], then: Callable[[str | Exception], None]) -> None:
        """Let the engine do something, when it is free; ``then`` gets what came of it, in the clerk's thread."""

        def job() -> None:
            outcome: str | Exception
            try:
                outcome = act(self._opened())
            except Exception as error:  # noqa: BLE001 - it is shown, and the next question opens the engine anew
                self._drop()
                outcome = error
            then(outcome)

        self._jobs.put(job)

    def close(self) -> None:
        """Let go of the queue; one that does not answer is left behind."""
        self._jobs.put(None)
        self._thread.join(FAREWELL)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        self._drop()

    def _ask(self) -> None:
        try:
            answer = Answer(ask(self._opened()))
        except NoQueue as error:
            self._drop()
            answer = Answer(None, error)
        except Exception as error:  # noqa: BLE001 - whatever a client raises is shown beside the books that were
            self._drop()
            answer = Answer(self._answer.books, error)
        with self._changed:
            self._answer = answer
            self._changed.notify_all()

    def _opened(self) -> Engine:
        if self._engine is not None and _inode(self._engine) != self._at:
            self._drop()  # of a file that was removed, the engine would go on telling, and change what nobody sees
        if self._engine is None:
            self._engine = self._open()
            self._at = _inode(self._engine)
        return self._engine

    def _drop(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            with suppress(Exception):
                engine.close()


def _inode(engine: Engine) -> tuple[int, int] | None:
    """Tell which file or directory a queue is in; None for a server's, and for one that is gone."""
    try:
        found = os.stat(engine.where)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
