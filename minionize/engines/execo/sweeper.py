"""The ParamSweeper: what is in its files, taking from it, and finishing.

An instance that is open learns of what others take and finish, but not of what they give back, nor of new sweeps: then it
has to be read again from the beginning (:meth:`Sweeper.load`), which costs about 3 ms for a thousand finished items.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from pickle import PickleError
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.engines.execo import client
from minionize.engines.guard import PATIENCE, complaint, holder
from minionize.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: Seconds between two attempts to see execo's locks free.
_TICK = 0.005
#: Where a list of sweeps is written before it takes the place of the one there is.
_NEW = "minionize.new"


class Sweep(NamedTuple):
    """All that is in the sweep, and where each item is."""

    items: set[Any]
    remaining: set[Any]
    running: set[Any]
    done: set[Any]


class Sweeper:
    """A ParamSweeper whose list of sweeps is in its directory."""

    def __init__(self, directory: str) -> None:
        """Name the directory; :meth:`load` opens it."""
        self.directory = directory
        module = client.load()
        self.hashable_dict: Callable[..., Any] = module.HashableDict
        self._make: Callable[..., Any] = module.ParamSweeper
        self._sweeper: Any = None
        self.used = False  # since somebody set this to False

    def load(self) -> Sweep:
        """Read all of its files."""
        path = os.path.join(self.directory, "sweeps")
        if not os.path.exists(path):  # execo would make an empty one
            raise EngineError(f"the list of sweeps {path} was deleted: without it nobody knows what there is to run.")
        self._wait()
        try:
            if self._sweeper is None:
                self._sweeper = self._make(self.directory, name="minionize")
            else:
                self._sweeper.set_sweeps()
            items, remaining, _, running, done = self._sweeper.stats()
            if not isinstance(items, set | frozenset):
                raise TypeError(f"it holds a {type(items).__qualname__}")
        except OSError:
            raise
        except (EOFError, PickleError, MemoryError, *_UNREADABLE) as error:
            self._sweeper = None
            raise _unreadable(path, error) from error
        return Sweep(set(items), set(remaining), set(running), set(done))

    def take(self, limit: int, choose: Callable[[set[Any]], list[Any]]) -> list[Any]:
        """Take what ``choose`` picks of what remains; it is called with the files locked."""
        self._wait()
        return list(self._sweeper.get_next_batch(limit, choose))

    def finish(self, items: Sequence[Any]) -> None:
        """Mark as done; what is done already may be named again, at the price of being written again."""
        self._wait()
        self._sweeper.done_batch(items)

    def free(self, items: Sequence[Any]) -> None:
        """Let others take what is in progress."""
        self._wait()
        self._sweeper.cancel_batch(items)

    def untouched(self, items: Iterable[Any]) -> set[Any]:
        """Return those of these items, whether they are in the sweep or not, that are neither done nor in progress."""
        self._wait()
        return set(self._make(self.directory, sweeps=iter(list(items)), name="minionize").get_remaining())

    def replace(self, items: Iterable[Any]) -> None:
        """Make this the list of sweeps, in one step, whoever dies when."""
        new = os.path.join(self.directory, _NEW)
        shutil.rmtree(new, ignore_errors=True)
        os.mkdir(new, 0o755)
        try:
            self._make(new, sweeps=iter(list(items)), save_sweeps=True, name="minionize")
            if os.path.getsize(os.path.join(new, "sweeps")) == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), new)
            os.chmod(os.path.join(new, "sweeps"), 0o644)
            os.rename(os.path.join(new, "sweeps"), os.path.join(self.directory, "sweeps"))
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def left(self) -> int:
        """Count what remained when it was last used: that others took or finished something shows in it."""
        return len(self._sweeper.get_remaining())

    def look(self) -> list[Any]:
        """Tell what shows that somebody used the files: their sizes and times."""
        return [_look(os.path.join(self.directory, name)) for name in ("sweeps", "done", "inprogress")]

    def _wait(self) -> None:
        """Wait until nobody holds execo's locks, for execo would wait for ever; raises EngineUnavailable."""
        self.used = True
        for name in ("done", "inprogress"):
            path = os.path.join(self.directory, name)
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # execo makes it
            try:
                _wait_for(fd, path)
            finally:
                os.close(fd)


def _wait_for(fd: int, path: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise EngineUnavailable(complaint(path, holder(fd, "POSIX"), PATIENCE)) from None
            time.sleep(_TICK)
        else:
            return


def _look(path: str) -> list[int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return [status.st_ino, status.st_size, status.st_mtime_ns]


#: What loading a pickle may raise besides: a class that is not to be found, or whose content is not what it was.
_UNREADABLE = (
    RecursionError,
    ImportError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    NameError,
)


def _unreadable(path: str, error: BaseException) -> EngineError:
    hint = ""
    if isinstance(error, ImportError | AttributeError):
        hint = "\n  If that is your own code, say where it is:  export PYTHONPATH=/path/to/its/directory"
    return EngineError(
        f"{path} cannot be read as the sweeps of a ParamSweeper: {type(error).__name__}: {error}. It was left as it is.{hint}"
    )
