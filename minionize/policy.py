"""Decisions, as pure functions: nothing here knows the time, a process or a queue unless it is told."""

from __future__ import annotations

from math import ceil
from os import urandom
from typing import TYPE_CHECKING, Literal, NamedTuple

from minionize.errors import Interrupted, Retry
from minionize.model import Ack, Bury, Failure, Nack, Outcome, Settlement, Task
from minionize.settings.setting import words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Longest delay before a failed task is offered again, in seconds.
BACKOFF_CAP = 300.0
#: Seconds of work per slot that a minion holds ahead: short tasks travel in batches, long ones one by one.
AHEAD = 0.1
#: Most tasks that a minion holds ahead, and that it asks for at once.
HOLD, BATCH = 1024, 512
#: Share of a lifetime after which a task that was interrupted does not fit into one at all.
WHOLE_LIFETIME = 0.8

#: Crashes from which on a task is handed out alone, so that only the guilty one is counted again.
ALONE = 2
#: Seconds after which a drain that nobody took back is forgotten.
DRAIN_MEMORY = 86400.0

#: Why we ended an execution, if we did.
Stopped = Literal["", "timeout", "leaving", "lifetime", "lost", "cancelled"]

#: Why a minion leaves: what ``minion_stop`` says.
Reason = Literal[
    "settled", "idle", "drain", "lifetime", "max_tasks", "halt", "signal", "bad_host", "engine_lost", "output", "error"
]


#: Which reason prevails where there are several: one that ranks higher replaces one that ranks lower.
RANKS: dict[Reason, int] = {
    **dict.fromkeys(("settled", "idle", "drain", "max_tasks"), 0),
    "lifetime": 1,
    **dict.fromkeys(("halt", "bad_host"), 2),
    **dict.fromkeys(("signal", "engine_lost", "output", "error"), 3),
}
#: From this rank on a minion does not wait for a queue that does not answer, and ends all that it has left running.
HURRIED = 3


class Rules(NamedTuple):
    """What a user said about failures."""

    max_attempts: int = 3
    timeout: float | None = None
    backoff: float = 1.0
    dead_on: frozenset[int] = frozenset()
    requeue_on: frozenset[int] = frozenset()


class Ending(NamedTuple):
    """How an execution ended, as its slot saw it.

    ``exit`` or ``signal`` is set where a process ran; ``error`` where none could be started. ``stopped`` says why we ended
    it, if we did. ``took`` is on the monotonic clock, ``start`` is epoch seconds, ``rss`` is bytes. ``advice`` is what its
    callback has to say to a failure.
    """

    exit: int | None = None
    signal: int | None = None
    error: str = ""
    stopped: Stopped = ""
    start: float = 0.0
    took: float = 0.0
    cpu: float = 0.0
    rss: int = 0
    stderr: str = ""
    result: str | None = None
    advice: str = ""


class Verdict(NamedTuple):
    """What an ending means: the outcome, the settlement (None: there is nothing left to settle), and why."""

    outcome: Outcome
    settlement: Settlement | None
    failure: Failure | None = None


def uniform() -> float:
    """Draw a number between 0 and 1; the random module would cost a minion 5 ms of its start."""
    return int.from_bytes(urandom(4), "big") / 2**32


def backoff(attempt: int, base: float, draw: Callable[[], float] = uniform) -> float:
    """Draw the delay after a failed attempt (from 1): full jitter below a bound that doubles, up to BACKOFF_CAP."""
    return draw() * min(BACKOFF_CAP, base * 2.0 ** min(attempt - 1, 60))


def judge(task: Task, ending: Ending, rules: Rules, draw: Callable[[], float] = uniform) -> Verdict:
    """Say what an ending means for its task."""
    if ending.exit == 0 and not ending.stopped:
        return Verdict("done", Ack(task, ending.result))
    if ending.stopped in ("lost", "cancelled"):
        return Verdict(ending.stopped, None)
    if ending.stopped == "leaving":
        return Verdict("interrupted", Nack(task, charge=False))
    failure = failure_of(ending, rules.timeout)
    if not ending.stopped and ending.exit in rules.requeue_on:
        return Verdict("interrupted", Nack(task, backoff(task.delivery, rules.backoff, draw), False, failure), failure)
    outcome: Outcome = "timeout" if ending.stopped else "failed"
    if task.attempt >= rules.max_attempts or (not ending.stopped and ending.exit in rules.dead_on):
        return Verdict(outcome, Bury(task, failure), failure)
    return Verdict(outcome, Nack(task, backoff(task.attempt, rules.backoff, draw), True, failure), failure)


def failure_of(ending: Ending, timeout: float | None = None) -> Failure:
    """Put into words why an execution failed; ``timeout`` is its time limit in seconds."""
    failure = _failure_of(ending, timeout)
    return failure._replace(reason=f"{failure.reason}; {ending.advice}") if ending.advice else failure


def _failure_of(ending: Ending, timeout: float | None) -> Failure:
    stderr = ending.stderr
    if ending.stopped:
        limit = "a whole lifetime" if ending.stopped == "lifetime" else words(timeout or ending.took)
        return Failure("timeout", f"timeout after {limit}", ending.exit, ending.signal, stderr)
    if ending.error:
        return Failure("error", ending.error, stderr=stderr)
    if ending.signal is not None:
        return Failure("signal", f"signal {ending.signal}{_meaning(ending.signal)}", None, ending.signal, stderr)
    code = ending.exit or 0
    return Failure("exit", f"exit {code}{_meaning(code - 128) if code > 128 else ''}", code, None, stderr)


def _meaning(signal: int) -> str:
    words = {6: " (aborted)", 9: " (killed; out of memory?)", 11: " (segmentation fault)", 15: " (terminated)"}
    return words.get(signal, "")


def wanted(free: int, slots: int, mean: float | None) -> int:
    """Say how many tasks to ask for: one per free slot until durations are known, then AHEAD seconds of work more."""
    if mean is None:
        return free
    return min(HOLD, free + int(slots * AHEAD / max(mean, 1e-6)))


def fits(durations: Sequence[float], left: float) -> bool:
    """Say whether a task of usual duration (the 95th percentile of those seen) ends within ``left`` seconds."""
    if left <= 0:
        return False
    if not durations:
        return True
    return sorted(durations)[ceil(0.95 * len(durations)) - 1] <= left


def pause(failures: int, successes: int) -> float:
    """Say how long a minion waits before its next task, in seconds, where all it ever ran failed."""
    return 0.0 if successes or failures < 2 else min(5.0, 0.1 * 2 ** (failures - 2))


def is_bad_host(failures: int, successes: int, limit: int, done_before: int | None, done_now: int | None) -> bool:
    """Say whether this host is at fault: everything failed here while the queue's done count grew."""
    if not limit or successes or failures < limit or done_before is None or done_now is None:
        return False
    return done_now > done_before


def exit_code(reason: Reason, *, dead: int, left: bool, signal: int = 0, ignore_failures: bool = False) -> int:
    """Give the exit code of a minion; ``left``: there is work left in the queue."""
    fixed = {"bad_host": 71, "engine_lost": 75, "output": 141, "error": 70}
    if reason in fixed:
        return fixed[reason]
    if reason == "signal":
        return 128 + signal
    if reason in ("drain", "lifetime", "max_tasks") and left:
        return 99
    if reason == "halt" or (dead and not ignore_failures):
        return 1
    return 0


def obey(task: Task, ending: Ending, instruction: Exception, rules: Rules) -> Verdict:
    """Say what a callback's Retry, Dead or Interrupted means."""
    reason = str(instruction) or type(instruction).__name__
    failure = Failure("error", reason, ending.exit, ending.signal, ending.stderr)
    if isinstance(instruction, Interrupted):
        return Verdict("interrupted", Nack(task, backoff(task.delivery, rules.backoff), False, failure), failure)
    if isinstance(instruction, Retry) and task.attempt < rules.max_attempts:
        delay = backoff(task.attempt, rules.backoff) if instruction.delay is None else instruction.delay
        return Verdict("failed", Nack(task, delay, True, failure), failure)
    return Verdict("failed", Bury(task, failure), failure)
