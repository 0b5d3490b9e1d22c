"""Where threads that receive meet the one that takes."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.engines.broker.channel import Received

#: Seconds that what was received waits for a taker: a minion that still wants something asks again sooner.
GRACE = 0.5


class Inbox:
    """What was received and not taken yet.

    A broker is asked, and answers later: perhaps when nobody waits any more. The thread that received offers its
    messages; what nobody takes within GRACE seconds comes back to it, to be given back to the broker.
    """

    def __init__(self, linger: float = 0.0) -> None:
        """Begin empty. ``linger``: seconds between two messages of one take, where a broker hands them out singly."""
        self._linger = linger
        self._condition = threading.Condition()
        self._messages: deque[Received] = deque()
        self._wanted = 0
        self._left = time.monotonic()  # when somebody last took
        self._lingering = False  # whether a take has something already
        self._woken = self._closed = False

    # ------------------------------------------------------------------ for the one that takes

    def take(self, limit: int, wait: float) -> list[Received]:
        """Take up to ``limit``; waits up to ``wait`` seconds for a first one, or until woken."""
        taken: list[Received] = []
        with self._condition:
            self._wanted = limit
            self._condition.notify_all()
            until = time.monotonic() + wait
            while True:
                while self._messages and len(taken) < limit:
                    taken.append(self._messages.popleft())
                    self._wanted -= 1
                    until = time.monotonic() + self._linger
                    self._lingering = True
                left = until - time.monotonic()
                if len(taken) == limit or left <= 0 or self._woken or self._closed:
                    break
                self._condition.wait(left)
            self._woken = False
            self._wanted, self._lingering = 0, False
            self._left = time.monotonic()
            self._condition.notify_all()
        return taken

    def wake(self) -> None:
        """Cut short the wait of a take, now or the next one. Any thread may call it."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def close(self) -> list[Received]:
        """End all waits; returns what nobody took."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            rest = list(self._messages)
            self._messages.clear()
        return rest

    # ------------------------------------------------------------------ for the threads that receive

    def wanted(self, timeout: float) -> int:
        """Wait up to ``timeout`` seconds until somebody wants messages; returns how many, 0 where nobody does."""
        with self._condition:
            self._condition.wait_for(lambda: self._missing() > 0 or self._closed, timeout)
            return 0 if self._closed else max(0, self._missing())

    def offer(self, messages: Sequence[Received]) -> list[Received]:
        """Offer messages; returns, once it is clear, those that nobody wants."""
        with self._condition:
            if self._closed:
                return list(messages)
            self._messages.extend(messages)
            if not self._lingering or len(self._messages) >= self._wanted:
                self._condition.notify_all()  # else it looks again soon by itself
            if len(self._messages) <= self._wanted:
                return []  # somebody is taking who will have them all
            mine = {id(message) for message in messages}
            while any(id(message) in mine for message in self._messages):
                left = GRACE if self._wanted else self._left + GRACE - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)
            rest = [message for message in self._messages if id(message) in mine]
            for message in rest:
                self._messages.remove(message)
            return rest

    def _missing(self) -> int:
        return self._wanted - len(self._messages)
