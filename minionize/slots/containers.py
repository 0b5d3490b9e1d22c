"""What the warden does about containers: they are no children of the minion, and outlive whatever started them.

The minion asks, by a word and a name, and waits for nothing; the warden runs the command of the runtime.
"""

from __future__ import annotations

import os
import signal
import time
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: What may be asked for, of containers whose names follow; and what is done for all of the minion once it is gone.
REMOVE, PAUSE, UNPAUSE, SWEEP = b"remove", b"pause", b"unpause", b"sweep"
#: Seconds that a command is waited for: a runtime that hangs must not keep a minion from leaving.
PATIENCE = 10.0
#: Seconds between two looks at what is left.
_PAUSE = 0.1


class Keeper:
    """Runs the commands; ``commands`` has one for each of the words above, or for none."""

    def __init__(self, commands: Mapping[bytes, Sequence[bytes]]) -> None:
        """Begin to notice children that end."""
        self._commands = commands
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))

    def obey(self, orders: Iterable[bytes]) -> None:
        """Carry out orders, each a word and a name; nobody waits for a removal."""
        for word, group in groupby((order.split(b" ") for order in orders), lambda parts: parts[0]):
            pid = self._run(word, [parts[-1] for parts in group])
            if word != REMOVE:  # the next one may take it back
                _wait_for(pid)
        _reap()

    def sweep(self, clients: Callable[[], object]) -> None:
        """Remove all containers of the minion, until no clients are left that may make one more.

        These end with their containers. One that is killed while it makes one leaves half of it behind, and to podman no trace.
        """
        end = time.monotonic() + PATIENCE
        more = SWEEP in self._commands
        while more:
            more = bool(clients()) and time.monotonic() < end
            _wait_for(self._run(SWEEP, ()))
            time.sleep(_PAUSE if more else 0)

    def _run(self, word: bytes, names: Sequence[bytes]) -> int:
        """Start a command, in a session of its own and without the ``MINION_ID`` of a minion around us, whose warden would end it."""
        command = self._commands.get(word)
        if not command:
            return 0
        environment = {name: value for name, value in os.environb.items() if name != b"MINION_ID"}
        argv = [*command, *names]
        try:
            return os.posix_spawn(argv[0], argv, environment, setsid=True, setsigmask=(), setsigdef=(signal.SIGPIPE,))
        except OSError:
            return 0


def _wait_for(pid: int) -> None:
    while pid and os.waitpid(pid, os.WNOHANG)[0] == 0:
        if signal.sigtimedwait((signal.SIGCHLD,), PATIENCE) is None:
            return


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
