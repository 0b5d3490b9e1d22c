"""A ParamSweeper's files are pickles, that is programs: those that others may have written are not read."""

from __future__ import annotations

import grp
import os
import pwd
import traceback
from types import SimpleNamespace

import pytest
from execo_sweeps import sweeps_fixture  # noqa: F401 - a fixture

from minionize.engines.execo import directory
from minionize.errors import EngineError, EngineUnavailable, NoQueue

#: A user and a group that are neither ours nor root's.
OTHER = 65533
IS_ROOT = os.geteuid() == 0


def without_privileges(act):
    """Run ``act`` in a process of a user who is not root, to whom permissions mean something."""
    pid = os.fork()
    if pid == 0:
        try:
            if IS_ROOT:
                os.setgroups([])
                os.setgid(OTHER)
                os.setuid(OTHER)
            act()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - it is a process of its own
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def refused(sweeps, words):
    """Require that opening is refused, for good, with these words, and nothing was written."""
    before = sweeps.content()
    with pytest.raises(EngineError, match=words) as caught:
        sweeps.open()
    assert caught.value.exit_code == 2
    assert sweeps.content() == before
    return str(caught.value)


def test_a_directory_that_everybody_can_write_is_refused(sweeps):
    """With the reason, and what to type."""
    sweeps.make(range(3))
    os.chmod(sweeps.path, 0o777)
    said = refused(sweeps, "can be written by everybody")
    assert "pickles" in said
    assert f"chmod -R go-w {sweeps.path}" in said


@pytest.mark.parametrize("name", ["sweeps", "done", "inprogress"])
def test_a_file_that_everybody_can_write_is_refused(sweeps, name):
    """Each of the three is read as a pickle."""
    sweeps.make(range(3))
    os.chmod(sweeps.file(name), 0o666)
    assert sweeps.file(name) in refused(sweeps, "can be written by everybody")


def test_a_directory_that_a_group_can_write_is_refused(sweeps, monkeypatch):
    """Unless it is the group that its owner has for himself."""
    sweeps.make(range(3))
    os.chmod(sweeps.path, 0o775)
    me = pwd.getpwuid(os.geteuid())
    crowd = SimpleNamespace(gr_name="crowd", gr_gid=me.pw_gid, gr_mem=[])
    monkeypatch.setattr(grp, "getgrgid", lambda gid: crowd)
    refused(sweeps, "can be written by the group crowd")
    friends = SimpleNamespace(gr_name=me.pw_name, gr_gid=me.pw_gid, gr_mem=[me.pw_name, "friend"])
    monkeypatch.setattr(grp, "getgrgid", lambda gid: friends)
    refused(sweeps, "can be written by the group")
    private = SimpleNamespace(gr_name=me.pw_name, gr_gid=me.pw_gid, gr_mem=[me.pw_name])
    monkeypatch.setattr(grp, "getgrgid", lambda gid: private)
    assert sweeps.open().counts().pending == 3


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(sweeps):
    """Root reads what root made."""
    sweeps.make(range(3))
    os.chown(sweeps.path, OTHER, OTHER)
    refused(sweeps, f"belongs to another user .{OTHER}.")
    os.chown(sweeps.path, 0, 0)
    os.chown(sweeps.file("done"), OTHER, OTHER)
    refused(sweeps, "belongs to another user")


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o077])
def test_what_we_make_is_ours_to_write_only(sweeps, mask):
    """Whatever the umask says."""
    before = os.umask(mask)
    try:
        engine = sweeps.open(create=True)
        engine.put([])
        sweeps.open("b").close()
    finally:
        os.umask(before)
    paths = [sweeps.path, *map(sweeps.file, ("sweeps", "done", "inprogress", "minionize.journal"))]
    assert [path for path in paths if os.stat(path).st_mode & 0o022] == []


def test_a_directory_that_is_read_only_says_so(sweeps, tmp_path):
    """Also who only looks must be able to take the lock."""
    sweeps.make(range(3))
    for path in (*map(sweeps.file, os.listdir(sweeps.path)), sweeps.path):
        if IS_ROOT:
            os.chown(path, OTHER, OTHER)
        os.chmod(path, 0o555 if path == sweeps.path else 0o444)
    if IS_ROOT:
        for path in (tmp_path, *tmp_path.parents):
            if not os.stat(path).st_mode & 0o001:
                os.chmod(path, 0o755)

    def look():
        with pytest.raises(EngineError, match="is not yours to read and write"):
            directory.check(sweeps.path)

    without_privileges(look)


def test_what_is_no_paramsweeper_is_left_alone(tmp_path, sweeps):
    """A directory of something else, one without a list, a file, nothing: each says what it is and how to go on."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    unsaved = tmp_path / "unsaved"
    unsaved.mkdir()
    (unsaved / "done").write_bytes(b"x")
    file = tmp_path / "file"
    file.write_text("x")
    for path, words, error in (
        (other, "holds thesis.tex, and no sweeps", NoQueue),
        (unsaved, "save_sweeps=True", NoQueue),
        (file, "is no directory", EngineError),
    ):
        sweeps.path = str(path)
        for create in (False, True):
            with pytest.raises(error, match=words):
                sweeps.open(create=create)
    assert os.listdir(other) == ["thesis.tex"]
    assert os.listdir(unsaved) == ["done"]


def test_nothing_there_is_no_queue_and_makes_none(sweeps, tmp_path):
    """Nor does an empty directory become one by looking."""
    with pytest.raises(NoQueue, match="minion-queue put"):
        sweeps.open()
    assert os.listdir(tmp_path) == []
    os.mkdir(sweeps.path)
    with pytest.raises(NoQueue):
        sweeps.open()
    assert os.listdir(sweeps.path) == []
    sweeps.path += "/no/such/place"
    with pytest.raises(EngineError, match="there is no directory"):
        sweeps.open(create=True)


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        ("ESTALE", EngineUnavailable, 69),
        ("ENOTCONN", EngineUnavailable, 69),
        ("EIO", EngineUnavailable, 69),
        ("EACCES", EngineError, 2),
    ],
)
def test_a_file_system_that_does_not_answer_may_come_back(sweeps, monkeypatch, number, error, code):
    """A mount that is away is waited for; one that is forbidden is not."""
    import errno

    def away(path):
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)), path)

    monkeypatch.setattr(directory.os, "stat", away)
    with pytest.raises(error) as caught:
        directory.check(sweeps.path)
    assert caught.value.exit_code == code
    assert os.strerror(getattr(errno, number)) in str(caught.value)


def test_a_network_file_system_is_warned_of(monkeypatch, sweeps):
    """With what was measured there; a local one says nothing."""
    sweeps.make(range(3))
    assert sweeps.open("a").notes == ()
    monkeypatch.setattr("minionize.place.filesystem", lambda path: "fuse.glusterfs")
    (note,) = sweeps.open("b").notes
    assert "fuse.glusterfs" in note
    assert "600 params twice" in note
