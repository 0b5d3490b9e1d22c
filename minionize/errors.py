"""Every error that minionize raises on purpose.

    MinionizeError                  what, why, and what to type; ``exit_code`` is the command's
    |-- UsageError                  2: the command line, a variable or a file that was given is wrong
    |   |-- BadParam                a param (or a line of params) that cannot be read or made a command line
    |   |   `-- Misfit              one that the command or function was not written for, or the other way round
    |   `-- MissingExtra            the engine's client package is not installed
    |-- SetupFailed                 2: what a function needs could not be prepared, so that nothing was called
    |-- CommandNotFound             127 (126: found, but not executable)
    |-- HostUnfit                   71: nothing can be run on this host, and that lasts
    |-- LaunchError                 1: minions could not be started, asked about or stopped
    |   `-- LaunchRefused           1: and it is certain that none was started
    `-- EngineError                 2: the queue cannot be used, and asking again will not help
        |-- NoQueue                 there is no such queue
        |-- EngineUnavailable       69: it may come back: the minion waits for it
        `-- LeaseLost               the task is held by somebody else now

For callbacks: raise :class:`Retry`, :class:`Dead` or :class:`Interrupted` to say what becomes of the task.
"""

from __future__ import annotations


class MinionizeError(Exception):
    """Base of all. The first line says what and why; further lines say what to type."""

    exit_code = 1


class UsageError(MinionizeError):
    """The command line, a variable or a given file is wrong; nothing was run."""

    exit_code = 2


class BadParam(UsageError):
    """A param that cannot be read, or that makes no command line."""


class Misfit(BadParam):
    """A param without what the command or the function asks for: with the first one, it is they who are wrong."""


class MissingExtra(UsageError):
    """An optional package that the chosen engine needs is not installed."""


class SetupFailed(MinionizeError):
    """The ``setup`` of a function failed, before anything was called."""

    exit_code = 2


class CommandNotFound(MinionizeError):
    """The command to run does not exist (127) or cannot be executed (126)."""

    def __init__(self, message: str, exit_code: int = 127) -> None:
        """Keep the code that shells use for this case."""
        super().__init__(message)
        self.exit_code = exit_code


class HostUnfit(MinionizeError):
    """Nothing can be run on this host, whatever the task, and that has lasted for a while."""

    exit_code = 71


class LaunchError(MinionizeError):
    """A scheduler or a host did not do what it was asked, or its command is not here; in its own words."""


class LaunchRefused(LaunchError):
    """The same, and it is certain that nothing was started: another launcher may be tried."""


class EngineError(MinionizeError):
    """The queue cannot be used: broken, of a newer version, forbidden."""

    exit_code = 2


class NoQueue(EngineError):
    """There is no queue at the address that was given."""


class EngineUnavailable(EngineError):
    """The queue does not answer now, and may again later."""

    exit_code = 69


class LeaseLost(EngineError):
    """The task is no longer ours."""


class Retry(Exception):
    """Raised by a callback: offer this task again after ``delay`` seconds (None: the usual backoff)."""

    def __init__(self, reason: str = "", *, delay: float | None = None) -> None:
        """Keep the delay, in seconds."""
        super().__init__(reason)
        self.delay = delay


class Dead(Exception):
    """Raised by a callback: this task is not worth another attempt."""


class Interrupted(Exception):
    """Raised by a callback: give the task back, it was not an attempt."""


class HostTrouble(Interrupted):
    """A task could not be started, and the fault is this host's: no room, no memory, too many processes or files."""
