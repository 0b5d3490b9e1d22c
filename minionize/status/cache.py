"""What was read of a report directory, kept for the next time: a run of a gigabyte is then shown as fast as a small one.

One file per report directory, in ``$XDG_CACHE_HOME/minionize/status`` (``~/.cache`` where that is unset), never among the
reports: others can write there, and whoever looks may not be able to. It is data, not code, and only a copy: one that
is broken, of another version or not ours is ignored, and who cannot write goes without.

A line of text (what this is, the order of its bytes, length and checksum of the rest), a JSON object (``ledger_copy``),
the columns of the ledger as they are in memory.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from minionize import __version__
from minionize.status.ledger import COLUMNS, Ledger
from minionize.status.ledger_copy import copied, restored
from minionize.status.read import File

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

#: To be raised with every change of what is kept, or of what an event comes to.
FORMAT = 2
_SUFFIX = ".ledger"
#: Events (bytes) that are read again rather than kept: parsing so much takes a hundredth of a second.
SMALL = 1 << 20
#: Together, kept files are at most so large (bytes); one that was not used for so long (seconds) is removed.
LARGEST = 1 << 28
OLDEST = 30 * 86400.0
#: A stranger's bytes may be anything; whatever reading them raises, they are no cache.
_BROKEN = (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


class Kept(NamedTuple):
    """What was read, and of which files, in the order of their numbers."""

    ledger: Ledger
    files: list[File]
    unreadable: int


class Cache:
    """The kept files of one user, in a directory that is made when it is needed."""

    def __init__(self, directory: str) -> None:
        """Name the directory."""
        self._directory = directory

    @classmethod
    def of_user(cls, environ: Mapping[str, str] = os.environ) -> Cache | None:
        """Use the place that the XDG Base Directory Specification gives; None where there is none."""
        base, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
        if not os.path.isabs(base):  # the specification: a relative path is to be ignored
            base = os.path.join(home, ".cache")
        return cls(os.path.join(base, "minionize", "status")) if os.path.isabs(base) else None

    @staticmethod
    def is_worth(new: int, all: int) -> bool:
        """Tell whether so many bytes of events, of so many in all, are worth writing a copy anew."""
        return new >= max(SMALL, all // 50)

    def recall(self, reports: str, found: Sequence[tuple[str, os.stat_result]]) -> Kept | None:
        """Return what was kept of a report directory, whose files are ``found`` now; None where that holds no more."""
        with suppress(*_BROKEN):
            path = self._path(reports)
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
                _check_owner(stream)
                kept = _load(stream, reports, dict(found))
            os.utime(path)  # it was of use
            return kept
        return None

    def keep(self, reports: str, files: Sequence[File], ledger: Ledger, unreadable: int) -> None:
        """Write a copy, where that can be done."""
        ledger.settle()
        head = json.dumps(
            {**copied(ledger), "files": [_remembered(f, ledger) for f in files], "unreadable": unreadable}
        )
        blocks = [memoryview(head.encode()), *_columns(ledger)]
        size = sum(block.nbytes for block in blocks)
        if size > LARGEST or self._is_inside(reports):
            return
        with suppress(OSError):
            os.makedirs(self._directory, 0o700, exist_ok=True)
            self._make_room(size)
            with _replacing(self._path(reports)) as stream:
                stream.write(_first_line(blocks[0].nbytes, _sum(blocks)))
                stream.writelines(blocks)

    def _path(self, reports: str) -> str:
        """Name the copy after what the directory is, not after one of its paths."""
        found = os.stat(reports)
        return os.path.join(self._directory, f"{found.st_dev:x}-{found.st_ino:x}{_SUFFIX}")

    def _is_inside(self, reports: str) -> bool:
        return (os.path.realpath(self._directory) + os.sep).startswith(os.path.realpath(reports) + os.sep)

    def _make_room(self, size: int) -> None:
        """Remove what is old, and then what was not used for longest until there is room for so many bytes."""
        with os.scandir(self._directory) as entries:
            mine = [(e.stat(follow_symlinks=False), e.path) for e in entries if _SUFFIX in e.name]
        room, newest_first = LARGEST - size, sorted(mine, key=lambda entry: -entry[0].st_mtime)
        for found, path in newest_first:
            room -= found.st_size
            if room < 0 or time.time() - found.st_mtime > OLDEST:
                os.unlink(path)


def _check_owner(stream: BinaryIO) -> None:
    found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ValueError("others could have written it")


def _first_line(head: int, sum: int) -> bytes:
    return f"minionize-ledger {FORMAT} {__version__} {sys.byteorder} {head} {sum}\n".encode()


def _columns(ledger: Ledger) -> list[memoryview]:
    return [memoryview(getattr(ledger, name)) for name in COLUMNS]


def _sum(blocks: Sequence[memoryview]) -> int:
    sum = 0
    for block in blocks:
        sum = crc32(block, sum)
    return sum


@contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """Write a file that only its owner reads, and that is there whole or not at all."""
    temporary = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as stream:
            yield stream
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _load(stream: BinaryIO, reports: str, found: Mapping[str, os.stat_result]) -> Kept:
    """Read a copy; raises one of _BROKEN where it is none, or where the files are others by now."""
    first = stream.readline(200)
    length, sum = (int(word) for word in first.split()[-2:])
    if first != _first_line(length, sum):
        raise ValueError("it is of another version")
    head = stream.read(length)
    facts = json.loads(head)
    files = [_checked(row, reports, number, found) for number, row in enumerate(facts["files"])]
    ledger = Ledger()
    for name in COLUMNS:
        getattr(ledger, name).fromfile(stream, facts["rows"])
    if _sum([memoryview(head), *_columns(ledger)]) != sum or stream.read(1):
        raise ValueError("it is damaged")
    restored(ledger, facts)
    for file, row in zip(files, facts["files"], strict=True):
        file.minion = ledger.minions[row[-1]] if row[-1] is not None else None
    return Kept(ledger, files, facts["unreadable"])


def _remembered(file: File, ledger: Ledger) -> list[Any]:
    number = ledger.number_of(file.minion.uid) if file.minion else None
    return [os.path.basename(file.path), file.inode, file.mtime, file.offset, file.last, file.sum, number]


def _checked(row: Sequence[Any], reports: str, number: int, found: Mapping[str, os.stat_result]) -> File:
    """Make sure that what was read of a file is still there; raises ValueError or KeyError where it is not."""
    name, inode, mtime, offset, last, sum, _ = row
    now, file = found[name], File(os.path.join(reports, name), number, inode)
    file.mtime, file.offset, file.last, file.sum = mtime, offset, last, sum
    if now.st_ino != inode or now.st_size < offset:
        raise ValueError(f"{name} was replaced")
    # Left alone since then, it is what it was. Else it is opened: a copy made in its place would differ at its end.
    if (now.st_size, now.st_mtime_ns) != (offset, mtime):
        with open(file.path, "rb") as lines:
            if not file.goes_on(lines):
                raise ValueError(f"{name} was rewritten")
    return file
