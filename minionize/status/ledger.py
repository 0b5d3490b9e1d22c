"""What events add up to, in about 40 bytes an execution: columns of numbers, and a little more for what is unusual.

Events arrive file by file, not in the order of time; nothing here depends on that order, except that the events of one
minion are in the order in which it wrote them.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.model import Identity
from minionize.status.failures import Cause, cause_of_event

if TYPE_CHECKING:
    from minionize.events import Event

OUTCOMES = ("done", "failed", "timeout", "interrupted", "cancelled", "lost")
DONE, FAILED, TIMEOUT, INTERRUPTED, CANCELLED, LOST = range(6)
#: The outcome of a row whose settlement was refused: a later row of the same delivery counts instead.
REPLACED = 6
_NUMBER_OF = {name: number for number, name in enumerate(OUTCOMES)}


class MinionRecord:
    """A minion as its own events tell of it. Times are seconds since the epoch, None while unknown."""

    __slots__ = (
        "command", "engine", "heartbeat", "host", "identity", "job", "newest", "pid", "queue", "reason", "slots", "started", "stopped",
        "uid", "version", "where",
    )  # fmt: skip

    def __init__(self, uid: str) -> None:
        """Know nothing but its name."""
        self.uid = uid
        self.queue = self.engine = self.where = self.host = self.reason = self.version = ""
        self.job: dict[str, Any] = {}
        self.command: list[str] = []
        self.pid = 0
        self.identity: Identity | None = None  # None where its events do not say enough
        self.slots = 1
        self.started: float | None = None
        self.stopped: float | None = None
        self.newest = self.heartbeat = 0.0


class Running(NamedTuple):
    """A ``task_start`` without ``task_end``; ``line`` is the event, whose param is read when it is shown."""

    minion: int
    id: str
    delivery: int
    attempt: int
    since: float
    line: bytes


class Last(NamedTuple):
    """The last execution of a task that ever failed or was handed out more than once; ``cause`` where it failed."""

    delivery: int
    row: int
    cause: Cause | None
    dead: bool


class Ledger:
    """Adds up events. The columns have one row for each ``task_end``."""

    __slots__ = (
        "_index", "_key", "_replacing", "ended", "file", "last", "minion", "minions", "newest", "offset", "outcome",
        "running", "started", "took",
    )  # fmt: skip

    def __init__(self) -> None:
        """Start with nothing."""
        self.ended, self.took = array("d"), array("d")
        self.outcome, self.minion = array("B"), array("I")
        #: Where the event stands: the number of its file, and the byte where its line begins.
        self.file, self.offset = array("I"), array("q")
        self._key = array("q")
        self._replacing: dict[int, int] = {}
        self._index: dict[str, int] = {}
        self.minions: list[MinionRecord] = []
        self.running: dict[tuple[int, str, int], Running] = {}
        self.last: dict[tuple[str, str], Last] = {}
        self.newest = 0.0

    def add(self, event: Event, line: bytes, file: int, offset: int) -> MinionRecord:
        """Add one event; raises KeyError, TypeError or ValueError, and adds no row, if it is none of ours."""
        t, uid, type = _time(event["t"]), event["minion"], event["type"]
        if not isinstance(uid, str):
            raise TypeError(uid)
        number = self._index.get(uid)
        if number is None:
            number = self._index[uid] = len(self.minions)
            self.minions.append(MinionRecord(uid))
        record = self.minions[number]
        if type == "task_end":
            self._end(event, t, number, file, offset)
        elif type == "task_start":
            id, delivery = str(event["id"]), int(event["delivery"])
            self.running[number, id, delivery] = Running(number, id, delivery, int(event["attempt"]), t, line)
        elif type == "minion_start":
            _introduce(record, event, t)
        elif type == "minion_stop":
            record.stopped, record.reason = t, str(event.get("reason", ""))
        record.newest = max(record.newest, t)
        return record

    def _end(self, event: Event, t: float, number: int, file: int, offset: int) -> None:
        id, delivery, outcome = str(event["id"]), int(event["delivery"]), _NUMBER_OF[event["outcome"]]
        took = max(0.0, _time(event["took"]))
        row, key = len(self.ended), hash((number, id, delivery))
        self.ended.append(t)
        self.took.append(took)
        self.outcome.append(outcome)
        self.minion.append(number)
        self.file.append(file)
        self.offset.append(offset)
        self._key.append(key)
        self.running.pop((number, id, delivery), None)
        if outcome >= CANCELLED:
            self._replacing[key] = row
        self._remember(event, (self.minions[number].queue, id), delivery, outcome, row)

    def _remember(self, event: Event, task: tuple[str, str], delivery: int, outcome: int, row: int) -> None:
        failed = outcome in (FAILED, TIMEOUT)
        before = self.last.get(task)
        if (failed or delivery > 1 or before) and (before is None or delivery >= before.delivery):
            cause = cause_of_event(event) if failed else None
            if before and before.cause == cause:
                cause = before.cause  # one object for many rows
            self.last[task] = Last(delivery, row, cause, event.get("dead") is True)

    def settle(self) -> None:
        """Mark the rows that a later ``lost`` or ``cancelled`` of the same delivery replaces; call it before reading."""
        if self._replacing:
            replacing, outcome = self._replacing, self.outcome
            for row, key in enumerate(self._key):
                if key in replacing and row < replacing[key]:
                    outcome[row] = REPLACED
            # What is marked stays marked; a row that comes later brings its own replacement.
            self._replacing = {}


def _introduce(record: MinionRecord, event: Event, t: float) -> None:
    record.started, record.stopped, record.reason = t, None, ""
    for name in ("queue", "engine", "where", "host", "version"):
        value = event.get(name)
        setattr(record, name, value if isinstance(value, str) else "")
    job, command, slots, pid = (event.get(name) for name in ("job", "command", "slots", "pid"))
    record.job = job if isinstance(job, dict) else {}
    record.command = [str(word) for word in command] if isinstance(command, list) else []
    record.slots = slots if isinstance(slots, int) and 0 < slots < 1_000_000 else 1
    record.pid = pid if isinstance(pid, int) else 0
    boot, namespace, start = event.get("boot"), event.get("namespace"), event.get("start")
    if isinstance(boot, str) and boot and isinstance(namespace, str) and isinstance(start, int):
        record.identity = Identity(record.uid, record.host, record.pid, start, boot, namespace)


def _time(value: Any) -> float:
    seconds = float(value)
    # Neither NaN, nor infinite, nor beyond what a calendar can show.
    if not -1e10 < seconds < 1e11:
        raise ValueError(value)
    return seconds
