"""What events add up to, in about 40 bytes an execution: columns of numbers, and a little more for what is unusual.

Events arrive file by file, not in the order of time; nothing here depends on that order, except that the events of one
minion are in the order in which it wrote them.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from minionize.model import Identity
from minionize.status import original
from minionize.status.failures import Cause, cause_of_event

if TYPE_CHECKING:
    from minionize.events import Event

OUTCOMES = ("done", "failed", "timeout", "interrupted", "cancelled", "lost")
DONE, FAILED, TIMEOUT, INTERRUPTED, CANCELLED, LOST = range(6)
#: The outcome of a row whose settlement was refused: a later row of the same delivery counts instead.
REPLACED = 6
#: The columns of a ledger: what is kept of every row.
COLUMNS = ("ended", "took", "outcome", "minion", "file", "offset", "task", "_key")
_NUMBER_OF = {name: number for number, name in enumerate(OUTCOMES)}


class MinionRecord:
    """A minion as its own events tell of it. Times are seconds since the epoch, None while unknown."""

    __slots__ = (
        "command", "engine", "heartbeat", "host", "identity", "job", "newest", "pid", "queue", "reason", "slots", "started", "stopped",
        "uid", "version", "where",
    )  # fmt: skip
    uid: str
    host: str

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
        "running", "started", "task", "took",
    )  # fmt: skip

    def __init__(self) -> None:
        """Start with nothing."""
        self.ended, self.took = array("d"), array("d")
        self.outcome, self.minion = array("B"), array("I")
        #: Where the event stands: the number of its file, and the byte where its line begins.
        self.file, self.offset = array("I"), array("q")
        #: The task's id, as a number.
        self.task = array("q")
        self._key = array("q")
        self._replacing: dict[int, int] = {}
        self._index: dict[str, int] = {}
        self.minions: list[MinionRecord] = []
        self.running: dict[tuple[int, str, int], Running] = {}
        self.last: dict[tuple[str, str], Last] = {}
        self.newest = 0.0

    def add(self, event: Event, line: bytes, file: int, offset: int) -> MinionRecord:
        """Add one event; raises KeyError, TypeError or ValueError, and adds no row, if it is none of ours."""
        is_original = "type" not in event
        if is_original:
            event = original.task_end(event)
            _time(event["start"])
        t, uid, type = _time(event["t"]), event["minion"], event["type"]
        if not isinstance(uid, str):
            raise TypeError(uid)
        # What may raise comes first: a line that is no event makes no minion either.
        end = _end(event) if type == "task_end" else None
        running = (str(event["id"]), int(event["delivery"]), int(event["attempt"])) if type == "task_start" else None
        number = self.number_of(uid)
        record = self.minions[number]
        if end:
            self._add_row(event, t, number, end, (file, offset))
            if is_original:
                original.introduce(record, event)
        elif running:
            id, delivery, attempt = running
            self.running[number, id, delivery] = Running(number, id, delivery, attempt, t, line)
        elif type == "minion_start":
            _introduce(record, event, t)
        elif type == "minion_stop":
            record.stopped, record.reason = t, str(event.get("reason", ""))
        record.newest = max(record.newest, t)
        return record

    def number_of(self, uid: str) -> int:
        """Return the place of a minion in ``minions``, where it is added if it was never seen."""
        number = self._index.get(uid)
        if number is None:
            number = self._index[uid] = len(self.minions)
            self.minions.append(MinionRecord(uid))
        return number

    def _add_row(
        self, event: Event, t: float, number: int, end: tuple[str, int, int, float], place: tuple[int, int]
    ) -> None:
        id, delivery, outcome, took = end
        row, key = len(self.ended), _key(number, id, delivery)
        self.ended.append(t)
        self.took.append(took)
        self.outcome.append(outcome)
        self.minion.append(number)
        self.file.append(place[0])
        self.offset.append(place[1])
        self.task.append(_task(id))
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


def _end(event: Event) -> tuple[str, int, int, float]:
    """Take out of a ``task_end`` what its row holds: id, delivery, outcome, took."""
    took = max(0.0, _time(event["took"]))
    return str(event["id"]), int(event["delivery"]), _NUMBER_OF[event["outcome"]], took


def _task(id: str) -> int:
    """Make a number of an id, the same in every process: ids are usually 16 hexadecimal digits."""
    try:
        number = int(id, 16) if len(id) == 16 else -1
    except ValueError:
        number = -1
    if number < 0:
        number = int.from_bytes(blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return number - (1 << 63)


def _key(number: int, id: str, delivery: int) -> int:
    """Make the key of a delivery, the same in every process. Only rows of one minion are told apart by the checksum."""
    return (number & 0x7FFFF) << 44 | (delivery & 0xFFF) << 32 | crc32(id.encode("utf-8", "surrogatepass"))


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
