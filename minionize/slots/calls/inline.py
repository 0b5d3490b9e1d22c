"""Calls in the minion itself, one at a time: for debuggers, and for devices that do not survive a fork.

What a process of its own gives is not to be had here: a crash ends the minion, output is not captured, and a function that
never comes back to Python is neither timed out nor preempted. Leases are renewed by the courier's thread all the same.
"""

from __future__ import annotations

import _thread
import os
import signal
import time
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, Any

from minionize import signals
from minionize.errors import BadParam
from minionize.params import jsontext
from minionize.policy import Ending
from minionize.slots import output
from minionize.slots.calls import raised, results
from minionize.slots.calls.channel import FAILED
from minionize.slots.calls.current import BATCH, names
from minionize.slots.ended import Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from minionize.model import Task
    from minionize.policy import Stopped
    from minionize.slots.base import Readable, Running
    from minionize.slots.calls.callee import Callee
    from minionize.slots.warden import Warden

#: Seconds between two beats while a call runs.
_BEAT = 1.0


class TimedOut(SystemExit):
    """Raised inside a function whose time is over."""


class _Call:
    """What is being called."""

    index = 0
    announced = False

    def __init__(self, task: Task) -> None:
        self.task, self.start, self.epoch = task, time.monotonic(), time.time()


class InlineSlots:
    """The one slot of a minion that calls a function itself."""

    idle, ahead, next, stirred = 1, 0, 0, False

    def __init__(
        self, callee: Callee, warden: Warden, uid: str, beat: Callable[[], object], *, timeout: float | None
    ) -> None:
        """Take the function; ``beat`` is called now and then, in a thread, while a call takes long. Times are seconds."""
        self._environment = dict(os.environ)
        os.environ.update(MINION_ID=uid, MINION_SLOT="0")  # by which the warden finds what the function starts
        self._callee, self._warden, self._beat, self._timeout = callee, warden, beat, timeout
        self.running: dict[int, Running] = {}
        self.readers: Mapping[int, Readable] = {}

    def room(self, waiting: int, mean: float | None) -> int:
        """One task may be started: it has ended when that returns."""
        return 1

    def start(self, task: Task) -> Ended:
        """Call the function."""
        call = _Call(task)
        self.running[0] = call
        over = _thread.allocate_lock()
        over.acquire()
        _thread.start_new_thread(self._beat_until, (over,))
        before = time.process_time()
        try:
            return self._judged(call, *self._call(task), before)
        finally:
            over.release()
            del self.running[0]

    def _call(self, task: Task) -> tuple[str | None, BaseException | None]:
        try:
            param = jsontext.value(task.param)
        except BadParam as error:
            return None, error
        interrupts = _Interrupts(self._timeout)
        try:
            BATCH.open([param], names([task]))
            BATCH.at = 1
            with interrupts:
                value = self._callee.call(param)
            if interrupts.raised is not None:  # the function has caught it: what it left is not known to be whole
                return None, interrupts.raised
            return None if value is None else results.encode(value).decode(), None
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what became of the task
            return None, interrupts.raised or raised.misfit(self._callee, param, error) or error

    def _judged(self, call: _Call, result: str | None, error: BaseException | None, before: float) -> Ended:
        took, cpu = time.monotonic() - call.start, time.process_time() - before
        rss = getrusage(RUSAGE_SELF).ru_maxrss * 1024
        ending = Ending(0, None, "", "", call.epoch, took, cpu, rss, "", result)
        if error is None:
            return Ended(0, call.task, ending)
        if isinstance(error, TimedOut):
            return Ended(0, call.task, ending._replace(stopped="timeout"))
        if isinstance(error, raised.Stopped):
            return Ended(0, call.task, ending._replace(stopped="leaving"))
        kind, body = raised.write(error)
        if kind == FAILED:
            ending = ending._replace(stderr=raised.trace_of(error)[-output.TAIL :])
        return raised.read(0, call.task, ending, kind, body)

    def _beat_until(self, over: Any) -> None:
        while not over.acquire(timeout=_BEAT):
            self._beat()

    # ------------------------------------------------------------------ there is nothing else to do

    def flush(self) -> None:
        """Nothing is on its way."""

    def stop_all(self, why: Stopped) -> None:
        """Nothing runs while the loop does."""

    def kill_all(self) -> None:
        """Nothing runs while the loop does."""

    def lose(self, task: Task, why: Stopped) -> bool:
        """Nothing runs while the loop does."""
        return False

    def withdraw(self) -> list[Task]:
        """Nothing waits here."""
        return []

    returned = withdraw

    def suspend(self) -> None:
        """Nothing runs while the loop does."""

    def resume(self) -> None:
        """Nothing runs while the loop does."""

    def tick(self, now: float) -> float:
        """Nothing is ever due."""
        return float("inf")

    def reap(self) -> Iterator[Ended]:
        """Give nothing: what has ended was said at once."""
        return iter(())

    def listen(self, on: bool) -> None:
        """Output is not captured."""

    def close(self, *, sweep: bool) -> None:
        """Let the warden go, which ends what the function has left running where ``sweep`` says so."""
        if not sweep:
            self._warden.dismiss()
        for name in ("MINION_ID", "MINION_SLOT"):
            os.environ.pop(name, None)
            if name in self._environment:
                os.environ[name] = self._environment[name]


class _Interrupts:
    """While a function runs, signals that end the minion and the end of its time are raised inside it."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._handlers: dict[int, Any] = {}
        #: What was raised first.
        self.raised: SystemExit | None = None
        self._over = False

    def __enter__(self) -> Self:
        for number in signals.STOP:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._interrupt)
        if self._timeout:
            self._handlers[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._interrupt)
            signal.setitimer(signal.ITIMER_REAL, self._timeout)
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True  # a signal that comes now is for the loop
        if self._timeout:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: object) -> None:
        if self._over:
            return
        error = TimedOut(128 + number) if number == signal.SIGALRM else raised.Stopped(128 + number)
        self.raised = self.raised or error
        raise error
