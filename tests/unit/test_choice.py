"""Which engine a minion takes where nobody said so."""

from __future__ import annotations

import os

import pytest

from minionize import place
from minionize.choice import engine_name
from minionize.errors import UsageError
from minionize.settings import load


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Begin in an empty directory, on a local file system."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(place, "filesystem", lambda path: "ext4")


def sweeper(path):
    """Make what looks like the directory of a ParamSweeper."""
    os.mkdir(path)
    for name in ("sweeps", "done", "inprogress"):
        with open(os.path.join(path, name), "wb"):
            pass


def choose(**environ):
    """Choose with these variables set."""
    return engine_name(load(environ=environ))


def test_the_named_one_wins():
    """A name decides, whatever lies around."""
    os.mkdir("minion-queue.d")
    assert choose(MINION_ENGINE="redis") == "redis"


def test_an_empty_local_directory_gets_sqlite():
    """On a local disk the embedded queue is the fastest."""
    assert choose() == "sqlite"


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "fuse.glusterfs", "what nobody knows"])
def test_a_network_file_system_gets_a_spool(monkeypatch, kind):
    """Where several machines may write, only the spool is safe."""
    monkeypatch.setattr(place, "filesystem", lambda path: kind)
    assert choose() == "spool"


def test_the_queue_that_is_here_is_taken(monkeypatch):
    """A queue that is already there is the one that is meant, on any file system."""
    os.mkdir("minion-queue.d")
    assert choose() == "spool"
    os.rmdir("minion-queue.d")
    sweeper("sweeps")
    assert choose() == "execo"
    monkeypatch.setattr(place, "filesystem", lambda path: "nfs4")
    assert choose() == "execo"


def test_two_queues_are_an_error_that_names_both():
    """Nobody can say which is meant, so both are named, and what to type."""
    os.mkdir("minion-queue.d")
    with open("minion-queue.db", "wb"):
        pass
    with pytest.raises(
        UsageError, match=r"minion-queue\.db \(sqlite\) and minion-queue\.d \(spool\)(.|\n)*MINION_ENGINE=sqlite"
    ):
        choose()


def test_a_directory_called_sweeps_is_no_sweeper():
    """A directory of that name may be anything: a ParamSweeper's has its files."""
    os.mkdir("sweeps")
    assert choose() == "sqlite"


def test_a_sweeper_of_somebody_else_is_left_alone(monkeypatch):
    """It holds pickles: those of others are not even looked at."""
    sweeper("sweeps")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat("sweeps").st_uid + 1)
    assert choose() == "sqlite"


def test_an_address_that_was_given_says_which():
    """Who sets where the spool is means the spool, though it is not there yet and another queue is."""
    with open("minion-queue.db", "wb"):
        pass
    assert choose(SPOOL_DIR="queue") == "spool"
    assert choose(EXECO_PERSISTENCE_DIR="other") == "execo"
    assert choose(SPOOL_DIR="queue", SQLITE_PATH="minion-queue.db") == "sqlite"
