"""A put to a server, collected before the first task is sent: a source that fails, or a param too large, adds nothing."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from minionize.errors import BadParam, EngineError, EngineUnavailable
from minionize.model import NewTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

#: Bytes of the longest id.
LONGEST_NAME = 1024
#: Bytes of a put that are collected in memory; beyond, on disk.
_IN_MEMORY = 1 << 23


def bytes_of(text: str) -> bytes:
    """Write a text; a param may hold half of a surrogate pair, which is no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def text_of(raw: bytes) -> str:
    """Read what :func:`bytes_of` wrote."""
    return raw.decode("utf-8", "surrogatepass")


def is_name(id: bytes) -> bool:
    """Whether a task may be called so; what anybody may have written is not."""
    return 0 < len(id) <= LONGEST_NAME and min(id) >= 32 and 127 not in id


class Staged:
    """The tasks of a put, which can be gone through once they are all there."""

    def __init__(self, new: Iterable[NewTask], limit: int, engine: str) -> None:
        """Collect them; raises BadParam where a param has more than ``limit`` bytes, or an id is none."""
        self._limit, self._engine = limit, engine
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="minionize-put-")  # noqa: SIM115
        self.total = 0
        try:
            for task in new:
                self._add(task)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Delete them."""
        self._file.close()

    def __iter__(self) -> Iterator[NewTask]:
        """Read them back."""
        file = self._file
        file.seek(0)
        for head in iter(file.readline, b""):
            id_size, param_size, attempt, crashes, due = head.split()
            id, param = text_of(file.read(int(id_size))), text_of(file.read(int(param_size)))
            yield NewTask(id, param, int(attempt), int(crashes), float(due))

    def broke_off(self, error: EngineUnavailable, added: int, advice: str) -> EngineUnavailable:
        """Say how far the put came before the server failed, and what to do about it."""
        if not added:
            return EngineUnavailable(f"{error}\n  none of {self.total} params was added")
        return EngineUnavailable(f"{error}\n  {added} of {self.total} params were added, if not a few more. {advice}")

    def _add(self, task: NewTask) -> None:
        id, param = bytes_of(task.id), bytes_of(task.param)
        if len(param) > self._limit:
            raise BadParam(
                f"the param of task {task.id} has {len(param)} bytes, and the {self._engine} engine takes {self._limit} at most.\n"
                f"  Put its content into a file that all machines see, and the file's name into the queue."
            )
        if not is_name(id):
            raise BadParam(
                f"a task cannot be called {task.id[:100]!r}: its id is empty, too long or has control characters"
            )
        head = f"{len(id)} {len(param)} {task.attempt} {task.crashes} {task.due!r}\n"
        try:
            self._file.write(head.encode() + id + param)
        except OSError as error:
            raise EngineError(
                f"this put cannot be collected in {tempfile.gettempdir()} before it is sent: {error}. Nothing was added.\n"
                f"  Name a directory with more room:  TMPDIR=/path/to/it"
            ) from error
        self.total += 1
