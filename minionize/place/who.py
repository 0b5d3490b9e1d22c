"""Who is this process: enough for another one to tell later whether it still lives."""

from __future__ import annotations

import os

from minionize.model import Identity
from minionize.place.files import read
from minionize.processes import start_time


def identity(uid: str | None = None, preemptible: bool = False) -> Identity:
    """Say who this process is; a new ``uid`` (12 hexadecimal digits) is drawn where none is given."""
    pid = os.getpid()
    return Identity(
        uid=uid or os.urandom(6).hex(),
        host=os.uname().nodename,
        pid=pid,
        start=start_time(pid) or 0,
        boot=read("/proc/sys/kernel/random/boot_id").strip(),
        namespace=_link("/proc/self/ns/pid"),
        preemptible=preemptible,
    )


def scratch(uid: str) -> str:
    """Name the directory in which a minion keeps the files that pass between it and its tasks."""
    return os.path.join(os.environ.get("TMPDIR") or "/tmp", f"minionize-{uid}")  # noqa: S108


def user() -> str:
    """Name the user, for others to know whom to ask; a container's user may have no name but a number."""
    from pwd import getpwuid

    try:
        return os.environ.get("USER") or getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def here() -> str:
    """Name the current directory, for messages; it may have been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return "a directory that was deleted"
