"""The files that pass between a minion and a task: a param too large for a variable, and the task's result."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from minionize.errors import UsageError
from minionize.slots.leftovers import hold

if TYPE_CHECKING:
    from collections.abc import MutableMapping

#: Bytes of a param's JSON text above which the child gets it in a file.
LARGEST_VARIABLE = 65536
#: Bytes of a result file that are kept.
LARGEST_RESULT = 65536

#: Nanoseconds after which the clock of a file system has moved on for certain.
_TICK = 50_000_000
_RESULT, _PARAM = b".result", b".param"


class Scratch:
    """A directory of the minion's own. Every execution has another stem in it: what writes late meets nobody's file."""

    def __init__(self, directory: str) -> None:
        """Make the directory; raises UsageError where that cannot be done."""
        try:
            os.mkdir(directory, 0o700)  # one that is there already is not ours
        except OSError as error:
            raise UsageError(
                f"cannot make the directory {directory}: {error.strerror}.\n  Elsewhere:  TMPDIR=/path"
            ) from error
        self._prefix = os.fsencode(directory) + b"/"
        self._count = 0
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        hold(self._directory)
        self._untouched = 0  # a time of change of the directory, at which we know that it is empty

    def begin(self, text: bytes, environment: MutableMapping[bytes, bytes]) -> bytes:
        """Name, in the environment of a child, where its param is and its result goes; returns the stem of both."""
        self._count += 1
        stem = b"%b%d" % (self._prefix, self._count)
        environment[b"MINION_RESULT_FILE"] = stem + _RESULT
        if len(text) <= LARGEST_VARIABLE:
            environment[b"MINION_PARAM"] = text
            environment.pop(b"MINION_PARAM_FILE", None)
        else:
            environment[b"MINION_PARAM_FILE"] = stem + _PARAM
            environment.pop(b"MINION_PARAM", None)
            try:
                with open(stem + _PARAM, "wb") as file:
                    file.write(text)
            except OSError:
                _unlink(stem + _PARAM)
                raise
        return stem

    def end(self, stem: bytes, param: str) -> str | None:
        """Read what a task left in its result file, as JSON text; and remove its files."""
        if len(param) > LARGEST_VARIABLE // 4:  # in bytes it may be four times as long
            _unlink(stem + _PARAM)
        path = stem + _RESULT
        changed = os.fstat(self._directory).st_mtime_ns
        if changed == self._untouched:
            return None  # most tasks leave nothing, and looking up a name that is not there is dear
        if not os.access(path, os.F_OK):
            if time.time_ns() - changed > _TICK and not os.listdir(self._directory):
                self._untouched = changed  # what is made from now on, by any task, changes it
            return None
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            data = os.read(fd, LARGEST_RESULT + 1)
        except OSError:
            data = b""
        finally:
            os.close(fd)
            _unlink(path)
        return _json(data)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._directory)


def _json(data: bytes) -> str | None:
    """Make JSON text of a result: it is JSON, or else text; a longer one than is kept is cut."""
    from minionize.errors import BadParam
    from minionize.params.jsontext import encode, parse

    if not data.strip():
        return None
    text = data[:LARGEST_RESULT].decode("utf-8", "replace")
    if len(data) > LARGEST_RESULT and text.lstrip()[:1] in ("{", "["):  # half of it would be worse than none
        return encode(f"a result of over {LARGEST_RESULT} bytes was left out")
    if len(data) <= LARGEST_RESULT:
        try:
            return parse(text.strip())
        except BadParam:
            pass
    return encode(text)


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
