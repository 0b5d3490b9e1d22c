"""Put: the params of one put are in the queue all at once, by the rename of a folder.

Puts take turns, so that two with the same params do not both add them: the turn is a file that is moved, and moved back.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from minionize import processes
from minionize.engines.spool import files, look
from minionize.engines.spool.chunk import Line, encode, line_of
from minionize.engines.spool.market import IDS
from minionize.engines.spool.names import Chunk, milliseconds, plain
from minionize.engines.spool.tree import FREE
from minionize.errors import BadParam, EngineUnavailable
from minionize.model import Identity, Put
from minionize.policy import ALONE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from typing import BinaryIO

    from minionize.engines.spool.clock import ServerClock
    from minionize.engines.spool.tree import Tree
    from minionize.model import NewTask

#: What the name of a folder begins with that is being filled.
_PUT = "put-"
#: Tasks of a chunk; a put makes at least so many chunks before they get that many, and so many at the most before they get more.
_USUAL, _SHARES, _CHUNKS = 50, 500, 2000
#: Chunks that are written at the same time.
_AT_ONCE = 8
#: Most tasks, and bytes, of a chunk.
_MOST, _LARGEST = 1000, 1 << 20
#: Seconds after which a turn that nobody uses is taken away.
_STALE = 60.0
#: Seconds that it is waited for before it is looked at whether its owner is silent.
_LOOK = 1.0
#: Seconds that a put waits for its turn.
_PATIENCE = 150.0


def put(tree: Tree, me: Identity, clock: ServerClock, new: Iterable[NewTask], limit: int) -> Put:
    """Add tasks, all or none; those whose ids are known add nothing. Raises BadParam for one of over ``limit`` bytes."""
    import tempfile

    with tempfile.TemporaryFile(prefix="minion-queue-") as staged:
        count = _stage(staged, new, limit)
        if not count:
            return Put(0, {})
        with Turn(tree, me, clock) as turn:
            _remove_left(tree)
            known = look.ids(tree)
            folder = tree.at("tmp", f"{_PUT}{plain(me.uid)}-{os.urandom(3).hex()}")
            tree.make_folder(folder)
            try:
                return _fill(tree, folder, staged, count, known, turn)
            finally:
                files.remove_tree(folder)


def _remove_left(tree: Tree) -> None:
    """Remove what puts left that died, or that are suspended and have lost their turn: these cannot end any more then."""
    for name in files.names(tree["tmp"]):
        if name.startswith(_PUT):
            files.remove_tree(tree.at("tmp", name))


def _stage(staged: BinaryIO, new: Iterable[NewTask], limit: int) -> int:
    """Collect the tasks on a local disk: a source that fails leaves nothing behind, and may be slow."""
    count, batch = 0, []
    for id, param, attempt, crashes, due, _ in new:
        if len(param) > limit // 4 and len(param.encode("utf-8", "surrogatepass")) > limit:
            raise BadParam(
                f"a param of {len(param)} characters is more than a spool takes, {limit >> 20} MiB: put it in a file, and its name here."
            )
        batch.append(f"{due}\t{line_of(id, param, attempt, crashes).write()}")
        if len(batch) >= 1000:
            staged.write("".join(batch).encode("utf-8", "surrogatepass"))
            count, batch = count + len(batch), []
    staged.write("".join(batch).encode("utf-8", "surrogatepass"))
    return count + len(batch)


def _fill(tree: Tree, folder: str, staged: BinaryIO, count: int, known: set[str], turn: Turn) -> Put:
    """Write the chunks into a folder that nobody looks at yet, then let it be seen."""
    number = 1 + max((int(n) for name in ("puts", "known") for n in files.names(tree[name]) if n.isdigit()), default=0)
    seen: set[str] = set()
    ids: set[str] = set()
    staged.seek(0)
    with _Writer(folder, number, _size(count), turn) as writer:
        for text in staged:
            due, id, attempt, delivery, crashes, failure, param = text.decode("utf-8", "surrogatepass")[:-1].split("\t")
            if id in known:
                seen.add(id)
            elif id not in ids:
                ids.add(id)
                writer.add(Line(id, int(attempt), int(delivery), int(crashes), failure, param), float(due))
    if ids:
        files.write(os.path.join(folder, IDS), "".join(f"{id}\n" for id in ids).encode())
        turn.keep()
        os.rename(folder, tree.at("puts", f"{number:012}"))
    return Put(len(ids), _states(tree, seen, turn.clock.now()))


def _size(count: int) -> int:
    """Say how many tasks a chunk of a put of so many gets: one each for a few, fifty for many, more for very many."""
    return min(_MOST, max(min(_USUAL, -(-count // _SHARES)), -(-count // _CHUNKS)))


def _states(tree: Tree, ids: set[str], now: float) -> dict[str, int]:
    """Count the known tasks by state."""
    states: dict[str, str] = {}
    if ids:
        for entry in look.entries(tree, now):
            if entry.id in ids:
                states[entry.id] = entry.state
    counted: dict[str, int] = {}
    for id in ids:
        state = states.get(id, "pending")  # one that moved while we looked
        counted[state] = counted.get(state, 0) + 1
    return counted


class _Writer:
    """Writes lines into chunks: plain ones in order, suspects each alone, those to come by their due time.

    Several files at once are on their way to the disk or the file server, each of which takes its time.
    """

    def __init__(self, folder: str, number: int, size: int, turn: Turn) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._folder, self._number, self._size, self._turn = folder, number, size, turn
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._written: deque[Future[None]] = deque()
        self._lines: list[Line] = []
        self._bytes = self._made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._close()
                while self._written:
                    self._written.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def add(self, line: Line, due: float) -> None:
        now = self._turn.clock.now()
        if due > now or line.crashes >= ALONE:
            self._write("s" if line.crashes >= ALONE else "r", milliseconds(max(due, now)), [line])
            return
        self._lines.append(line)
        self._bytes += len(line.param)
        if len(self._lines) >= self._size or self._bytes >= _LARGEST:
            self._close()

    def _close(self) -> None:
        if self._lines:
            self._write("f", self._number, self._lines)
            self._lines, self._bytes = [], 0

    def _write(self, kind: str, due: int, lines: list[Line]) -> None:
        self._made += 1
        chunk = Chunk(kind, due, f"{self._made:07}-{self._number}", len(lines))
        self._written.append(self._pool.submit(files.write, os.path.join(self._folder, chunk.name), encode(lines)))
        if len(self._written) > 4 * _AT_ONCE:
            self._written.popleft().result()
        self._turn.keep()


class Turn:
    """The right to put, for the length of a ``with``."""

    def __init__(self, tree: Tree, me: Identity, clock: ServerClock) -> None:
        self.clock = clock
        self._folder, self._tmp = tree["turn"], tree["tmp"]
        self._me = me._replace(
            uid=plain(me.uid), host=plain(me.host), boot=plain(me.boot), namespace=plain(me.namespace)
        )
        self._mine = os.path.join(self._folder, ",".join(map(str, self._me[:6])))
        self._kept = 0.0

    def __enter__(self) -> Self:
        began, pause = time.monotonic(), 0.002
        while not files.take(os.path.join(self._folder, FREE), self._mine):
            waited = time.monotonic() - began
            owner = self._free_stale(waited >= _LOOK)
            if waited > _PATIENCE:
                raise EngineUnavailable(
                    f"another put is at work ({owner or 'nobody knows where'}).\n  See:  ls {self._folder}"
                )
            time.sleep(pause)
            pause = min(0.25, pause * 1.5)
        self.clock.touch(self._mine)
        return self

    def __exit__(self, *exception: object) -> None:
        files.move(self._mine, os.path.join(self._folder, FREE))

    def keep(self) -> None:
        """Show that we are at it; raises EngineUnavailable where our turn was taken away."""
        now = time.monotonic()
        if now - self._kept > 5:
            self._kept = now
            try:
                self.clock.touch(self._mine)
            except FileNotFoundError:
                raise EngineUnavailable("this put was suspended for so long that another one took its turn.") from None

    def _free_stale(self, silent: bool) -> str:
        """Take the turn away from one who is gone or, if it is to be looked at, silent; returns who has it."""
        for name in files.names(self._folder):
            fields = name.split(",")
            if len(fields) == 6:
                uid, host, pid, start, boot, namespace = fields
                owner = Identity(uid, host, int(pid), int(start), boot, namespace)
                if processes.is_gone(owner, self._me) or (silent and self._is_silent(name)):
                    files.take(os.path.join(self._folder, name), os.path.join(self._folder, FREE))
                return f"process {pid} on {host}"
        return ""

    def _is_silent(self, name: str) -> bool:
        """Tell whether who has the turn shows no sign any more; a file of our own tells the file server's time."""
        probe = os.path.join(self._tmp, f"{plain(self._me.uid)}-probe")
        files.write(probe, b"")
        now = self.clock.touch(probe)
        files.remove(probe)
        try:
            return now - os.stat(os.path.join(self._folder, name)).st_mtime > _STALE
        except FileNotFoundError:
            return False
