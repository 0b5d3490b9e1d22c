"""Transactions that fail at their very end: what a minion believes of itself is what the books say."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from minionize.engines.sqlite import SqliteEngine
from minionize.errors import EngineError
from minionize.model import Ack, Counts, NewTask
from minionize.testing import FakeClock, identity

LEASE = 60.0


class FullDisk:
    """A connection whose next COMMIT finds no room, when it is told so."""

    def __init__(self, db):
        self._db, self.full = db, False

    def __getattr__(self, name):
        """Be the connection in all else."""
        return getattr(self._db, name)

    def execute(self, statement, *values):
        """Fail once at a COMMIT."""
        if self.full and statement == "COMMIT":
            self.full = False
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(statement, *values)


class Queue:
    """A queue in a file, its minions, and their clock."""

    def __init__(self, path):
        self.path, self.clock, self._opened = str(path), FakeClock(), []

    def minion(self, uid):
        """Open the queue for a minion whose disk may be full."""
        engine = SqliteEngine(self.path, identity(uid), lease=LEASE, create=True, clock=self.clock)
        engine._db = FullDisk(engine._db)
        self._opened.append(engine)
        return engine

    def ask(self, statement):
        """Look into the file."""
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return db.execute(statement).fetchall()

    def holders(self):
        """Say who holds which task, by its param."""
        rows = self.ask(
            "SELECT param, uid FROM task JOIN life USING (n) JOIN minion ON minion.n = life.minion"
            " WHERE state = 1 AND deadline IS NOT NULL"
        )
        return dict(rows)

    def close(self):
        """Close all."""
        for engine in self._opened:
            engine.close()


@pytest.fixture
def queue(tmp_path):
    """Make a queue."""
    queue = Queue(tmp_path / "queue.db")
    yield queue
    queue.close()


def put(engine, *params, **history):
    """Add tasks whose ids are their params."""
    engine.put([NewTask(id=param, param=param, **history) for param in params])


def claim(engine, limit=1):
    """Claim tasks."""
    return engine.exchange(limit=limit).tasks


def claim_in_vain(engine):
    """Claim a task when the disk is full."""
    engine._db.full = True
    with pytest.raises(EngineError, match="disk is full"):
        engine.exchange(limit=1)
    assert not engine._db.full


def params(tasks):
    """Name tasks by their params."""
    return [task.param for task in tasks]


def test_two_minions_never_share_a_row_after_a_claim_that_failed(queue):
    """The row that was rolled back is another minion's now: who lost it registers anew."""
    first, second = queue.minion("first"), queue.minion("second")
    put(first, "1", "2")
    claim_in_vain(first)
    assert queue.ask("SELECT * FROM minion") == []
    assert params(claim(second)) == ["1"]
    assert params(claim(first)) == ["2"]
    assert queue.holders() == {"1": "second", "2": "first"}
    assert queue.ask("SELECT count(DISTINCT n) FROM minion") == [(2,)]


def test_a_claim_after_one_that_failed_has_a_lease(queue):
    """Else nobody would ever take over what that minion holds."""
    first, second = queue.minion("first"), queue.minion("second")
    put(first, "1")
    claim_in_vain(first)
    assert params(claim(first)) == ["1"]
    assert queue.ask("SELECT deadline FROM minion WHERE uid = 'first'") == [(queue.clock() + LEASE,)]
    queue.clock.advance(LEASE + 1)
    assert params(claim(second)) == ["1"]


def test_a_lease_whose_prolongation_failed_is_prolonged_by_the_next_claim(queue):
    """What was not written was not prolonged."""
    first = queue.minion("first")
    put(first, "1", "2")
    claim(first)
    queue.clock.advance(LEASE * 0.9)
    claim_in_vain(first)
    claim(first)
    assert queue.ask("SELECT deadline FROM minion") == [(queue.clock() + LEASE,)]


def test_a_lease_whose_renewal_failed_is_prolonged_by_the_next_claim(queue):
    """A renewal is a transaction like any other."""
    first = queue.minion("first")
    put(first, "1", "2")
    held = claim(first)
    queue.clock.advance(LEASE * 0.9)
    first._db.full = True
    with pytest.raises(EngineError, match="disk is full"):
        first.renew(held)
    claim(first)
    assert queue.ask("SELECT deadline FROM minion") == [(queue.clock() + LEASE,)]


def test_a_renewal_of_another_minion_gives_back_nothing_of_ours(queue):
    """Whoever renews names what it holds; the rest of its row would be given away."""
    first, second = queue.minion("first"), queue.minion("second")
    put(first, "1", "2")
    claim_in_vain(first)
    theirs, ours = claim(second), claim(first)
    assert second.renew(theirs) == []
    assert queue.holders() == {"1": "second", "2": "first"}
    assert first.renew(ours) == []
    assert first.exchange([Ack(ours[0])]).gone == ()
    assert second.exchange([Ack(theirs[0])]).gone == ()
    assert first.counts() == Counts(pending=0, delayed=0, leased=0, done=2, dead=0)


def test_a_suspect_that_was_not_claimed_after_all_holds_up_nothing(queue):
    """A minion that takes a task to run alone takes no other; one whose claim of it failed has taken none."""
    first, second = queue.minion("first"), queue.minion("second")
    put(first, "suspect", crashes=2)
    put(first, "1", "2")
    claim_in_vain(first)
    assert params(claim(second, 9)) == ["suspect"]
    assert params(claim(first, 9)) == ["1", "2"]


@pytest.mark.parametrize("history", [{}, {"attempt": 2}], ids=["fresh", "given back"])
def test_a_task_that_must_run_alone_gets_its_turn_from_a_minion_that_is_never_idle(queue, history):
    """Once it has been due for a lease, nothing else is taken until nothing else is held."""
    minion = queue.minion("busy")
    put(minion, "a", "b")
    held = list(claim(minion, 2))
    queue.clock.advance(1)
    put(minion, "suspect", crashes=2)
    queue.clock.advance(1)
    put(minion, *map(str, range(50)), **history)
    ran = []
    while "suspect" not in params(held) and len(ran) < 60:
        queue.clock.advance(LEASE / 5)
        assert minion.renew(held) == []
        ran.append(held.pop(0))
        held += minion.exchange([Ack(ran[-1])], limit=2 - len(held)).tasks
    assert params(held) == ["suspect"]
    assert 2 < len(ran) < 20, "others go on until it has waited for a lease, and no longer"
    assert claim(minion) == ()
    assert len(minion.exchange([Ack(held[0])], limit=2).tasks) == 2
