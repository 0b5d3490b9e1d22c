"""Exchanging with a queue that calls nobody: who waits looks again and again, until a task comes or a bell rings."""

from __future__ import annotations

import _thread
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.model import Delivery, Gone, Settlement


class Polling:
    """The half of an engine that waits; the other half says how to ask (``_ask``), and how long until the next look (``_doze``)."""

    #: Seconds between the first two looks of a wait.
    first_tick = 0.01

    def __init__(self) -> None:
        """Hang up the bell."""
        self._bell = _thread.allocate_lock()
        self._bell.acquire()

    def exchange(self, settled: Sequence[Settlement] = (), *, limit: int = 0, wait: float = 0.0) -> Delivery:
        """Settle and claim at once, then wait; see :meth:`minionize.engines.base.Engine.exchange`."""
        until, tick = time.monotonic() + wait, self.first_tick
        gone: tuple[Gone, ...] = ()
        while True:
            delivery = self._ask(settled, limit)
            gone, settled = gone + delivery.gone, ()
            left = until - time.monotonic()
            if delivery.tasks or not limit or delivery.state != "open" or left <= 0:
                return delivery._replace(gone=gone)
            woken, tick = self._doze(left, delivery.next_due, tick)
            if woken:
                return delivery._replace(gone=gone)

    def wake(self) -> None:
        """Cut short the wait of an exchange, now or the next one."""
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it rings already

    def _ask(self, settled: Sequence[Settlement], limit: int) -> Delivery:
        """Settle, and claim what there is."""
        raise NotImplementedError

    def _doze(self, left: float, next_due: float | None, tick: float) -> tuple[bool, float]:
        """Wait, at most ``left`` seconds, until something may have changed; says whether the bell rang, and the next tick."""
        raise NotImplementedError
