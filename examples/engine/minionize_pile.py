"""A queue that is a directory: one file per task, in the folder of its state. ``ls`` shows it, ``mv`` and ``rm`` change it.

The file holds the param, its name all else: ``ID,ATTEMPT,DELIVERY,CRASHES,TAIL``, where TAIL is when it is due (in
``todo``) or who had it last (elsewhere). So every change of state is one rename, which happens or does not: a minion may be
killed between any two of them. A lock, which the kernel takes back from the dead, makes the changes of one exchange one.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from minionize.errors import EngineError, EngineUnavailable, NoQueue
from minionize.model import Ack, Bury, Counts, Delivery, Gone, Put, Task, Traits
from minionize.policy import ALONE
from minionize.settings import Setting, table
from minionize.settings.setting import PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from minionize.model import Identity, NewTask, Settlement
    from minionize.settings import Settings

FORMAT = "pile 1"
FOLDERS = ("todo", "doing", "done", "dead")
#: Seconds between two looks at the directory while waiting.
TICK = 0.05

PILE_DIR = Setting("PILE_DIR", PATH, "minion-pile", "The pile engine's directory", group="queue")


class Ticket(NamedTuple):
    """The name of a task's file."""

    id: str
    attempt: int
    delivery: int
    crashes: int
    tail: str

    def __str__(self) -> str:
        return ",".join([quote(self.id, ""), str(self.attempt), str(self.delivery), str(self.crashes), self.tail])

    @classmethod
    def read(cls, name: str) -> Ticket | None:
        """Read a name; None where somebody else's file lies in the folder."""
        words = name.split(",")
        if len(words) != 5 or not all(word.isdecimal() for word in words[1:4]):
            return None
        return cls(unquote(words[0]), int(words[1]), int(words[2]), int(words[3]), words[4])


class PileEngine:
    """A minion's view of the pile."""

    settings = (PILE_DIR,)
    notes = ()
    traits = Traits(
        durable=True,
        lease="timed",
        delay=True,
        fencing=True,
        counts="exact",
        deliveries="durable",
        dedup=True,
        finite=True,
    )

    def __init__(
        self,
        directory: str,
        me: Identity,
        *,
        lease: float = 60.0,
        max_crashes: int = 5,
        create: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.where = directory
        self._lease, self._max_crashes, self._clock = lease, max_crashes, clock
        self._me = quote(me.uid, "") + ("+" if me.preemptible else "")
        self._bell = threading.Event()
        self._settled: set[Ticket] = set()  # by the last exchange: that may be repeated
        self._closed = False
        if create:
            self._make()
        try:
            with open(os.path.join(directory, "pile"), encoding="utf-8") as file:
                version, self.queue = file.read().split("\n")[:2]
        except FileNotFoundError:
            raise NoQueue(f"there is no pile at {directory}.\n  Make one:  minion-queue put seed=1..10") from None
        if version != FORMAT:
            raise EngineError(f"{directory} is {version!r}, and this engine reads {FORMAT!r}: upgrade minionize-pile.")
        self._lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        lease, max_crashes = settings[table.LEASE], settings[table.MAX_CRASHES]
        return cls(settings[PILE_DIR], me, lease=lease, max_crashes=max_crashes, create=create)

    def put(self, new: Iterable[NewTask]) -> Put:
        ready: dict[str, Ticket] = {}  # by the name of a file that no minion sees yet
        known: dict[str, int] = {}
        added = 0
        try:
            for task in new:
                ready[self._write(task.param)] = Ticket(task.id, task.attempt, 0, task.crashes, repr(task.due))
            with self._exclusive():
                states = self._states()
                for hidden, ticket in list(ready.items()):
                    state = states.setdefault(ticket.id, "new")
                    if state != "new":
                        known[state] = known.get(state, 0) + 1
                        continue
                    os.rename(hidden, self._path("todo", ticket))
                    del ready[hidden]
                    states[ticket.id] = "pending"
                    added += 1
        finally:
            for hidden in ready:
                os.unlink(hidden)
        return Put(added, known)

    def exchange(self, settled: Sequence[Settlement] = (), *, limit: int = 0, wait: float = 0.0) -> Delivery:
        until = time.monotonic() + wait
        with self._exclusive():
            gone = self._settle(settled)
            delivery = self._claim(limit)
        while limit and not delivery.tasks and delivery.state == "open" and time.monotonic() < until:
            if self._bell.wait(min(TICK, max(0.0, until - time.monotonic()))):
                break
            with self._exclusive():
                delivery = self._claim(limit)
        if limit and not delivery.tasks:
            self._bell.clear()
        return delivery._replace(gone=gone)

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        named = {task.handle for task in held}
        with self._exclusive():
            ours = set(self._held())
            for ticket in ours & named:
                self._touch(ticket)
            for ticket in ours - named:
                self._to_do(ticket)
        return [Gone(task, "lost") for task in held if task.handle not in ours]

    def counts(self) -> Counts:
        with self._exclusive():
            states = list(self._states().values())
        return Counts(*(states.count(state) for state in Counts._fields))

    def wake(self) -> None:
        self._bell.set()

    def close(self) -> None:
        if self._closed:
            return
        try:
            with self._exclusive():
                for ticket in self._held():
                    self._to_do(ticket)
        except EngineUnavailable:
            pass  # then the end of the lease gives it back
        self._closed = True
        os.close(self._lock)

    # ------------------------------------------------------------------ settle

    def _settle(self, settled: Sequence[Settlement]) -> tuple[Gone, ...]:
        """Move each task out of ``doing``: its file has another name by now if it is not ours any more."""
        gone, before = [], self._settled
        if settled:
            self._settled = set()
        for settlement in settled:
            ticket = settlement.task.handle
            if ticket.tail == self._me and os.path.exists(self._path("doing", ticket)):
                self._settle_one(settlement, ticket)
            elif ticket not in before:
                gone.append(Gone(settlement.task, "lost"))
                continue
            self._settled.add(ticket)
        return tuple(gone)

    def _settle_one(self, settlement: Settlement, ticket: Ticket) -> None:
        if isinstance(settlement, Ack):
            self._move("doing", ticket, "done", ticket)
        elif isinstance(settlement, Bury):
            self._move("doing", ticket, "dead", ticket)
            self._explain(ticket, settlement.failure.reason)
        else:
            due = self._clock() + settlement.delay if settlement.delay else 0.0
            self._to_do(ticket._replace(attempt=ticket.attempt + settlement.charge), due, before=ticket)

    # ------------------------------------------------------------------ claim

    def _claim(self, limit: int) -> Delivery:
        now = self._clock()
        self._reclaim(now)
        todo, mine = self._tickets("todo"), self._held()
        due = [ticket for ticket in todo if float(ticket.tail) <= now]
        calm = [ticket for ticket in due if ticket.crashes < ALONE]
        chosen = calm[:limit]
        if limit and not mine and len(calm) < len(due):
            # Two minions vanished with it: alone, so that from now on only the guilty one is blamed.
            chosen = [ticket for ticket in due if ticket.crashes >= ALONE][:1]
        elif any(ticket.crashes >= ALONE for ticket in mine):
            chosen = []
        later = [float(ticket.tail) - now for ticket in todo if float(ticket.tail) > now]
        return Delivery(
            tuple(self._take(ticket) for ticket in chosen),
            next_due=min(later, default=None),
            state="open" if todo or os.listdir(self._path("doing")) else "ended",
        )

    def _take(self, ticket: Ticket) -> Task:
        held = ticket._replace(delivery=ticket.delivery + 1, tail=self._me)
        self._move("todo", ticket, "doing", held)
        self._touch(held)
        with open(self._path("doing", held), encoding="utf-8", newline="") as file:
            return Task(held.id, file.read(), held.attempt, held.delivery, held.crashes, handle=held)

    def _reclaim(self, now: float) -> None:
        """Take back what minions hold that have not renewed their lease."""
        for ticket in self._tickets("doing"):
            if ticket.tail == self._me or os.stat(self._path("doing", ticket)).st_mtime + self._lease >= now:
                continue
            crashes = ticket.crashes + (not ticket.tail.endswith("+"))  # of preemptible minions that is expected
            if crashes >= self._max_crashes:
                self._move("doing", ticket, "dead", ticket)
                self._explain(ticket, f"{crashes} minions vanished with it")
            else:
                self._to_do(ticket._replace(crashes=crashes), before=ticket)

    def _held(self) -> list[Ticket]:
        return [ticket for ticket in self._tickets("doing") if ticket.tail == self._me]

    def _touch(self, ticket: Ticket) -> None:
        """Begin the lease anew: it counts from the file's mtime."""
        os.utime(self._path("doing", ticket), (self._clock(),) * 2)

    # ------------------------------------------------------------------ files

    def _make(self) -> None:
        for name in (*FOLDERS, "new", "why"):
            os.makedirs(self._path(name), exist_ok=True)
        self._lock = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with self._exclusive():
            if not os.path.exists(self._path("pile")):
                os.rename(self._write(f"{FORMAT}\n{uuid.uuid4().hex}\n"), self._path("pile"))
        os.close(self._lock)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keep all others out of the directory, and tell its errors in our words: a full disk may be emptied again."""
        if self._closed:
            raise EngineError("this engine was closed: open another one")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)
        except OSError as error:
            raise EngineUnavailable(f"cannot use the pile {self.where}: {error}") from error

    def _path(self, folder: str, name: object = "") -> str:
        return os.path.join(self.where, folder, str(name)) if name else os.path.join(self.where, folder)

    def _write(self, text: str) -> str:
        """Write a whole file that nobody sees yet; returns its path."""
        path = self._path("new", uuid.uuid4().hex)
        try:
            with open(path, "x", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise EngineUnavailable(f"cannot write to the pile {self.where}: {error}") from error
        return path

    def _move(self, folder: str, ticket: Ticket, target: str, name: Ticket) -> None:
        os.rename(self._path(folder, ticket), self._path(target, name))

    def _to_do(self, ticket: Ticket, due: float = 0.0, *, before: Ticket | None = None) -> None:
        self._move("doing", before or ticket, "todo", ticket._replace(tail=repr(due)))

    def _explain(self, ticket: Ticket, reason: str) -> None:
        with open(self._path("why", quote(ticket.id, "")), "w", encoding="utf-8") as file:
            file.write(f"{reason}\n")

    def _tickets(self, folder: str) -> list[Ticket]:
        names = sorted(os.listdir(self._path(folder)))
        return [ticket for name in names if (ticket := Ticket.read(name))]

    def _states(self) -> dict[str, str]:
        """Say of every task in which state it is, by the words of minionize."""
        now, states = self._clock(), {}
        for folder, state in zip(FOLDERS, ("pending", "leased", "done", "dead"), strict=True):
            for ticket in self._tickets(folder):
                delayed = folder == "todo" and float(ticket.tail) > now
                states[ticket.id] = "delayed" if delayed else state
        return states
