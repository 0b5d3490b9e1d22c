"""Ending a worker that does not end when it is asked to, with all its processes, and being charged for what they took."""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bench import procfs

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

_SET_CHILD_SUBREAPER = 36


@contextmanager
def killed(worker: subprocess.Popen[str]) -> Iterator[None]:
    """Kill a worker and its descendants at the end of the block, and wait for each of them."""
    _adopt(True)
    others = {pid for pid, _ in procfs.children(os.getpid())}
    try:
        yield
    finally:
        _kill(worker, others)
        _adopt(False)


def _kill(worker: subprocess.Popen[str], others: set[int]) -> None:
    """Kill it first, so that it starts no child anew; what it leaves becomes ours."""
    heirs = procfs.tree(worker.pid)[1:]
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    heirs += [pid for pid, _ in procfs.children(os.getpid()) if pid not in others]
    for pid in heirs:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in heirs:
        with suppress(ChildProcessError):  # reaped already
            os.waitpid(pid, 0)


def _adopt(orphans: bool) -> None:
    """Become the parent of what descendants leave behind, or no longer: then the system's first process is."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)
