"""The one thread that talks to the engine: it exchanges, renews and waits out an outage.

The main thread never waits for it. It puts settlements and wishes in, and finds messages; a byte in its wake-up pipe says so.
"""

from __future__ import annotations

import _thread
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from minionize.errors import EngineError, EngineUnavailable
from minionize.model import Counts, Delivery, Gone, Settlement, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minionize.engines.base import Engine

#: Longest time that a settlement waits for company, in seconds.
FLUSH = 0.1
#: Patience with an engine that never answered, in seconds; one that did is waited for as long as the settings say.
START_PATIENCE = 5.0
_RETRY = (0.2, 5.0)
#: Seconds until a queue that gave nothing and did not wait is asked again.
_PAUSE = 0.25


class Renewed(NamedTuple):
    """Our leases were just prolonged; ``gone`` is what we had lost, ``asked``: this answers :meth:`Courier.renew`."""

    gone: tuple[Gone, ...]
    asked: bool


class Trouble(NamedTuple):
    """The engine does not answer; ``since`` is monotonic. With an empty text: it does again."""

    text: str
    since: float


class Broken(NamedTuple):
    """The engine is lost for good, with this error."""

    error: BaseException


Message = Delivery | Renewed | Trouble | Broken | Counts


class Courier:
    """Carries settlements to an engine, and tasks back."""

    def __init__(self, engine: Engine, *, lease: float, patience: float, notify: Callable[[], None]) -> None:
        """Start the thread; ``notify`` is called by it whenever there is a message."""
        self._engine, self._lease, self._patience, self._notify = engine, lease, patience, notify
        self._inbox: deque[Message] = deque()
        self._mutex = _thread.allocate_lock()
        self._bell = _thread.allocate_lock()
        self._bell.acquire()
        self._settled: list[Settlement] = []
        self._oldest = 0.0  # when the first of them came, monotonic
        self._urgent = self._closing = self._counting = self._renewing = False
        self._want = 0
        self._waiting = False  # in an exchange that may wait
        self._carrying = False  # settlements are on their way
        self._held: dict[tuple[str, int], Task] = {}
        self._renew_at = 0.0
        self._empty = False  # the last answer held nothing, and the main thread was told so
        self._answered = False
        self._trouble: float | None = None
        self._done = _thread.allocate_lock()
        self._done.acquire()
        _thread.start_new_thread(self._run, ())

    # ------------------------------------------------------------------ for the main thread

    def settle(self, settlements: Iterable[Settlement], *, urgent: bool = False) -> None:
        """Hand over settlements; they travel with the next exchange, or within FLUSH seconds."""
        with self._mutex:
            first = not self._settled
            if first:
                self._oldest = time.monotonic()
            self._settled.extend(settlements)
            self._urgent |= urgent
        if first or urgent or self._waiting:
            self._ring()

    def ask(self, limit: int) -> None:
        """Ask for up to ``limit`` tasks; the answer is a Delivery, an empty one only now and then."""
        turned = bool(limit) != bool(self._want)
        self._want = limit
        if turned:
            self._ring()

    def count(self) -> None:
        """Ask for the books; the answer is Counts."""
        self._counting = True
        self._ring()

    def renew(self) -> None:
        """Prolong the leases now; the answer is Renewed."""
        self._renewing = True
        self._ring()

    @property
    def busy(self) -> bool:
        """Whether the engine has not taken all settlements yet."""
        return bool(self._settled) or self._carrying

    @property
    def answered(self) -> bool:
        """Whether the engine ever did."""
        return self._answered

    def messages(self) -> Iterable[Message]:
        """Take the messages that have come."""
        while self._inbox:
            yield self._inbox.popleft()

    def close(self, timeout: float) -> bool:
        """Send what is left, give back what is held and close the engine; says whether that was done in time.

        The last message is the books as they were just before that, if they could be read.
        """
        self._closing = True
        self._want = 0
        self._ring()
        return self._done.acquire(timeout=timeout)

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            pass
        if self._waiting:
            self._engine.wake()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        delay = _RETRY[0]
        try:
            while not (self._closing and not self._settled):
                try:
                    self._round()
                    delay = _RETRY[0]
                except EngineUnavailable as error:
                    if not self._bear(error):
                        return
                    self._bell.acquire(timeout=delay)
                    delay = min(delay * 2, _RETRY[1])
            self._post(self._engine.counts())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread must hear of it
            self._post(Broken(error))
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self._engine.close()
        except EngineError:
            pass  # what is held comes back when the lease ends
        finally:
            self._done.release()

    def _round(self) -> None:
        """Do what is due; else wait until something is."""
        now = time.monotonic()
        if self._renewing or (self._held and now >= self._renew_at):
            self._renew()
        if self._counting and self._settled:
            self._exchange()  # the books are to know of it
        if self._counting:
            self._counting = False
            self._post(self._engine.counts())
            self._ok()
        due = self._oldest + FLUSH if self._settled else float("inf")
        if self._want or (self._settled and (self._urgent or self._closing or due <= now)):
            self._exchange()
        elif not self._closing:
            until = min(due, self._renew_at if self._held else float("inf"))
            self._bell.acquire(timeout=min(60.0, max(0.0, until - now)))

    def _exchange(self) -> None:
        self._waiting = True  # before we look: who changes something after that wakes the engine
        with self._mutex:
            settled, self._settled, self._urgent = self._settled, [], False
            self._carrying = bool(settled)
        limit = 0 if self._closing else self._want
        started = time.monotonic()
        # That there is nothing is said at once, and that all is settled; only then do we wait for something.
        wait = min(self._lease / 3, self._renew_at - started if self._held else self._lease)
        urgent = settled or self._counting or self._renewing or not self._empty
        wait = max(0.0, wait) if limit and not urgent else 0.0
        try:
            delivery = self._engine.exchange(settled, limit=limit, wait=wait)
        except BaseException:
            with self._mutex:
                self._settled[:0] = settled
                self._carrying = False
            raise
        finally:
            self._waiting = False
        for settlement in settled:
            self._held.pop((settlement.task.id, settlement.task.delivery), None)
        if delivery.tasks:
            self._want = 0
            if not self._held:
                self._renew_at = started + self._lease / 3
            self._held.update({(task.id, task.delivery): task for task in delivery.tasks})
        self._ok()
        self._carrying = False
        if delivery.tasks or delivery.gone or limit:
            self._post(delivery)
        elif settled:
            self._notify()  # who waits for us to be done looks again
        news = delivery.tasks or self._settled or self._counting or (limit and not self._empty)
        if limit:
            self._empty = not delivery.tasks
        if limit and not news and time.monotonic() - started < _PAUSE:
            self._bell.acquire(timeout=_PAUSE)

    def _renew(self) -> None:
        started = time.monotonic()
        asked, self._renewing = self._renewing, False
        try:
            gone = tuple(self._engine.renew(list(self._held.values())))
        except BaseException:
            self._renewing |= asked
            raise
        self._renew_at = started + self._lease / 3
        for one in gone:
            self._held.pop((one.task.id, one.task.delivery), None)
        self._ok()
        self._post(Renewed(gone, asked))

    def _ok(self) -> None:
        self._answered = True
        if self._trouble is not None:
            self._post(Trouble("", self._trouble))
            self._trouble = None

    def _bear(self, error: EngineUnavailable) -> bool:
        """Note an outage; says whether to go on waiting."""
        now, self._empty = time.monotonic(), False
        if self._trouble is None:
            self._trouble = now
            self._post(Trouble(str(error), now))
        patience = self._patience if self._answered else min(START_PATIENCE, self._patience)
        if now - self._trouble < patience and not self._closing:
            return True
        self._post(Broken(error))
        return False

    def _post(self, message: Message) -> None:
        self._inbox.append(message)
        self._notify()
