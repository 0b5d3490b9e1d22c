"""Where ``minion-status --html`` puts its page: a file that is there whole or not at all, or standard output."""

from __future__ import annotations

import os
import sys

from minionize.errors import UsageError


def put(page: str, where: str) -> list[str]:
    """Write the page and return what to say about it; raises UsageError where it cannot be written. ``-`` is standard output."""
    data = page.encode()
    if where == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)  # UTF-8, as it says of itself, whatever the terminal is
        return []
    try:
        _write(os.path.realpath(where), data)
    except OSError as error:
        raise UsageError(
            f"cannot write {where}: {error.strerror}\n  Give another file, or - for standard output"
        ) from None
    return [f"{where}: {max(1, round(len(data) / 1000))} kB"]


def _write(path: str, data: bytes) -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe is not to be replaced
        with open(path, "wb") as file:
            file.write(data)
        return
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
