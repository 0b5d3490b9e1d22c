"""Waiting for a task: a blocked read on a connection of its own, which any thread can cut short.

The server hands a message that comes to the one that waits longest, and only that one is woken. What is given back does not
come as a message: who gives back is told by its script whom to wake.
"""

from __future__ import annotations

import _thread
import os
import time
from typing import TYPE_CHECKING, Any

from minionize.engines.redis.connect import ForbiddenError, NoGroupError, Wire, readable_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.engines.redis.connect import Address

#: Longest time, in seconds, between two looks at the books: with the look and the wait itself an idle minion costs the
#: server less than one command a second.
SLICE = 2.5


class Waiter:
    """The connection that waits, and the bell that cuts it short."""

    def __init__(self, address: Address, stream: str, group: str, me: str) -> None:
        """Make the bell; the connection is made by the first wait."""
        self._wire, self._late = Wire(address), address.timeout
        self._stream, self._group, self._me = stream, group, me
        self._bell, self._rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closed = False
        self._closing = _thread.allocate_lock()  # a descriptor that was closed may be somebody else's at once

    def wake(self) -> None:
        """Cut short the wait that goes on, or the next one. Any thread may call it; it does not wait for the server."""
        with self._closing:
            if not self._closed:
                try:
                    os.write(self._rope, b"!")
                except BlockingIOError:
                    pass  # it rings already

    def rung(self) -> bool:
        """Tell whether somebody called :meth:`wake` since this was asked last."""
        try:
            return bool(os.read(self._bell, 4096))
        except BlockingIOError:
            return False

    def number(self) -> str:
        """Tell the server's number of the connection that waits."""
        self._wire.open()
        if not self._wire.number:
            self._wire.number = str(self._wire.command("CLIENT", "ID"))
        return self._wire.number

    def sleep(self, seconds: float) -> None:
        """Wait for the bell only."""
        readable_of(self._bell, timeout=seconds)

    def read(self, limit: int, seconds: float, other: Wire) -> list[str]:
        """Wait up to ``seconds`` for up to ``limit`` messages; returns the entries that are ours from now on.

        Over ``other`` the wait is cut short when the bell rings.
        """
        wire, milliseconds = self._wire, max(1, int(seconds * 1000))
        stream = ("COUNT", limit, "BLOCK", milliseconds, "STREAMS", self._stream, ">")
        wire.begin("XREADGROUP", "GROUP", self._group, self._me, *stream)
        try:
            if not wire.ready(seconds + self._late, self._bell):
                self._cut_short(other, seconds)
            return _entries(wire.end())
        except NoGroupError:
            return []  # the next look at the books finds out what happened
        except BaseException:
            wire.close()  # else the answer would be taken for that to the next command
            raise

    def _cut_short(self, other: Wire, seconds: float) -> None:
        """Let the server end the wait; it may get to know of our wait only after it is told to end it."""
        until = time.monotonic() + self._late
        while time.monotonic() < until:
            # Not allowed, or the connection was made anew and nobody knows its number: then the wait's own limit ends it.
            if not self._wire.number or _unblock(other, self._wire.number) is None:
                self._wire.ready(seconds + self._late)
                return
            if self._wire.ready(0.01):
                return

    def close(self) -> None:
        """Let go of the connection and the bell."""
        self._wire.close()
        with self._closing:
            if not self._closed:
                self._closed = True
                os.close(self._bell)
                os.close(self._rope)


def unblock(wire: Wire, numbers: Sequence[bytes]) -> None:
    """Wake these connections, if they wait."""
    missed = [number for number in numbers if not _unblock(wire, number.decode())]
    for number in missed:  # they were about to wait, or are gone; who sleeps on looks for itself, every SLICE seconds
        _unblock(wire, number.decode())


def _unblock(wire: Wire, number: str) -> int | None:
    """Wake a connection; says whether it waited, or None where this user may not do that."""
    try:
        return int(wire.command("CLIENT", "UNBLOCK", number))
    except ForbiddenError:
        return None


def _entries(answer: Any) -> list[str]:
    return [entry.decode() for entry, _ in answer[0][1]] if answer else []
