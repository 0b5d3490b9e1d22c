"""The plain data that every part of minionize speaks: no behaviour, no imports of ours.

Times are seconds as float: wall-clock times (``at``, ``since``, ``ended``, ``due``) count from the epoch, everything
else is a length of time. A *param* travels as its JSON text, so that a number keeps the digits its user typed.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

State = Literal["pending", "delayed", "leased", "done", "dead"]
STATES: tuple[State, ...] = ("pending", "delayed", "leased", "done", "dead")

#: How one execution ended: what ``task_end`` events carry.
Outcome = Literal["done", "failed", "timeout", "interrupted", "cancelled", "lost"]

#: Why a failure happened: the command's exit code, the signal that ended it, its time limit, an error of ours
#: (it could not be started), its minion vanished, or a param that makes no command line.
FailureKind = Literal["exit", "signal", "timeout", "error", "crash", "param"]


class NewTask(NamedTuple):
    """A param on its way into a queue.

    ``attempt``, ``crashes`` and ``due`` are for tasks moved from another queue; ``error`` is why a message that was taken
    from a stream is no param: its task is handed out all the same, to be buried and reported by whoever gets it.
    """

    id: str
    param: str
    attempt: int = 1
    crashes: int = 0
    due: float = 0.0
    error: str = ""


class Put(NamedTuple):
    """What a put did: tasks added, how many were known, by state (None: this engine cannot know), and what had to be made first."""

    added: int
    known: dict[str, int] | None
    made: tuple[str, ...] = ()


class Task(NamedTuple):
    """A param that this minion holds.

    ``attempt`` (from 1) is what is charged, ``delivery`` (from 1) counts every time the task was handed out and is the
    fence of a settlement, ``crashes`` how many minions vanished with it. ``handle`` belongs to the engine. ``error`` says
    why what was taken is no param: there is nothing to run then.
    """

    id: str
    param: str
    attempt: int
    delivery: int
    crashes: int = 0
    handle: Any = None
    error: str = ""


class Failure(NamedTuple):
    """Why an execution failed: ``reason`` is one line for people, ``stderr`` the last 4 KiB the command wrote there."""

    kind: FailureKind
    reason: str
    exit: int | None = None
    signal: int | None = None
    stderr: str = ""
    minion: str = ""
    host: str = ""
    at: float = 0.0


class Ack(NamedTuple):
    """The task is done. ``result`` is the JSON text of what it left, or None."""

    task: Task
    result: str | None = None


class Nack(NamedTuple):
    """Give the task back, to be offered again after ``delay`` seconds; ``charge``: this was an attempt."""

    task: Task
    delay: float = 0.0
    charge: bool = True
    failure: Failure | None = None


class Bury(NamedTuple):
    """The task failed for good: keep it as a dead letter."""

    task: Task
    failure: Failure


Settlement = Ack | Nack | Bury


class Gone(NamedTuple):
    """A task that is no longer ours: its lease was ``lost``, or somebody ``cancelled`` it."""

    task: Task
    why: Literal["lost", "cancelled"]


class Delivery(NamedTuple):
    """The answer to an exchange.

    ``gone`` names the settlements that were refused; ``next_due`` is the seconds until the next delayed task is due
    (None: none, or unknown). ``state``: ``open``, ``drain`` (somebody asked all minions to leave) or ``ended``
    (nothing is pending, delayed or held by anybody).
    """

    tasks: tuple[Task, ...] = ()
    gone: tuple[Gone, ...] = ()
    next_due: float | None = None
    state: Literal["open", "drain", "ended"] = "open"


class Counts(NamedTuple):
    """The books of a queue, in params. None: this engine cannot know."""

    pending: int | None = None
    delayed: int | None = None
    leased: int | None = None
    done: int | None = None
    dead: int | None = None


class Entry(NamedTuple):
    """A task as the books have it, for people who look: ``minion`` holds it or held it last, ``since`` then."""

    id: str
    param: str
    state: State
    attempt: int
    delivery: int
    crashes: int = 0
    due: float | None = None
    minion: str | None = None
    host: str | None = None
    since: float | None = None
    ended: float | None = None
    failure: Failure | None = None
    result: str | None = None


class Control(NamedTuple):
    """Who asked all minions of a queue to leave, and when."""

    who: str
    at: float


class Identity(NamedTuple):
    """Who a minion is. Two processes can see each other only where ``boot`` and ``namespace`` are the same.

    ``start`` is the start time of ``pid`` in the kernel's clock ticks: a pid that was used again has another one.
    ``preemptible``: this minion is expected to be killed, so its crashes are not counted against its tasks.
    """

    uid: str
    host: str
    pid: int
    start: int
    boot: str
    namespace: str
    preemptible: bool = False


class Traits(NamedTuple):
    """What an engine promises; the contract skips what it does not.

    ``durable``: survives a restart of everything. ``lease``: what ends a dead minion's hold: a deadline (``timed``),
    its ``connection``, or nothing. ``delay``: a nack's delay is kept. ``fencing``: a late settlement is refused.
    ``deliveries``: where they are counted, and so whether crashes are. ``dedup``: a put of a known id adds nothing.
    ``finite``: it can tell that nothing is left. ``order``: fresh tasks are handed out as they were put, behind those that
    were given back. ``admin``: the verbs of :class:`minionize.engines.base.Admin` it has.
    ``listed``: the states whose tasks it can list and find.
    ``param_limit``: the largest param, in bytes of JSON text (None: memory and disk decide).
    """

    durable: bool
    lease: Literal["timed", "connection", "none"]
    delay: bool
    fencing: bool
    counts: Literal["exact", "approximate", "none"]
    deliveries: Literal["durable", "volatile", "none"]
    dedup: bool
    finite: bool
    order: bool = False
    admin: frozenset[str] = frozenset()
    listed: frozenset[State] = frozenset(STATES)
    param_limit: int | None = None
