"""A minion's folder, its log and its token: what it holds, and transactions over that.

A transaction is: write the chunks that are to be given away into the own folder, under names that do not count yet; append
to the log what happens, and see it to the disk; rename the token, which is the instant at which it has happened; move the
chunks to where they belong. A minion that dies before the rename has done nothing, one that dies after it has done all:
``recovery`` finishes what is left of it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from json import dumps
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from minionize.engines.spool import files
from minionize.engines.spool.chunk import decode, encode, is_whole
from minionize.engines.spool.names import Chunk, Token, milliseconds, plain

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from minionize.engines.spool.chunk import Line
    from minionize.engines.spool.clock import ServerClock
    from minionize.engines.spool.tree import Tree
    from minionize.model import Identity

#: What stands before the name of a chunk that does not count yet.
PREPARED = "+"
#: What the name of a message to a minion begins with.
MAIL = "mail-"
#: The file that says who a minion is, and its log.
ME, LOG = "me", "log"


class Lost(Exception):
    """Our token is not there any more: somebody took over what we held."""


class Held:
    """A task that we hold: its line, the chunk that it came in, and its delivery once it was handed out."""

    __slots__ = ("chunk", "delivery", "line")

    def __init__(self, line: Line, chunk: str) -> None:
        self.line, self.chunk, self.delivery = line, chunk, line.delivery


class Change(NamedTuple):
    """What a transaction does.

    ``out`` leaves us, whatever becomes of it; ``hand`` is handed out; ``text`` is what the log says besides, also of those in
    ``out`` that are ``finished``; ``give`` are chunks to be given away. ``done`` is by how many tasks our done count grows. ``took_over`` names lost minions whose tasks these are,
    and the chunks that they were found in. ``keys`` are the settlements that it is made of.
    """

    out: Sequence[Held] = ()
    hand: Sequence[Held] = ()
    text: str = ""
    finished: Container[Held] = ()
    give: Sequence[tuple[Chunk, Sequence[Line]]] = ()
    done: int = 0
    hungry: bool = False
    took_over: Mapping[str, frozenset[str]] = MappingProxyType({})
    keys: Sequence[tuple[str, int]] = ()


class Holder:
    """What this minion holds."""

    def __init__(self, tree: Tree, me: Identity, lease: float, clock: ServerClock) -> None:
        """Begin with nothing: no file is made before something is held."""
        self.tree, self.me, self.clock = tree, me, clock
        self._lease = lease
        self.lives = 0  # how often we lost everything
        self._made = 0  # chunks that we made
        self._log = -1
        self._tail = -1  # where the log ends; -1: nobody knows
        self.token: Token | None = None
        self.forget()

    def forget(self) -> None:
        """Hold nothing."""
        self.held: dict[str, Held] = {}
        self.backlog: deque[Held] = deque()
        self._left: dict[str, int] = {}  # how many tasks of each chunk in our folder are not out yet
        self._logged: set[str] = set()  # chunks that the log says we took
        self._asked: list[Chunk] = []  # chunks that may have come to us although the rename failed
        self._unread: list[Chunk] = []
        self._unpublished: list[str] = []
        self._finished: list[str] = []
        self._opened: list[str] = []  # mail that is to be removed once it is answered
        self.took_over: dict[str, frozenset[str]] = {}  # lost minions whose tasks we gave back, the chunks of each
        self._doubt: tuple[Token, Change, list[str]] | None = None  # a transaction whose rename failed
        self.happened: list[Change] = []  # those that an error said had not
        self.touched = 0.0
        self._contact = _awake()  # when we last reached the file server
        self._judge_at = 0.0  # before, nobody is taken for lost
        self.token = None
        self.close_log()

    def close_log(self) -> None:
        """Close the log: nothing will be added to it."""
        log, self._log = (
            self._log,
            -1,
        )  # the descriptor is gone also where closing it fails, and may be another file's then
        if log >= 0:
            try:
                os.close(log)
            except OSError:
                pass  # what counts of it was synced

    @property
    def folder(self) -> str:
        """Our folder."""
        return self.tree.at("minions", self.name)

    @property
    def name(self) -> str:
        """Our name in the spool: the uid, and another one after each loss."""
        return plain(self.me.uid) + (f"~{self.lives}" if self.lives else "")

    def register(self) -> Token:
        """Make our folder, log and token, if they are not there yet."""
        if self.token is not None:
            return self.token
        token = Token(self.name, plain(self.me.host), int(self._lease * 1000))
        while os.path.isdir(self.folder):
            self.lives += 1
            token = token._replace(minion=self.name)
        try:
            files.write(self.tree.at("alive", token.name), b"")  # first: a folder without a token would be nobody's
            self.tree.make_folder(self.folder)
            files.write(os.path.join(self.folder, ME), dumps(self.me._asdict()).encode())
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._log = os.open(os.path.join(self.folder, LOG), flags, files.FILE_MODE)
            self._tail = 0
            self.token = token
            self.touch()
        except (OSError, Lost):
            self.forget()  # first: what follows may fail, too, and nothing may be written to a log that is removed
            files.remove_tree(self.folder)
            files.remove(self.tree.at("alive", token.name))
            raise
        return token

    # ------------------------------------------------------------------ taking

    def take(self, path: str, chunk: Chunk) -> bool:
        """Claim a chunk by moving it into our folder; says whether it was there."""
        self.register()
        target = os.path.join(self.folder, chunk.name)
        try:
            if not files.take(path, target) and not files.is_there(target):
                return False
        except OSError:
            self._asked.append(chunk)
            raise
        self._unread.append(chunk)
        self._read_in()
        return True

    def _read_in(self) -> None:
        """Read the chunks that we took."""
        while self._asked:
            if files.is_there(os.path.join(self.folder, self._asked[-1].name)):
                self._unread.append(self._asked[-1])
            self._asked.pop()
        while self._unread:
            chunk = self._unread[-1]
            try:
                lines = read(os.path.join(self.folder, chunk.name), chunk)
            except FileNotFoundError:
                self.touch()  # raises Lost where it was taken over with all that we had
                raise
            self._unread.pop()
            self._left[chunk.name] = len(lines)
            self.backlog.extend(Held(line, chunk.name) for line in lines)

    def new_chunk(self, kind: str, due: float, count: int) -> Chunk:
        """Name a chunk of ours; ``due`` in seconds."""
        self._made += 1
        return Chunk(kind, milliseconds(due), f"{self.name}-{self._made}", count)

    # ------------------------------------------------------------------ transactions

    def commit(self, change: Change) -> None:
        """Do it all, or raise and have done nothing; raises Lost where what we held was taken over."""
        self.tidy()
        token = self.register()
        given = [chunk.name for chunk, _ in change.give]
        for chunk, lines in change.give:
            files.write(os.path.join(self.folder, PREPARED + chunk.name), encode(lines))
        took = [
            name
            for name in dict.fromkeys(held.chunk for held in (*change.hand, *change.out))
            if name not in self._logged
        ]
        data = "".join(
            [
                *(f"t\t{name}\n" for name in took),
                change.text,
                *(f"-\t{held.line.id}\n" for held in change.out if held not in change.finished),
                *(f"+\t{held.line.id}\t{held.line.delivery + 1}\t{self.clock.now():.3f}\n" for held in change.hand),
                *(f"g\t{name}\n" for name in given),
                *("\t".join(("o", minion, *names)) + "\n" for minion, names in change.took_over.items()),
            ]
        ).encode("utf-8", "surrogatepass")
        handed = sum(held.line.id in self.held for held in change.out)
        self._append(data)
        new = token._replace(
            beat=token.beat + 1,
            size=token.size + len(data),
            held=len(self.held) - handed + len(change.hand),
            backlog=len(self.backlog) - len(change.hand) - (len(change.out) - handed),
            done=token.done + change.done,
            hungry=int(change.hungry),
        )
        try:
            self._rename(new)
        except OSError:
            self._doubt = new, change, took
            raise
        self._apply(new, change, took)
        try:
            self.tidy()
        except OSError:
            pass  # it has happened; what is left to do is done before anything else

    def _append(self, data: bytes) -> None:
        """Write to the log behind what counts of it: what an attempt that failed left there is overwritten."""
        if not data or self.token is None:
            return
        if self._tail != self.token.size:
            os.ftruncate(self._log, self.token.size)
            os.lseek(self._log, self.token.size, os.SEEK_SET)
        self._tail = -1
        files.write_all(self._log, data)
        os.fsync(self._log)
        self._tail = self.token.size + len(data)

    def _rename(self, new: Token) -> None:
        """Give our token its new name; raises Lost where it is not there any more."""
        if self.token is None or not files.move(
            self.tree.at("alive", self.token.name), self.tree.at("alive", new.name)
        ):
            raise Lost

    def _resolve(self) -> None:
        """Find out whether a transaction whose rename failed has happened: the answer may have been lost, not the question."""
        if self._doubt is None:
            return
        new, change, took = self._doubt
        if files.is_there(self.tree.at("alive", new.name)):
            self._apply(new, change, took)
            self.happened.append(change)
        self._doubt = None

    def _apply(self, new: Token, change: Change, took: Sequence[str]) -> None:
        """Bring what we know up to date with what has happened."""
        self.token = new
        self._logged.update(took)
        self._unpublished += [chunk.name for chunk, _ in change.give]
        self.took_over.update(change.took_over)
        out = {held.line.id for held in change.out if self.held.pop(held.line.id, None) is None}
        for held in change.hand:
            held.delivery = held.line.delivery + 1
            self.held[held.line.id] = held
        out.update(held.line.id for held in change.hand)
        if out:
            self.backlog = deque(held for held in self.backlog if held.line.id not in out)
        for held in change.out:
            self._left[held.chunk] -= 1
            if not self._left[held.chunk]:
                del self._left[held.chunk]
                self._logged.discard(held.chunk)
                self._finished.append(held.chunk)

    def tidy(self) -> None:
        """Do what an error kept from being done: read chunks that we took, move those that we gave away, remove what is empty."""
        self._resolve()
        self._read_in()
        while self._unpublished:
            name = self._unpublished[-1]
            files.move(os.path.join(self.folder, PREPARED + name), self.tree.home(name))
            self._unpublished.pop()
        while self._finished:
            files.remove(os.path.join(self.folder, self._finished[-1]))
            self._finished.pop()

    # ------------------------------------------------------------------ liveness

    def touch(self) -> float:
        """Prolong our lease; returns the file server's time."""
        if self.token is None:
            raise Lost
        for _ in files.again():
            try:
                self.touched = self.clock.touch(self.tree.at("alive", self.token.name))
            except FileNotFoundError:
                continue
            now = _awake()
            if now - self._contact > self._lease / 2:
                self._judge_at = now + self._lease / 2
            self._contact = now
            return self.touched
        raise Lost

    def was_away(self) -> bool:
        """Tell whether the file server, or this machine, was away until a moment ago: then silence means nothing."""
        self.touch()
        return self._contact < self._judge_at

    def lose(self) -> bool:
        """Forget what was taken over; says whether the whole queue was cleared."""
        self.forget()
        self.lives += 1
        return self.tree.identity() != self.tree.queue

    def mail(self) -> list[tuple[str, list[str]]]:
        """Read what people ask of us: pairs of a word (``cancel``, ``release``) and ids; it stays until it is :meth:`answered`."""
        letters = []
        for name in files.names(self.folder) if self.token else ():
            if name.startswith(MAIL):
                word, *ids = (files.read(os.path.join(self.folder, name)) or b"").decode().split("\n")
                letters.append((word, ids))
                self._opened.append(name)
        return letters

    def answered(self) -> None:
        """Remove the mail that was read, and forget what had happened all the same: both were acted on."""
        self.happened.clear()
        while self._opened:
            files.remove(os.path.join(self.folder, self._opened.pop()))


def _awake() -> float:
    """Tell the seconds since the machine was started, those that it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read(path: str, chunk: Chunk) -> list[Line]:
    """Read a chunk that has to be there."""
    return decode(files.read_whole(path, lambda data: is_whole(data, chunk)), chunk)
