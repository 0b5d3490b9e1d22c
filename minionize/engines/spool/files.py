"""The few things that are done to files here, and what their errors mean.

A network file system may answer a lookup from a cache, so "there is no such file" is asked again where it would lose
something.
"""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

from minionize.errors import EngineError, EngineUnavailable, NoQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
#: Whatever the umask: who may write here may run commands in our name. Of folders, ``Tree.make_folder`` knows.
FILE_MODE = 0o644
#: Seconds before each time that a lookup which found nothing is asked: a cache may have answered.
_AGAIN = (0.0, 0.01, 0.05, 0.2)
#: Further ones, where much would be lost: the caches of some file systems hold for a second, or for three.
_PATIENT = (0.5, 1.0, 2.0)


class Translated:
    """Turns what the file system says into errors of ours, for the length of a ``with``."""

    def __init__(self, path: str) -> None:
        """Name the queue."""
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise EngineUnavailable for what may pass, NoQueue and EngineError for what will not."""
        if not isinstance(error, OSError):
            return
        why = f"{os.strerror(error.errno) if error.errno else error}"
        if error.errno in _FULL:
            raise EngineUnavailable(f"the queue {self._path} cannot be written: {why}. Make room there.") from error
        if error.errno in _FORBIDDEN:
            raise EngineError(
                f"the queue {self._path} cannot be used: {why} ({error.filename}).\n  See:  ls -ld {self._path}"
            ) from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR) and not os.path.isdir(self._path):
            raise NoQueue(f"the queue {self._path} was deleted under this minion.") from error
        raise EngineUnavailable(f"the queue {self._path} does not answer: {why} ({error.filename}).") from error


def names(directory: str) -> list[str]:
    """List a directory; one that is not there is empty."""
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def names_again(directory: str) -> list[str]:
    """List a directory that should not be empty, again where it seems to be."""
    for _ in again():
        found = names(directory)
        if found:
            return found
    return []


def read(path: str) -> bytes | None:
    """Read a file; None where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        parts = []
        while part := os.read(fd, 1 << 20):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts)


def read_whole(path: str, is_whole: Callable[[bytes], bool]) -> bytes:
    """Read a file that has to be there, again and again while a cache seems to give only a part of it.

    Raises FileNotFoundError where it stays away, and returns the part where that is all there is.
    """
    data = None
    for pause in (*_AGAIN, *_PATIENT):
        if pause:
            time.sleep(pause)
        data = read(path)
        if data is not None and is_whole(data):
            break
    if data is None:
        raise FileNotFoundError(errno.ENOENT, "it should be there", path)
    return data


def lines(path: str, size: int, *, patient: bool = False) -> Iterator[bytes]:
    """Go through the whole lines among the first ``size`` bytes of a file.

    ``patient``: wait for a while where a cache seems to give fewer. Raises FileNotFoundError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    for pause in (*_AGAIN, *_PATIENT) if patient else ():
        if os.fstat(fd).st_size >= size:
            break
        os.close(fd)  # what a file server says of a size counts from when one opens it
        time.sleep(pause)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        for line in file:
            size -= len(line)
            if size < 0 or not line.endswith(b"\n"):
                return
            yield line


def write(path: str, data: bytes, mode: int = FILE_MODE) -> None:
    """Write a file and see it to the disk."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it; a disk that is full takes a part first, and refuses the rest."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def take(source: str, target: str) -> bool:
    """Move a file; says whether it was there. Of many who try, one succeeds."""
    try:
        os.rename(source, target)
    except FileNotFoundError:
        return False
    return True


def move(source: str, target: str) -> bool:
    """Move a file of our own, asking again where it seems to be gone; says whether it was there, or is where it should be."""
    for _ in again():
        try:
            if take(source, target):
                return True
        except OSError:
            if not is_there(target):
                raise
        if is_there(target):
            return True  # the answer to the rename was lost
    return False


def is_there(path: str) -> bool:
    """Look for a file in a listing of its folder: what a lookup found a moment ago may still be remembered."""
    return os.path.basename(path) in names(os.path.dirname(path))


def again() -> Iterator[None]:
    """Go through the moments at which something is asked that a cache may have answered wrongly."""
    for pause in _AGAIN:
        if pause:
            time.sleep(pause)
        yield


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def remove_tree(path: str, rescue: Callable[[str], str] = lambda _: "") -> None:
    """Remove a folder and all in it, also what others put in meanwhile.

    ``rescue`` tells by its name where a file goes that is not to be removed; empty: it is.
    """
    for _ in again():
        for name in names(path):
            inner = os.path.join(path, name)
            home = rescue(name)
            if home:
                take(inner, home)
            else:
                _remove_any(inner)
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return


def _remove_any(path: str) -> None:
    try:
        os.unlink(path)
    except (IsADirectoryError, PermissionError):
        if os.path.islink(path) or not os.path.isdir(path):
            raise
        remove_tree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno != errno.EBUSY:  # NFS keeps a removed file that is open somewhere here, until it is closed
            raise
