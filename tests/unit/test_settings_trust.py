"""Files of settings that a stranger may have left: they decide what we run."""

from __future__ import annotations

import os

import pytest

from minionize.errors import UsageError
from minionize.settings import load
from minionize.settings import table as t
from minionize.settings.trust import is_strange

#: A user who is neither root nor whoever runs the tests.
STRANGER = 12345
FILES = {".env": "MINION_SLOTS=2\n", ".minionize.yml": "slots: 2\n"}


@pytest.fixture(params=FILES)
def path(request, tmp_path):
    """Return one of the files."""
    (tmp_path / request.param).write_text(FILES[request.param])
    return tmp_path / request.param


def of_a_stranger(path):
    """Return what is known of a file, but for its owner."""
    found = list(os.stat(path))
    found[4] = STRANGER
    return os.stat_result(found)


def test_a_stranger_is_believed_only_where_no_others_may_leave_files(path):
    """In a directory of their own it is what we came for; in /tmp, say, it is not."""
    assert not is_strange(str(path), of_a_stranger(path))
    path.parent.chmod(0o1777)
    assert is_strange(str(path), of_a_stranger(path))
    assert not is_strange(str(path), os.stat(path))
    assert load({}, {}, str(path.parent))[t.SLOTS_] == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("linked", [False, True])
def test_what_a_stranger_has_left_is_refused(path, tmp_path, linked):
    """A file, or a link to one of ours; whichever the system itself lets us read."""
    path.parent.chmod(0o777)
    if linked:
        ours = tmp_path / "ours"
        path.rename(ours)
        path.symlink_to(ours)
    os.lchown(path, STRANGER, STRANGER)
    with pytest.raises(
        UsageError, match=rf"^cannot read {path}: anybody may write in that directory, and the file is not yours"
    ):
        load({}, {}, str(path.parent))
