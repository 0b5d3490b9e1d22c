"""What an exception that ends a call means for its task: as its process writes it down, and as the minion reads it."""

from __future__ import annotations

import sys
from json import loads
from typing import TYPE_CHECKING, Any

from minionize.errors import BadParam, Dead, Interrupted, Misfit, Retry
from minionize.slots.calls import results
from minionize.slots.calls.channel import DEAD, DONE, EXITED, FAILED, INTERRUPTED, RETRY, UNFIT, UNREADABLE
from minionize.slots.ended import Ended

if TYPE_CHECKING:
    from minionize.model import Task
    from minionize.policy import Ending
    from minionize.slots.calls.callee import Callee


class Stopped(SystemExit):
    """Raised inside a function that is told to end, so that what it has open is closed."""


def write(error: BaseException) -> tuple[int, bytes]:
    """Give the kind and the body of the record; the trace of what nobody foresaw is printed, as Python does."""
    reason = results.text_of(error) or type(error).__name__
    for kind, classes in ((DEAD, Dead), (INTERRUPTED, Interrupted), (UNFIT, Misfit), (UNREADABLE, BadParam)):
        if isinstance(error, classes):
            return kind, results.body(reason)
    if isinstance(error, Retry):
        return RETRY, results.body(reason, error.delay)
    if isinstance(error, SystemExit):
        return _exit(error)
    print_trace(error)
    return FAILED, results.body(results.reason(error))


def read(slot: int, task: Task, ending: Ending, kind: int, body: bytes) -> Ended:
    """Say how an execution ended, by its record."""
    if ending.stopped or kind == DONE:
        return Ended(slot, task, ending)
    first, *others = loads(body)
    if kind == EXITED:
        return Ended(slot, task, ending._replace(exit=first))
    ending = ending._replace(exit=None, error=first)
    if kind == RETRY:
        return Ended(slot, task, ending, Retry(first, delay=others[0]))
    error = {DEAD: Dead, INTERRUPTED: Interrupted, UNFIT: Misfit, UNREADABLE: BadParam}.get(kind)
    return Ended(slot, task, ending, error(first) if error else None)


def misfit(callee: Callee, param: Any, error: BaseException) -> Misfit | None:
    """Say whether what was raised means that the function cannot be called with this param."""
    if not isinstance(error, TypeError):
        return None
    try:
        why = callee.misfit(param, error)
    except Exception:  # noqa: BLE001 - what a signature shows is anybody's code
        return None
    return Misfit(why) if why else None


def exit_of(error: BaseException) -> int:
    """Print what ends a program with this exception, and give its exit code."""
    if isinstance(error, SystemExit):
        kind, body = _exit(error)
        return loads(body)[0] if kind == EXITED else 0
    print_trace(error)
    return 1


def print_trace(error: BaseException) -> None:
    """Print an exception as Python does, from where the function begins."""
    try:
        sys.stderr.write(trace_of(error))
    except Exception:  # noqa: BLE001, S110 - standard error was closed, or replaced by who knows what
        pass


def trace_of(error: BaseException) -> str:
    """Write an exception as Python does, from where the function begins."""
    from traceback import format_exception

    trace = error.__traceback__
    while trace is not None and str(trace.tb_frame.f_globals.get("__package__")).partition(".")[0] == "minionize":
        trace = trace.tb_next
    try:
        return "".join(format_exception(type(error), error, trace))
    except Exception:  # noqa: BLE001 - anything may be in there
        return f"{results.reason(error)}\n"


def _exit(error: SystemExit) -> tuple[int, bytes]:
    """Take ``sys.exit`` as that of a program."""
    code = error.code
    if code is None:
        return DONE, b""
    if not isinstance(code, int):
        try:
            print(code, file=sys.stderr)
        except Exception:  # noqa: BLE001, S110 - as with a trace
            pass
        code = 1
    code &= 0xFF
    return (EXITED, results.body(code)) if code else (DONE, b"")
