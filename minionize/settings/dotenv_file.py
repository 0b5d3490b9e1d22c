"""The ``.env`` file of a directory, read with python-dotenv, which is imported only where there is such a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from minionize.errors import UsageError
from minionize.settings.trust import STRANGE, is_strange

if TYPE_CHECKING:
    from logging import LogRecord


class DotEnv(NamedTuple):
    """What a ``.env`` file says, the name under which people know it, and what is wrong with it."""

    values: dict[str, str]
    path: str
    warnings: tuple[str, ...] = ()


def read_dotenv(directory: str) -> DotEnv:
    """Read ``.env`` in the directory; raises UsageError where it is there and cannot be read.

    A directory of that name is somebody's virtual environment, not ours. Nothing is exported to ``os.environ``.
    """
    path = os.path.join(directory, ".env")
    try:
        # utf-8-sig: editors of other systems put a mark in front, which would become part of the first name.
        with open(path, encoding="utf-8-sig") as stream:
            if is_strange(path, os.fstat(stream.fileno())):
                raise _unreadable(path, STRANGE)
            text = stream.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return DotEnv({}, path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"it is not UTF-8 ({error.reason})"
        raise _unreadable(path, why) from error
    return _parse(text, path)


def _unreadable(path: str, why: str | None) -> UsageError:
    return UsageError(
        f"cannot read {path}: {why}\n  Settings may stand there. Repair it, move it away, or go elsewhere"
    )


def _parse(text: str, path: str) -> DotEnv:
    import io
    import logging

    from dotenv import dotenv_values

    heard: list[str] = []

    def hear(record: LogRecord) -> bool:
        heard.append(f"{path}: {record.getMessage()}")
        return False

    # A line that python-dotenv cannot read is said to its log only, without the file's name: say it in our words.
    log = logging.getLogger("dotenv.main")
    log.addFilter(hear)
    try:
        found = dotenv_values(stream=io.StringIO(text))
    finally:
        log.removeFilter(hear)
    return DotEnv({name: value for name, value in found.items() if value is not None}, path, tuple(heard))
