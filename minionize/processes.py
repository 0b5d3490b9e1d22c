"""Processes of this machine, as Linux shows them in ``/proc``: whether a minion is gone, and what it left behind.

Used by the warden in a freshly forked child, so nothing here needs threads, locks or imports at the time of the call.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minionize.model import Identity

#: The name that a warden gives its process. One minion may be the task of another: when the outer one is swept away, the
#: inner one's warden, which carries the same ``MINION_ID``, must outlive it to sweep in its turn.
WARDEN = "minion-warden"

#: How often :func:`kill_all` looks, and the pause (seconds) that lets what was killed leave the table.
_ROUNDS = 50
_PAUSE = 0.002


class _Stat(NamedTuple):
    """What ``/proc/PID/stat`` says: fields 2, 3, 6 and 22."""

    name: str
    state: str
    session: int
    start: int

    @property
    def is_over(self) -> bool:
        """Whether it runs no more: a zombie waits for its parent only."""
        return self.state in "ZXx"


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot: with its pid, its identity. None: not to be seen."""
    stat = _stat(pid)
    return stat.start if stat else None


def is_gone(identity: Identity, here: Identity) -> bool:
    """Tell whether that process has certainly ended; False wherever ``here`` cannot see it."""
    if not _same_view(identity, here) or identity.pid <= 0:
        return False
    stat = _stat(identity.pid)
    if stat is None:
        return not _exists(identity.pid)
    return stat.is_over or (identity.start > 0 and stat.start != identity.start)


def children_of_minion(uid: str, sessions: Iterable[int] = ()) -> list[int]:
    """List the living processes that carry ``MINION_ID=uid``, or whose session is one of these; never this process."""
    return [pid for pid, _ in _find(uid, frozenset(sessions))]


def kill_all(uid: str, sessions: Iterable[int] = ()) -> int:
    """Kill what :func:`children_of_minion` lists, and what that starts meanwhile, until nothing is left; say how many.

    Wardens are spared: they end by themselves. What we may not kill is left alone. Takes 0.1 s beside its looks at most.
    """
    wanted = frozenset(sessions)
    killed: set[tuple[int, int]] = set()
    quiet = 0
    for _ in range(_ROUNDS):
        hit = {(pid, stat.start) for pid, stat in _find(uid, wanted) if stat.name != WARDEN and _kill(pid)}
        # Twice in a row: a process that is just being executed has no environment for a moment.
        quiet = 0 if hit else quiet + 1
        if quiet == 2:
            break
        if hit <= killed:
            time.sleep(_PAUSE)
        killed |= hit
    return len(killed)


def name_warden() -> None:
    """Give this process the name by which :func:`kill_all` knows a warden."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as stream:
            stream.write(WARDEN)
    except OSError:
        pass  # no /proc: then nothing is swept either


def _same_view(one: Identity, other: Identity) -> bool:
    return bool(one.boot and one.namespace) and (one.boot, one.namespace) == (other.boot, other.namespace)


def _exists(pid: int) -> bool:
    """Ask the kernel, not /proc: that may hide the processes of other users (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _find(uid: str, sessions: frozenset[int]) -> Iterator[tuple[int, _Stat]]:
    entry = b"\0MINION_ID=" + os.fsencode(uid) + b"\0"
    for pid in _pids():
        stat = _stat(pid)
        if stat is None or stat.is_over:
            continue
        if stat.session in sessions or entry in _environ(pid):
            yield pid, stat


def _pids() -> list[int]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    me = os.getpid()
    return [int(name) for name in names if name.isdigit() and int(name) != me]


def _stat(pid: int) -> _Stat | None:
    text = _read(f"/proc/{pid}/stat")
    # The name is in brackets and may hold brackets and spaces itself.
    head, bracket, rest = text.rpartition(b") ")
    fields = rest.split()
    if not bracket or len(fields) < 20:
        return None
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    return _Stat(name, fields[0].decode("ascii"), int(fields[3]), int(fields[19]))


def _environ(pid: int) -> bytes:
    """Return the environment that the process was started with, a NUL before and after each entry."""
    return b"\0" + _read(f"/proc/{pid}/environ") + b"\0"


def _read(path: str) -> bytes:
    """Read a file of /proc; empty where the process has gone or is somebody else's."""
    try:
        with open(path, "rb", buffering=0) as stream:
            return stream.readall()
    except OSError:
        return b""


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True
