"""What minions left that were killed together with their wardens."""

from __future__ import annotations

import os

import pytest

from minionize.slots.leftovers import sweep
from minionize.slots.scratch import Scratch

DEAD, ALIVE, OWN = (f"minionize-{letter * 12}" for letter in "dae")


@pytest.fixture
def made(tmp_path):
    """Return a function that makes a directory with a file in it, which has not been changed for long."""

    def make(name, *, old=True):
        path = tmp_path / name
        path.mkdir()
        (path / "1.result").write_text("what nobody will read")
        if old:
            os.utime(path, (1000, 1000))
        return path

    return make


def test_the_directory_of_a_dead_minion_is_removed(made, tmp_path):
    """With the files in it."""
    dead = made(DEAD)
    sweep(str(tmp_path / OWN))
    assert not dead.exists()


def test_the_directory_of_a_living_minion_stays(tmp_path):
    """It is held by its minion, however long nothing has been changed there."""
    scratch = Scratch(str(tmp_path / ALIVE))
    os.utime(tmp_path / ALIVE, (1000, 1000))
    sweep(str(tmp_path / OWN))
    assert (tmp_path / ALIVE).exists()
    scratch.close()
    sweep(str(tmp_path / OWN))
    assert not (tmp_path / ALIVE).exists()


def test_what_may_not_be_a_dead_minions_stays(made, tmp_path, monkeypatch):
    """One that is young, another's, a link, or called otherwise."""
    young, other = made(DEAD, old=False), made("minionize-redis-abc")
    link = tmp_path / ALIVE
    link.symlink_to(other)
    sweep(str(tmp_path / OWN))
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    os.utime(young, (1000, 1000))
    sweep(str(tmp_path / OWN))
    assert {young.exists(), other.exists(), link.is_symlink()} == {True}
    assert (other / "1.result").exists()


def test_a_place_that_cannot_be_read_is_left_alone(tmp_path):
    """No minion fails because of what others left."""
    sweep(str(tmp_path / "missing" / OWN))
