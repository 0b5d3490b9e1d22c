"""What a shell reads: words that stay what they are, and the part that the scripts of all launchers share."""

from __future__ import annotations

import os
import re
from shlex import quote
from typing import TYPE_CHECKING

from minionize.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minionize.launchers.base import Plan


def line(words: Iterable[str]) -> str:
    """Write words as a command line."""
    return " ".join(map(quote, words))


#: A file in the directory of a launch: once it is there, minions that a scheduler starts again leave at once.
CLOSED = "closed"


def unless_closed(plan: Plan) -> str:
    """Write the line by which a job that is started again after ``stop`` or ``drain`` ends."""
    return f"[ ! -e {quote(os.path.join(plan.logs, CLOSED))} ] || exit 0"


def setting_up(plan: Plan, directory: str) -> str:
    """Write the lines that come before the minion: where, with which variables, and what the user wants done first."""
    parts = [f"cd {quote(directory)} || exit 71"]
    if plan.path:
        parts += [f"PATH={quote(plan.path)}:$PATH", "export PATH"]
    parts += [f"export {name}={quote(text)}" for name, text in plan.exports.items()]
    parts += [plan.before] if plan.before else []
    return "\n".join(parts)


def running(plan: Plan) -> str:
    """Write the last line of a job. The minion takes the shell's place, so that it gets the scheduler's signals itself."""
    return f"exec {line(plan.argv)}"


def directive(text: str) -> str:
    """Return a text that is to stand in a line which a scheduler reads; raises UsageError where that would be two lines."""
    if re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", text):
        raise UsageError(f"{text!r} cannot be given to a scheduler: it holds a line end or another control character.")
    return text


def clock(seconds: float) -> str:
    """Write a time as schedulers read it, hours:minutes:seconds, and not shorter than it is."""
    whole = max(1, int(-(-seconds // 1)))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
