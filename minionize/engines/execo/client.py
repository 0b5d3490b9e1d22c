"""The one import of execo.

It is more than an import: execo starts a thread, forks a process that watches its parent once a second, and takes over
the descriptor that signals are written to. A minion needs none of it, only the ParamSweeper, which is a class that reads
and writes files. So what the import started is ended, unless execo was there before us: then it is its user's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from typing import Any

from minionize.errors import EngineError
from minionize.plugins import missing_extra

_mutex = threading.Lock()


def load() -> Any:
    """Import ``execo_engine.sweep``; raises MissingExtra, or EngineError outside of the main thread."""
    with _mutex:
        found = sys.modules.get("execo_engine.sweep")
        return _import() if found is None else found


def _import() -> Any:
    if threading.current_thread() is not threading.main_thread():
        raise EngineError(
            "execo can only be imported by the main thread of a program: import execo_engine there first."
        )
    was_there = "execo" in sys.modules
    wakeup = signal.set_wakeup_fd(-1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of its thread too, which speaks up when it ends
            import execo_engine.sweep  # type: ignore[import-untyped] # noqa: F401

            if not was_there:
                _end_helpers(getattr(sys.modules.get("execo.conductor"), "the_conductor", None))
    except ModuleNotFoundError as error:
        missing = missing_extra('the engine "execo"', error)
        if missing is None:
            raise
        raise missing from error
    finally:
        signal.set_wakeup_fd(wakeup)
    return sys.modules["execo_engine.sweep"]  # not the package's attribute of that name, which is a function


def _end_helpers(conductor: Any) -> None:
    """End execo's process and its thread, as far as this version of execo has them."""
    pid = getattr(conductor, "pgrp", None)
    if isinstance(pid, int) and pid > 1:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except OSError:
            pass  # it has ended, or somebody else waits for it
    terminate = getattr(conductor, "terminate", None)
    if terminate is not None:
        terminate()
