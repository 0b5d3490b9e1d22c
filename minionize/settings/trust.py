"""Whose files are believed: ``.env`` and ``.minionize.yml`` say what runs, and anybody can leave one in a directory like ``/tmp``."""

from __future__ import annotations

import os
from stat import S_IWOTH

#: Why one is not.
STRANGE = "anybody may write in that directory, and the file is not yours: it says what to run"


def is_strange(path: str, found: os.stat_result) -> bool:
    """Tell whether a stranger may have left a file, or the link to one; ``found`` is what the open file is.

    Where only its owner may write, whoever comes there came for what he has left.
    """
    directory = os.stat(os.path.dirname(path) or ".")
    if not directory.st_mode & S_IWOTH:
        return False
    return not {found.st_uid, os.lstat(path).st_uid} <= {0, os.geteuid(), directory.st_uid}
