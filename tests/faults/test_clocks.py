"""Clocks that jump: leases and delays are kept on the clock that does not, and what people see is no worse for it."""

from __future__ import annotations

import time

import pytest

from minionize.engines.memory import MemoryEngine, MemoryQueue
from minionize.engines.sqlite import SqliteEngine
from minionize.model import Control, Identity, Nack, NewTask
from minionize.testing import FakeClock

DAY = 86400.0
JUMPS = [-400 * DAY, -3600.0, 3600.0, 400 * DAY]


def me(uid, boot="boot"):
    """Make an identity that nobody can see from here."""
    return Identity(uid, "elsewhere", 1, 1, boot, f"namespace of {uid}")


@pytest.fixture
def wall(monkeypatch):
    """Take the wall clock in hand: ``wall.append(seconds)`` makes it jump."""
    jumps = []
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + sum(jumps))
    return jumps


@pytest.fixture(params=["memory", "sqlite"])
def join(request, tmp_path):
    """Make minions of one queue, with a clock of theirs for leases and delays."""
    clock = FakeClock()
    queue = MemoryQueue(clock, wall=lambda: time.time())  # noqa: PLW0108 - looked up at each call: it is replaced
    opened = []

    def join(uid, **options):
        if request.param == "memory":
            opened.append(MemoryEngine(queue, me(uid), lease=60.0))
        else:
            path = str(tmp_path / "queue.db")
            opened.append(SqliteEngine(path, me(uid), lease=60.0, create=True, clock=clock))
        return opened[-1]

    join.clock = clock
    yield join
    for engine in opened:
        engine.close()


@pytest.mark.parametrize("jump", JUMPS)
def test_a_lease_neither_ends_nor_grows_with_a_jump(join, wall, jump):
    """Somebody sets the clock of the host: whoever works goes on, and whoever is gone is gone when its lease ends."""
    one, two = join("one"), join("two")
    one.put([NewTask("id", "1")])
    (task,) = one.exchange(limit=1).tasks
    wall.append(jump)
    assert two.exchange(limit=1).tasks == ()
    assert one.renew([task]) == []
    join.clock.advance(59)
    assert two.exchange(limit=1).tasks == ()
    join.clock.advance(2)
    (again,) = two.exchange(limit=1).tasks
    assert (again.id, again.delivery, again.crashes) == ("id", 2, 1)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_delay_neither_ends_nor_grows_with_a_jump(join, wall, jump):
    """A backoff of ten seconds takes ten seconds."""
    engine = join("one")
    engine.put([NewTask("id", "1")])
    (task,) = engine.exchange(limit=1).tasks
    assert engine.exchange([Nack(task, delay=10.0)]).next_due == pytest.approx(10.0)
    wall.append(jump)
    delivery = engine.exchange(limit=1)
    assert delivery.tasks == ()
    assert delivery.next_due == pytest.approx(10.0)
    assert engine.counts().delayed == 1
    join.clock.advance(10.5)
    assert len(engine.exchange(limit=1).tasks) == 1


@pytest.mark.parametrize("jump", JUMPS)
def test_people_are_shown_when_a_delay_ends_on_their_clock(join, wall, jump):
    """As it is now, whatever it was."""
    engine = join("one")
    engine.put([NewTask("id", "1")])
    (task,) = engine.exchange(limit=1).tasks
    engine.exchange([Nack(task, delay=10.0)])
    wall.append(jump)
    (entry,) = engine.list("delayed")
    assert entry.due == pytest.approx(time.time() + 10.0, abs=60.0)


@pytest.mark.parametrize(("jump", "drained"), [(-3600.0, True), (3600.0, True), (2 * DAY, False)])
def test_a_drain_is_forgotten_by_the_clock_of_people(join, wall, jump, drained):
    """After a day; a clock that was set back does not end it."""
    engine = join("one")
    engine.put([NewTask("id", "1")])
    engine.control(Control("somebody", time.time()))
    wall.append(jump)
    assert (engine.drained() is not None) == drained
    assert engine.exchange(limit=1).state == ("drain" if drained else "open")


@pytest.mark.parametrize("ahead", [-5000.0, 5000.0])
def test_a_reboot_ends_every_lease_and_delay(tmp_path, ahead):
    """The clock that leases are kept on starts again: no task may wait for a time of the last boot."""
    path = str(tmp_path / "queue.db")
    clock = FakeClock(10_000.0)
    before = SqliteEngine(path, me("before"), lease=60.0, create=True, clock=clock)
    before.put([NewTask("held", "1"), NewTask("delayed", "2")])
    tasks = {task.id: task for task in before.exchange(limit=2).tasks}
    before.exchange([Nack(tasks["delayed"], delay=3600.0)])
    after = SqliteEngine(path, me("after", boot="another"), clock=FakeClock(10_000.0 + ahead))
    claimed = {task.id: task for task in after.exchange(limit=5).tasks}
    assert set(claimed) == {"held", "delayed"}
    assert (claimed["held"].crashes, claimed["delayed"].crashes) == (1, 0)
    assert [gone.why for gone in before.renew([tasks["held"]])] == ["lost"]
    before.close()
    after.close()
