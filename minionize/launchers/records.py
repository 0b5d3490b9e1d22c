"""What was launched: one file for each launch, in the user's own state directory, so that other shells can ask after it.

A file each, written aside and renamed into place: two launches at once need no lock, which a home on a network file system
may not have, and a file that cannot be read is one launch, not all of them. Passwords in addresses are masked, and nobody
else may read it.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from minionize.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from minionize.launchers.base import Handle

#: ``submitting``: it was about to be, and nobody has written since what came of it.
Stage = Literal["submitting", "launched"]
_SUFFIX = ".json"
#: What this version writes; a later one may write more.
_VERSION = 1


class Record(NamedTuple):
    """A launch: ``at`` in seconds since the epoch, ``handle`` as its launcher wrote it, ``reports`` where its events go."""

    id: str
    launcher: str
    name: str
    size: int
    at: float
    user: str
    host: str
    directory: str
    logs: str
    reports: str
    queue: str
    command: str
    stage: Stage = "submitting"
    handle: Handle = {}  # noqa: RUF012 - nobody changes it

    @property
    def job(self) -> str:
        """What people know it by."""
        return str(self.handle.get("job", ""))


#: What the fields are in a file that is a record.
_KINDS: dict[str, Any] = dict.fromkeys(Record._fields, str) | {"size": int, "at": (int, float), "handle": dict}


def new_id() -> str:
    """Draw the name of a launch: short enough to type, and not a word of digits that could be a job."""
    while os.path.exists(_path(id := "l" + os.urandom(3).hex())):
        pass
    return id


def home() -> str:
    """Name the directory of the records; raises UsageError where the user has no home."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # as its specification wants
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    if not os.path.isabs(state):
        raise UsageError(
            "there is no place to remember launches in: this user has no home.\n  Name one:  export HOME=/path"
        )
    return os.path.join(state, "minionize", "launches")


def _path(id: str) -> str:
    return os.path.join(home(), id + _SUFFIX)


def write(record: Record) -> None:
    """Write it, or write it anew; raises OSError where that cannot be done, and then what was there is still there."""
    directory = home()
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = _path(record.id)
    aside = f"{path}.{os.getpid()}"
    try:
        with open(aside, "x", encoding="utf-8", opener=_private) as stream:
            json.dump({"v": _VERSION, **record._asdict()}, stream, indent=1)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, path)
    except BaseException:
        forget_file(aside)
        raise


def forget(record: Record) -> None:
    """Take it back: nothing was launched."""
    forget_file(_path(record.id))


def forget_file(path: str) -> None:
    """Delete a file, if it is there."""
    try:
        os.unlink(path)
    except OSError:
        pass


def read_all() -> list[Record]:
    """Read all of them, the newest first; what cannot be read is left out."""
    try:
        names = os.listdir(home())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LaunchError(f"the records of launches cannot be read: {home()}: {error.strerror}") from error
    records = [read(os.path.join(home(), name)) for name in names if name.endswith(_SUFFIX)]
    return sorted((record for record in records if record), key=lambda record: -record.at)


def read(path: str) -> Record | None:
    """Read one; None where it is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            values = json.load(stream)
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or not all(isinstance(values.get(name), kind) for name, kind in _KINDS.items()):
        return None
    known: dict[str, Any] = {name: values[name] for name in Record._fields}
    return Record(**known)


def find(said: str) -> Record:
    """Find a launch by its id, the beginning of that, its name, or what its scheduler calls it.

    Raises UsageError where there is none, or where the beginning of an id is that of several.
    """
    records = read_all()
    exact = [record for record in records if said in (record.id, record.job)]
    begin = [record for record in records if said and record.id.startswith(said)]
    named = [record for record in records if record.name == said]
    for found in (exact, begin, named):
        if len(found) > 1:
            several = "\n".join(f"  {record.id}  {when(record.at)}  {record.directory}" for record in found[:20])
            raise UsageError(f"{said} is more than one launch; name one by its id:\n{several}")
        if found:
            return found[0]
    raise UsageError(f"there is no launch {said}.\n  See them:  minion-launch list")


def when(at: float) -> str:
    """Write a time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
