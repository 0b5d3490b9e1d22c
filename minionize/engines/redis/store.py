"""Calling a script; and what is done where the server lost its data, which must never look like the end of the work."""

from __future__ import annotations

import os
import time
from json import loads
from typing import TYPE_CHECKING, Any

from minionize import processes
from minionize.engines.redis import server
from minionize.engines.redis.connect import ForbiddenError, NoGroupError, Wire
from minionize.engines.redis.messages import json_of
from minionize.engines.redis.waiting import Waiter, unblock
from minionize.engines.staging import bytes_of, text_of
from minionize.errors import EngineError, EngineUnavailable, NoQueue
from minionize.model import Counts, Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.engines.decoding import Decoder
    from minionize.engines.redis.connect import Address
    from minionize.model import Task

#: The format of what we write, in the book of the queue.
FORMAT = 1
#: Seconds between two looks whether the processes of this host that hold tasks are still there.
LOOK = 1.0


class Store:
    """The open queue: a connection, who we are, and what we hold."""

    def __init__(
        self,
        address: Address,
        me: Identity,
        *,
        stream: str,
        group: str,
        decode: Decoder,
        lease: float,
        max_crashes: int,
        create: bool,
        shift: Callable[[], float],
    ) -> None:
        """Open the queue; raises NoQueue where there is none and ``create`` is not given, EngineUnavailable."""
        self._address, self._stream, self._group, self._decode = address, stream, group, decode
        self._me, self._lease, self._max_crashes, self._shift = me, lease, max_crashes, shift
        self.where = f"{address.shown} {stream}"
        self.queue = ""
        self._wire = Wire(address, self._arrive)
        self._waiter = Waiter(address, stream, group, me.uid)
        self._view = f"{me.boot}/{me.namespace}"
        self._identity = json_of({**me._asdict(), "view": self._view})
        self._held: dict[str, Task] = {}  # by the entry that they came as
        self._moved: dict[str, str] = {}  # that entry -> what it became after a loss of data
        self._unsure = False  # an answer was lost: the server may have given us what we do not know of
        self._looked = -LOOK
        self._former = ("", 0)  # the run of the server, and the number of our connection there
        try:
            self.notes = server.check(self._wire, self.where)
            self.queue = self._open("create" if create else "look")
            self._arrive()
        except BaseException:
            self._let_go()
            raise

    def counts(self) -> Counts:
        """Read the books."""
        return Counts(*map(int, self._call("count")))

    # ------------------------------------------------------------------ scripts

    def _call(self, name: str, *words: Any) -> list[Any]:
        """Run a script on the queue that we know; raises EngineUnavailable where that was lost."""
        try:
            answer = self._run(name, self.queue, words)
            while answer[0] == b"other":
                uuid, cleared = text_of(answer[1]), answer[2]
                if not (uuid and cleared):
                    raise self._mend(f"the queue {self.where} lost its data")
                self.queue = uuid  # somebody cleared it: what we hold is cancelled, but the queue is the same
                answer = self._run(name, self.queue, words)
        except NoGroupError as error:
            raise self._mend(f"the queue {self.where} lost its stream or its group") from error
        return answer[1:]

    def _run(self, name: str, uuid: str, words: Sequence[Any]) -> list[Any]:
        milliseconds = int(self._shift() * 1000)
        try:
            return self._wire.run(
                name, self._stream, (self._group, uuid, self._me.uid, bytes_of(self._me.host), milliseconds, *words)
            )
        except EngineUnavailable:
            self._unsure = True
            raise

    def _wake(self, numbers: Sequence[bytes]) -> None:
        """Wake minions that wait, as a script said. It did its work already: if this fails, they look for themselves."""
        try:
            unblock(self._wire, numbers)
        except EngineError:
            pass

    def _let_go(self) -> None:
        self._waiter.close()
        self._wire.close()

    # ------------------------------------------------------------------ opening and mending

    def _open(self, wish: str) -> str:
        """Find the queue or make it; returns its identity."""
        answer = self._run("open", "", (wish, os.urandom(16).hex(), FORMAT))
        how = text_of(answer[0])
        if how == "ok":
            if answer[2] and wish == "look":
                self.notes += ("The Redis server lost this queue's data. Put the params again.",)
            return text_of(answer[1])
        raise self._refusal(answer, how)

    def _refusal(self, answer: Sequence[Any], how: str) -> EngineError:
        """Say why the queue cannot be opened."""
        what = text_of(answer[1]) if len(answer) > 1 and isinstance(answer[1], bytes) else str(answer[-1])
        if how == "none":
            return NoQueue(
                f"there is no queue {self._stream} at {self._address.shown}.\n"
                f"  Make one:   MINION_ENGINE=redis minion-queue put seed=1..10     or point to it:  REDIS_URL=... REDIS_STREAM=..."
            )
        if how == "newer":
            return EngineError(
                f"the queue {self.where} was written by a newer minionize (format {what}, this one knows {FORMAT}).\n"
                f"  pip install --upgrade minionize"
            )
        if how == "group":
            return EngineError(
                f"the stream {self.where} has a consumer group {what} beside ours ({self._group}): a task that is done is"
                f" deleted, so that other group would miss it.\n"
                f"  Join it:  REDIS_GROUP={what}     or, if nobody uses it:  redis-cli XGROUP DESTROY {self._stream} {what}"
            )
        return EngineError(
            f"the key {self._stream} at {self._address.shown} is a {what}, not a stream. It was left as it is.\n"
            f"  Choose another one:  REDIS_STREAM=..."
        )

    def _arrive(self) -> None:
        """Tell the queue, on a new connection, which run of the server it is: see ``arrive.lua``."""
        if not self.queue:
            return  # it is being opened
        run = server.ask(self._wire, "server").get("run_id")
        if run:
            self._end_former(run)
            self._run("arrive", self.queue, (run, int(self._lease * 1000)))

    def _end_former(self, run: str) -> None:
        """End our former connection, where the server still has it.

        A command on it that we gave up may yet be on its way (a network that was cut sends again what was lost), and an
        old renewal would give back all that came to us since.
        """
        former, self._former = self._former, (run, self._wire.command("CLIENT", "ID"))
        if former[0] == run:
            try:
                self._wire.command("CLIENT", "KILL", "ID", former[1])
            except ForbiddenError:
                pass  # then such a renewal costs a run

    def _mend(self, what: str) -> EngineUnavailable:
        """Make the queue again after a loss of data, with what we hold in it; returns what is to be raised."""
        uuid, held = self._open("mend"), list(self._held.values())
        words: list[Any] = [int(self._lease * 1000), self._identity, self._view]
        for task in held:
            past = (task.attempt, task.delivery, task.crashes)
            words += (self._entry(task), bytes_of(task.id), bytes_of(task.param), *past)
        answer = self._run("restore", uuid, words)
        if answer[0] == b"ok":  # else it was lost once more, and the next call begins again
            self.queue = uuid
            for task, place in zip(held, answer[1], strict=True):
                if place:
                    self._moved[task.handle.entry] = text_of(place)
        kept = sum(map(bool, answer[1])) if answer[0] == b"ok" else 0
        return EngineUnavailable(
            f"{what}: what was in it is gone (a flush, or a restart or failover without the data)."
            + (f" {kept} tasks that run here go on." if held else "")
            + "\n  Put the params again; those that were done will be run again."
        )

    def _lost(self) -> NoQueue:
        """Say what an empty queue means after a loss of data."""
        return NoQueue(
            f"the queue {self.where} is empty because it lost its data, not because all is done.\n  Put the params again."
        )

    def _entry(self, task: Task) -> str:
        """Tell where a task of ours is in the stream."""
        entry = str(task.handle.entry)
        return self._moved.get(entry, entry)

    # ------------------------------------------------------------------ minions of this host

    def _gone_from(self, identities: Sequence[bytes]) -> list[str]:
        """Tell which of these minions of this host are gone, and end what they may have left running here."""
        gone = []
        for text in identities:
            them = _identity(text)
            if them.uid != self._me.uid and processes.is_gone(them, self._me):
                processes.kill_all(them.uid)
                gone.append(them.uid)
        return gone

    def _wants_to_look(self) -> bool:
        """Tell, once a second, that it is time to look for them."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return False
        self._looked = now
        return True


def _identity(text: bytes) -> Identity:
    found = loads(text)
    return Identity(**{name: found[name] for name in Identity._fields})
