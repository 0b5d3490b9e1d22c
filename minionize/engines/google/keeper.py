"""What is due within a moment is kept for it: the service counts whole seconds only."""

from __future__ import annotations

import heapq
import threading
import time
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.engines.broker.channel import Received


class Keeper:
    """Keeps messages until each is due, and offers it then, by a thread of its own that is made when it is needed."""

    def __init__(self, offer: Callable[[Received], object]) -> None:
        """Keep none yet; ``offer`` is called by the thread."""
        self._offer = offer
        self._condition = threading.Condition()
        self._kept: list[tuple[float, int, Received]] = []
        self._number = count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._kept)

    def keep(self, message: Received, seconds: float) -> None:
        """Keep a message for so long."""
        with self._condition:
            heapq.heappush(self._kept, (time.monotonic() + seconds, next(self._number), message))
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="pubsub-keep", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self, timeout: float) -> list[Received]:
        """End the thread, within ``timeout`` seconds; returns what was kept."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(timeout)
        return [message for _, _, message in self._kept]

    def _run(self) -> None:
        while (message := self._next()) is not None:
            self._offer(message)

    def _next(self) -> Received | None:
        """Wait for the first one that is due; None: it is closed."""
        with self._condition:
            while not self._closed:
                left = self._kept[0][0] - time.monotonic() if self._kept else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._kept)[2]
                self._condition.wait(left)
        return None
