"""A file that is no queue of ours, or that we may not write: a clear error, and not a byte is changed."""

from __future__ import annotations

import os
import sqlite3
import sys

import pytest
from harness import read_bytes, wait_for_lines, wait_until

from minionize.engines.sqlite.schema import APPLICATION_ID, VERSION

#: Who works, who fills, and who only looks.
WHO = [("minionize", ["true"]), ("minion-queue", ["put", "1..3"])]
LOOKER = ("minion-queue", ["show"])


def run(camp, command, arguments, **options):
    """Run one of the commands."""
    return (camp.minion if command == "minionize" else camp.queue)(*arguments, **options)


def database(path, *statements):
    """Make an SQLite file."""
    with sqlite3.connect(path, isolation_level=None) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def refused(camp, who, *words):
    """See that a command leaves with 2 and says why, and the queue's file is what it was."""
    before = read_bytes(camp.queue_path)
    process = run(camp, *who)
    assert process.code() == 2, process.err
    for word in words:
        assert word in process.err
    assert "Traceback" not in process.err
    assert read_bytes(camp.queue_path) == before
    assert {name for name in os.listdir(camp.path) if name.startswith("minion-queue.db")} <= {
        "minion-queue.db",
        "minion-queue.db-lock",
    }


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("content", [b"a line\n" * 1000, b"short", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_left_alone(camp, who, content):
    """It may be somebody's data."""
    with open(camp.queue_path, "wb") as file:
        file.write(content)
    refused(camp, who, "minion-queue.db", "is not a queue")


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_database_of_another_program_is_left_alone(camp, who, journal):
    """It is somebody's data."""
    database(camp.queue_path, f"PRAGMA journal_mode = {journal}", "CREATE TABLE mine(x)", "INSERT INTO mine VALUES(42)")
    refused(camp, who, "minion-queue.db is not a queue of minionize", "left as it is")
    with sqlite3.connect(camp.queue_path) as db:
        assert db.execute("SELECT x FROM mine").fetchall() == [(42,)]
    db.close()


@pytest.mark.parametrize("who", [*WHO, LOOKER])
def test_a_queue_of_a_newer_version_is_left_alone(camp, who):
    """The message names both versions, and what to type."""
    camp.put("1..3")
    database(camp.queue_path, f"PRAGMA user_version = {VERSION + 1}")
    refused(camp, who, f"schema {VERSION + 1}, this one knows {VERSION}", "pip install --upgrade minionize")


@pytest.mark.parametrize("who", WHO)
def test_an_application_id_without_tables_is_no_queue(camp, who):
    """A file that only says that it is a queue."""
    database(camp.queue_path, f"PRAGMA application_id = {APPLICATION_ID}")
    process = run(camp, *who)
    assert process.code() == 2, process.err
    assert "minion-queue.db" in process.err
    assert "Traceback" not in process.err


def test_a_damaged_queue_is_an_error_that_says_so(camp):
    """Not a crash, and not an empty queue."""
    camp.put("1..2000")
    with open(camp.queue_path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (os.path.getsize(camp.queue_path) - 4096))
    minion = camp.minion("true")
    assert minion.code() == 2, minion.err
    assert "minion-queue.db is damaged" in minion.err
    assert "Traceback" not in minion.err


@pytest.mark.parametrize("who", WHO)
def test_a_directory_is_no_queue(camp, who):
    """Its name was taken for that of a file."""
    os.mkdir(camp.queue_path)
    process = run(camp, *who)
    assert process.code() == 2, process.err
    assert "minion-queue.db" in process.err
    assert os.listdir(camp.queue_path) == []


@pytest.mark.parametrize("who", [WHO[0], LOOKER])
@pytest.mark.parametrize("content", [b"", b"\n", None])
def test_what_is_empty_is_no_queue(camp, who, content):
    """No file, none of a byte, and no database without a table is made one by somebody who only looks or works."""
    if content is None:
        database(camp.queue_path, "CREATE TABLE t(x)", "DROP TABLE t")
    else:
        (camp.path / "minion-queue.db").write_bytes(content)
    refused(camp, who, "there is no queue at minion-queue.db", "minion-queue put")


def test_a_put_makes_a_queue_of_an_empty_file(camp):
    """As ``mktemp`` leaves one."""
    with open(camp.queue_path, "wb"):
        pass
    assert "3 added" in camp.put("1..3")


def test_a_put_into_a_directory_that_is_not_there_says_so(camp):
    """Nothing is made."""
    put = camp.queue("put", "1", variables={"SQLITE_PATH": "nowhere/queue.db"})
    assert put.code() == 2
    assert "nowhere/queue.db" in put.err
    assert not (camp.path / "nowhere").exists()


#: Runs a command as a user who owns nothing here. All is imported before: he may not even read the interpreter's files.
STRANGER = """
import importlib, os, pkgutil, sys
import email.message, json, shlex, tempfile, traceback, typing
import minionize
for module in pkgutil.walk_packages(minionize.__path__, "minionize."):
    if not module.name.endswith("__main__") and "testing" not in module.name:
        importlib.import_module(module.name)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(importlib.import_module(sys.argv[1]).main(sys.argv[2:]))
"""


@pytest.fixture
def as_stranger(camp):
    """Run a command as somebody else, to whom the way to the camp is open."""
    path = camp.path
    while os.geteuid() == 0 and path != path.parent:
        path.chmod(path.stat().st_mode | 0o011)
        path = path.parent

    def run(who):
        module = "minionize.cli.minionize" if who[0] == "minionize" else "minionize.cli.queue"
        return camp.start(sys.executable, "-c", STRANGER, module, *who[1])

    return run


@pytest.mark.parametrize("who", WHO)
def test_a_queue_that_may_only_be_read_is_an_error(camp, as_stranger, who):
    """The file is neither written nor replaced."""
    camp.put("1..3")
    os.chmod(camp.path, 0o777)
    os.chmod(camp.path / "scratch", 0o777)
    os.chmod(camp.queue_path, 0o444)
    os.chmod(camp.queue_path + "-lock", 0o666)
    before = read_bytes(camp.queue_path)
    process = as_stranger(who)
    assert process.code() == 2, process.err
    assert "the queue minion-queue.db" in process.err
    assert "be written" in process.err or "yours to write" in process.err
    assert "Traceback" not in process.err
    assert read_bytes(camp.queue_path) == before


@pytest.mark.parametrize("who", WHO)
def test_a_queue_in_a_directory_that_may_only_be_read_is_an_error(camp, as_stranger, who):
    """SQLite needs its journal beside the file, and we our lock."""
    camp.put("1..3")
    os.chmod(camp.path, 0o555)
    os.chmod(camp.queue_path, 0o444)
    os.chmod(camp.queue_path + "-lock", 0o444)
    before = read_bytes(camp.queue_path)
    process = as_stranger(who)
    os.chmod(camp.path, 0o755)
    assert process.code() == 2, process.err
    assert "cannot open the queue minion-queue.db: Permission denied: minion-queue.db-lock" in process.err
    assert "Traceback" not in process.err
    assert read_bytes(camp.queue_path) == before


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_queue_that_is_deleted_under_a_minion_ends_it_with_an_error(camp, what):
    """Going on would be work for nothing: what it settled nobody would know."""
    command = camp.script("command", "echo >> ran; read _ < gate")
    camp.gate()
    camp.put("1..3")
    minion = camp.minion("--lease", "0.3s", command)
    wait_for_lines(camp.ran, 1)
    for suffix in ("", "-wal", "-shm"):
        os.unlink(camp.queue_path + suffix)
    if what == "replaced":
        camp.put("1..3")
    assert minion.code() == 2, minion.err
    assert "the queue minion-queue.db was deleted or replaced under this minion" in minion.err


def test_short_tasks_do_not_hide_that_the_queue_is_gone(camp):
    """Nobody waits for a renewal to notice: a settlement that nobody will ever see is an error."""
    gate = camp.gate()
    command = camp.script("command", "echo >> ran; read _ < gate")
    camp.put("1..3")
    minion = camp.minion("--lease", "1h", command)
    wait_for_lines(camp.ran, 1)
    os.unlink(camp.queue_path)
    gate.open()
    assert minion.code() == 2, minion.err
    assert "deleted or replaced" in minion.err


def test_an_idle_minion_notices_that_the_queue_is_gone(camp):
    """It would wait for ever for tasks that nobody can put."""
    command = camp.script("command", "echo >> ran")
    camp.put("1")
    minion = camp.minion("--service", command)
    wait_until(lambda: camp.counts().done == 1, "the task is done")
    os.unlink(camp.queue_path)
    assert minion.code() == 2, minion.err
    assert "deleted or replaced" in minion.err
