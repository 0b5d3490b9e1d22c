"""Whether a directory is a ParamSweeper's, and may be trusted.

What is in its files are pickles, and a pickle is a program: who can write there can run what he likes as whoever reads it.
"""

from __future__ import annotations

import errno
import os
import stat

from minionize import place
from minionize.errors import EngineError, EngineUnavailable, NoQueue

#: Files that are read as pickles.
_PICKLES = ("sweeps", "done", "inprogress")
#: What a file system says that is not there now, and may be again.
_AWAY = frozenset(
    (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EREMOTEIO)
)
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOLCK))


def check(path: str) -> bool:
    """Tell whether there is a sweep, having made sure that only we write it; raises EngineError, EngineUnavailable."""
    with Translated(path):
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(status.st_mode):
            raise EngineError(f"{path} is no directory, so it cannot be that of a ParamSweeper. It was left as it is.")
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise EngineError(
                f"the directory {path} cannot be used: it is not yours to read and write, and even who only looks must"
                f" take its lock.\n  Its owner may let you in, or make a copy:  cp -r {path} /tmp/sweeps"
            )
        names = set(os.listdir(path))
        if "sweeps" not in names and not any(_has_content(path, name) for name in names):
            return False  # empty, or somebody is just making one
        if "sweeps" not in names:
            raise _no_sweeps(path, names)
        _trust(path, status, path)
        for name in _PICKLES:
            if name in names:
                _trust(os.path.join(path, name), os.stat(os.path.join(path, name)), path)
        return True


def make(path: str) -> None:
    """Make a directory for a ParamSweeper, whatever the umask: others may look, and not write."""
    with Translated(path):
        parent = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(parent):
            raise EngineError(f"cannot make the queue {path}: there is no directory {parent}.")
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            pass
        for name in _PICKLES[1:]:
            os.close(os.open(os.path.join(path, name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def no_queue(path: str) -> NoQueue:
    """Say that there is nothing, and how to make it."""
    return NoQueue(
        f"there is no ParamSweeper at {path} (in {place.here()}).\n"
        f"  Make one:   MINION_ENGINE=execo minion-queue put seed=1..10     or point to it:"
        f"  EXECO_PERSISTENCE_DIR=/path/to/sweeps"
    )


def notes(path: str) -> tuple[str, ...]:
    """Say what is to be known of where the directory is."""
    kind = place.filesystem(path)
    if place.is_local(kind):
        return ()
    note = (
        f"{path} is on a {kind} file system. A ParamSweeper is right only where the locks and the caches of all machines"
        " agree, which none of them can tell: on GlusterFS as it comes, two machines ran 200 to 300 of 600 params twice;"
        " on MooseFS and CephFS none. MINION_ENGINE=spool is right on all of them."
    )
    return (note,)


class Translated:
    """The one place where errors of the file system become ours."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        """Remember the directory that errors should name."""
        self.path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate an OSError."""
        if not isinstance(error, OSError):
            return
        words = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        if error.errno in _AWAY or error.errno in _FULL:
            hint = " Make room there." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise EngineUnavailable(f"the queue {self.path} cannot be used now: {words}.{hint}") from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NoQueue(f"the queue {self.path} was deleted or replaced under this minion: {words}.") from error
        raise EngineError(f"the queue {self.path} cannot be used: {words}.") from error


def _has_content(path: str, name: str) -> bool:
    return name not in (*_PICKLES, "minionize.lock", "minionize.new") or (
        name in _PICKLES and os.path.getsize(os.path.join(path, name)) > 0
    )


def _no_sweeps(path: str, names: set[str]) -> EngineError:
    if names & {"done", "inprogress"}:
        return NoQueue(
            f"the ParamSweeper in {path} keeps no list of what there is to run: it was made without save_sweeps=True.\n"
            f"  Make it anew, what is done stays done:  ParamSweeper({path!r}, sweeps=..., save_sweeps=True)"
        )
    shown = ", ".join(sorted(names)[:3])
    return NoQueue(f"{path} is no directory of a ParamSweeper: it holds {shown}, and no sweeps. It was left as it is.")


def _trust(path: str, status: os.stat_result, directory: str) -> None:
    """Raise EngineError where somebody else may have written this."""
    who = ""
    if status.st_uid not in (0, os.geteuid()):
        who = f"belongs to another user ({_user(status.st_uid)})"
    elif status.st_mode & stat.S_IWOTH:
        who = "can be written by everybody"
    elif status.st_mode & stat.S_IWGRP and not _is_private(path, status):
        who = f"can be written by the group {_group(status.st_gid)}"
    if who:
        cure = f"\n  chmod -R go-w {directory}" if status.st_uid == os.geteuid() else ""
        raise EngineError(
            f"{path} {who}. A ParamSweeper's files are pickles, that is programs: who can write them can run anything as"
            f" you. It was not read.{cure}"
        )


def _is_private(path: str, status: os.stat_result) -> bool:
    """Whether the group that may write is one that its owner has for himself, as many systems make them (umask 002)."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
        if "system.posix_acl_access" in os.listxattr(path):  # then those bits speak of others too
            return False
    except (KeyError, OSError):
        return False
    return group.gr_gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
