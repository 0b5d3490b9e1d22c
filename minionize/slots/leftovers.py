"""Scratch directories of minions that were killed together with their wardens, as a scheduler does by a SIGKILL to a whole job.

A minion holds a lock on its directory for as long as it lives; whoever gets that lock of an old one may remove it.
"""

from __future__ import annotations

import fcntl
import os
import re
import time

#: Seconds that a directory is left alone after its last change: its minion may be about to lock it.
_YOUNG = 60.0
_OURS = re.compile(r"minionize-[0-9a-f]{12}")


def hold(directory: int) -> None:
    """Say that the minion of this directory, an open file, lives, until it is closed."""
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # where there are no locks nothing is swept


def sweep(beside: str) -> None:
    """Remove the directories of this user's dead minions that are where this one is."""
    try:
        with os.scandir(os.path.dirname(beside)) as entries:
            found = [entry for entry in entries if _OURS.fullmatch(entry.name)]
    except OSError:
        return
    for entry in found:
        try:
            stat = entry.stat(follow_symlinks=False)
            if stat.st_uid == os.geteuid() and not -_YOUNG < time.time() - stat.st_mtime < _YOUNG:
                _sweep(entry.path)
        except OSError:
            pass


def _sweep(path: str) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    finally:
        os.close(directory)


def remove(directory: str) -> None:
    """Remove a minion's scratch directory: files only, one deep; what is no file stays."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for path in (*(os.path.join(directory, name) for name in names), directory):
        try:
            (os.rmdir if path == directory else os.unlink)(path)
        except OSError:
            pass
