"""Tell what failed: the task, its runtime, or the command line, which names a command that the image does not have.

Exit codes alone do not say: a program may exit with 125 itself. So the last words on standard error are read too.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Literal

from minionize.errors import HostTrouble, HostUnfit

if TYPE_CHECKING:
    from minionize.policy import Ending

Cause = Literal["", "missing", "broken"]

#: How the clients begin the line in which they say what is wrong, and the exit codes that go with it.
_CLIENTS = {
    "podman": (re.compile(r"^Error: (.+)", re.MULTILINE), (125, 126, 127)),
    "docker": (
        re.compile(r"^docker: (?:Error response from daemon: )?(.+)|^(.+)\nUsage: +docker run ", re.MULTILINE),
        (125, 126, 127),
    ),
    "apptainer": (re.compile(r"^FATAL: +(.+)", re.MULTILINE), (255, 1, 126, 127)),
}
#: What podman's and docker's inits say where there is no such command; the first one exits with 1 then.
_INITS = re.compile(
    r"^(?:ERROR \(catatonit:\d+\): failed to exec pid1|\[FATAL +tini \(\d+\)\] exec .* failed): (.+)", re.MULTILINE
)
#: Their codes 126 and 127 do not tell: they stand for any permission denied, and any file not found.
_NO_COMMAND = re.compile(r'exec: "|executable|^stat /')
#: Failures of the runtime in a row, and the seconds they must span, after which a minion does not go on.
GIVE_UP, _SPAN = 10, 30.0
#: The same where no container ever ran here: then it is mostly an option that is wrong, and will not get better.
AT_FIRST = 3
#: Longest time in which nothing is started after a failure of the runtime, in seconds.
_PAUSE = 5.0
#: Times that a task is given back for a runtime that does run others: then the fault is the task's.
PATIENCE = 5


def cause(kind: str, ending: Ending) -> tuple[Cause, str]:
    """Say what failed, and the runtime's words; empty where it was the task itself."""
    tail = "\n".join(list(filter(str.strip, ending.stderr.splitlines()))[-4:])
    said = _INITS.findall(tail)
    if said and ending.exit in (1, 126, 127):
        return "missing", said[-1].strip()
    pattern, codes = _CLIENTS[kind]
    words = [match[match.lastindex or 0] for match in pattern.finditer(tail)]
    if not words or ending.exit not in codes:
        return "", ""
    return "missing" if _NO_COMMAND.search(words[-1]) else "broken", words[-1].strip()


class Streak:
    """Failures of the runtime in a row: it is given time, more of it each time, and not for ever."""

    def __init__(self, name: str) -> None:
        """Begin with none; ``name`` is the runtime's."""
        self.count = 0
        self._name, self._words = name, ""
        self._since = self._until = 0.0  # monotonic

    def hold(self) -> None:
        """Raise HostTrouble for a while after a failure."""
        if self._until > time.monotonic():
            raise HostTrouble(f"{self._name} starts no containers here: {self._words}")

    def add(self, words: str, *, has_run: bool) -> None:
        """Count a failure; raises HostUnfit where there were too many. ``has_run``: it did run a container before."""
        now = time.monotonic()
        self._since = self._since if self.count else now
        self.count += 1
        self._words = words
        self._until = now + min(_PAUSE, 0.1 * 2.0 ** min(self.count, 10))
        if (self.count >= GIVE_UP and now - self._since >= _SPAN) or (self.count >= AT_FIRST and not has_run):
            raise HostUnfit(
                f"{self._name} starts no containers here: {words}\n  See what it is told, and try that:  minionize --dry-run"
            )

    def end(self) -> None:
        """Note that a container ran."""
        self.count, self._until = 0, 0.0
