"""A ParamSweeper's directory on a disk that is full, or behind a file server that hangs: nobody loses what is his."""

from __future__ import annotations

import errno
import os
import time
from itertools import pairwise

from execo_sweeps import LEASE, drain, sweeps_fixture  # noqa: F401 - a fixture

from minionize.engines.execo import journal
from minionize.model import Counts


def test_a_journal_that_cannot_be_written_anew_is_appended_to(sweeps, monkeypatch):
    """The disk has room for a line, and not for all of it once more: the work goes on, and the next try comes later."""
    monkeypatch.setattr(journal, "_SMALL", 2000)
    monkeypatch.setattr(journal, "_GROWTH", 1)
    sweeps.make(range(40))
    engine, tries, rename = sweeps.open(), [], os.rename

    def full(source, target):
        if source.endswith("minionize.journal.new"):
            tries.append(len(sweeps.read("minionize.journal")))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        assert len(drain(engine)) == 40
    assert tries, "it never grew enough"
    assert all(after > before * 5 / 4 for before, after in pairwise(tries))
    assert "minionize.journal.new" not in sweeps.content()
    assert sweeps.open("b").counts() == Counts(0, 0, 0, 40, 0)


def hang(sweeps, monkeypatch, seconds):
    """Let time pass in which nobody could read or write."""
    sweeps.clock.advance(seconds)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + seconds)


def test_who_goes_on_first_after_a_file_server_hung_takes_nothing_from_others(sweeps, monkeypatch):
    """Both were alive, and neither could renew: an idle minion looks more often, so it is the first to come."""
    sweeps.make(range(1))
    busy, idle = sweeps.open("busy"), sweeps.open("idle")
    held = busy.exchange(limit=1).tasks
    assert idle.exchange(limit=1).tasks == ()
    hang(sweeps, monkeypatch, LEASE * 1.5)
    assert idle.exchange(limit=1).tasks == ()
    assert busy.renew(held) == []
    hang(sweeps, monkeypatch, LEASE / 2)
    assert idle.exchange(limit=1).tasks == ()
    assert busy.renew(held) == []


def test_who_does_not_go_on_after_a_file_server_hung_is_lost(sweeps, monkeypatch):
    """That patience ends after a third of a lease: a minion that died meanwhile is found out."""
    sweeps.make(range(1))
    victim, idle = sweeps.open("victim"), sweeps.open("idle")
    victim.exchange(limit=1)
    idle.exchange(limit=1)
    hang(sweeps, monkeypatch, LEASE * 1.5)
    assert idle.exchange(limit=1).tasks == ()
    hang(sweeps, monkeypatch, LEASE / 2)
    (task,) = idle.exchange(limit=1).tasks
    assert (task.delivery, task.crashes) == (2, 1)
