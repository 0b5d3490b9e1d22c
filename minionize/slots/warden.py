"""A process that outlives the minion for a moment, to end what a kill -9 of it would leave running.

It is forked before anything heavy is imported or any thread is started, in a session of its own, and reads a pipe whose other
end only the minion has. While the minion lives it sleeps. The minion writes the sessions of its children in a page of memory that
both share: a child that cleaned its environment is found by its session, one in a session of its own by its MINION_ID. Containers
are found by their names and labels, by the command of their runtime.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from minionize import place, processes, signals
from minionize.slots.containers import Keeper
from minionize.slots.leftovers import remove, sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Bytes of a pid.
_PID = 4
#: Bytes that a pipe holds: what is read at once is never half a name.
_PIPE = 1 << 16


class Warden:
    """The minion's end: its slots' sessions, and the pipe."""

    def __init__(self, uid: str, slots: int, commands: Mapping[bytes, Sequence[bytes]] = {}) -> None:
        """Fork the warden; ``commands`` are what it does about containers."""
        page = mmap.mmap(-1, slots * _PID)
        #: The session that runs in each slot; 0 where none does.
        self.sessions = memoryview(page).cast("i")
        self.directory = place.scratch(uid)
        reader, self._pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._pipe)
                keeper = Keeper(commands)
                if _watch(reader, keeper, self.directory):
                    sessions = [pid for pid in self.sessions if pid]
                    keeper.sweep(lambda: processes.children_of_minion(uid, sessions))
                    processes.kill_all(uid, sessions)
                    remove(self.directory)
            finally:
                os._exit(0)
        os.close(reader)

    def let_go(self) -> None:
        """Close, in another process that was forked from the minion, what says that the minion lives."""
        os.close(self._pipe)

    def ask(self, word: bytes, container: bytes) -> bool:
        """Have something done to a container, and wait for nothing; False where there is no warden any more."""
        try:
            os.write(self._pipe, word + b" " + container + b"\n")
        except BrokenPipeError:
            return False
        return True

    def dismiss(self) -> None:
        """Let the warden go: nothing runs any more."""
        try:
            os.write(self._pipe, b".")
        except BrokenPipeError:
            pass  # somebody ended it

    def bury(self) -> None:
        """See the warden off. One that was not dismissed ends what still runs, as after a kill -9."""
        os.close(self._pipe)
        os.waitpid(self.pid, 0)
        remove(self.directory)


def _watch(reader: int, keeper: Keeper, directory: str) -> bool:
    """Do what the minion asks for until it goes; says whether it went without dismissing us."""
    signals.stand_aside()
    processes.name_warden()
    sweep(directory)  # here, where nobody waits for it
    while asked := os.read(reader, _PIPE):
        keeper.obey(asked.rstrip(b".").splitlines())
        if asked.endswith(b"."):
            return False
    return True
