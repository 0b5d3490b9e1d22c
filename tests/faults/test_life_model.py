"""The life of a task against a model of it: whatever minions, people and time do in any order, the books agree."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from minionize.engines.memory import MemoryEngine, MemoryQueue
from minionize.engines.sqlite import SqliteEngine
from minionize.model import Ack, Bury, Control, Counts, Failure, Identity, Nack, NewTask, Task
from minionize.testing import FakeClock

LEASE, MAX_CRASHES, ALONE = 60.0, 3, 2
IDS = [f"task {n}" for n in range(6)]
MINIONS = ["a", "b", "preemptible"]
FAILURE = Failure("exit", "exit 1", 1)


class Life(SimpleNamespace):
    """What the model knows of a task on the books: its state, counters, when it is due, and who holds it."""


class Held(NamedTuple):
    """What a minion believes to hold: what the engine gave it, and what it was in the model."""

    task: Task
    life: Life


def some_of(held):
    """Choose some of what a minion believes to hold."""
    return st.sets(st.sampled_from(sorted(held)), min_size=1)


def settlement(task):
    """Choose how a task is settled."""
    return st.sampled_from([Ack(task, "42"), Nack(task), Nack(task, 30.0), Nack(task, 0.0, False), Bury(task, FAILURE)])


def agree(gone, expected):
    """See that what an engine says to be gone is what should be, for one of the reasons that are right."""
    said = {(one.task.id, one.task.delivery): one.why for one in gone}
    assert said.keys() == expected.keys()
    assert all(said[key] in expected[key] for key in said)


class Queues:
    """The engines under test, one for each minion, and one that only watches."""

    def __init__(self):
        self.clock = FakeClock()

    def engine(self, uid):
        """Join the queue: nobody sees the process of anybody else, so leases decide."""
        me = Identity(uid, "host", 1, 1, "boot", f"namespace of {uid}", preemptible=uid == "preemptible")
        return self.join(me)

    def close(self):
        """Leave nothing behind."""


class InMemory(Queues):
    """Minions that share a queue in memory."""

    def __init__(self):
        super().__init__()
        self._queue = MemoryQueue(self.clock)

    def join(self, me):
        """Make an engine."""
        return MemoryEngine(self._queue, me, LEASE, MAX_CRASHES)


class InFile(Queues):
    """Minions that share a file."""

    def __init__(self):
        super().__init__()
        self._directory = tempfile.mkdtemp(prefix="minionize-life-")

    def join(self, me):
        """Open the file."""
        path = os.path.join(self._directory, "queue.db")
        return SqliteEngine(path, me, lease=LEASE, max_crashes=MAX_CRASHES, create=True, clock=self.clock)

    def close(self):
        """Delete the file."""
        shutil.rmtree(self._directory)


class LifeOfTasks(RuleBasedStateMachine):
    """The rules: each does something to the queue and to the model, and compares what the queue says about it."""

    queues: type[Queues]

    @initialize()
    def open(self):
        """Begin with all tasks put."""
        self.where = self.queues()
        self.clock = self.where.clock
        self.engines = {uid: self.where.engine(uid) for uid in MINIONS}
        self.watcher = self.where.engine("watcher")
        self.tasks = {}  # id -> Life
        self.held = {uid: {} for uid in MINIONS}  # what each minion believes to hold: (id, delivery) -> Held
        self.drained = False
        self.put(IDS)

    def teardown(self):
        """Close all."""
        if hasattr(self, "where"):
            for engine in (*self.engines.values(), self.watcher):
                engine.close()
            self.where.close()

    # ------------------------------------------------------------------ the model

    def has(self, uid, key):
        """Tell whether a minion has, or had until somebody took it off the books, what it believes to hold."""
        held = self.held[uid][key]
        return held.life.holder == uid and held.life.delivery == held.task.delivery

    def is_known(self, uid, key):
        """Tell whether the very task that a minion believes to hold is on the books."""
        held = self.held[uid][key]
        return self.tasks.get(held.task.id) is held.life

    def owns(self, uid, key):
        """Tell whether what a minion believes to hold is its own."""
        return self.is_known(uid, key) and self.has(uid, key)

    def gone(self, uid, keys):
        """Say which of these are not a minion's own, and why: one that was lost and then removed is both."""
        gone = {}
        for key in keys:
            if self.is_known(uid, key):
                if not self.has(uid, key):
                    gone[key] = {"lost"}
            else:
                gone[key] = {"cancelled"} if self.has(uid, key) else {"cancelled", "lost"}
        return gone

    def back(self, life, due=None):
        """Offer a task again."""
        life.holder = None
        life.due = self.clock() if due is None else due
        life.state = "waiting"

    def is_due(self, life):
        """Tell whether a task may be claimed."""
        return life.state == "waiting" and life.due <= self.clock()

    def state(self, life):
        """Say what the books call the state of a task."""
        return life.state if life.state != "waiting" else "pending" if self.is_due(life) else "delayed"

    # ------------------------------------------------------------------ what people do

    @rule(
        what=st.sampled_from(["put", "put", "retry", "retry", "release", "remove", "clear", "drain", "resume"]),
        ids=st.sets(st.sampled_from(IDS), min_size=1),
    )
    def administer(self, what, ids):
        """Do one of the things that people do: one rule for all, so that minions have their share of the time."""
        if what in ("retry", "release"):
            ids = self.tasks  # all: those that are in another state are left alone
        elif what == "remove":
            ids &= self.tasks.keys()
        getattr(self, what)(sorted(ids))

    def put(self, ids):
        """Add tasks; some are known."""
        known = {}
        for id in set(ids) & self.tasks.keys():
            state = self.state(self.tasks[id])
            known[state] = known.get(state, 0) + 1
        result = self.watcher.put([NewTask(id, "1") for id in ids])
        assert (result.added, result.known or {}) == (len(ids) - sum(known.values()), known)
        for id in ids:
            if id not in self.tasks:
                self.tasks[id] = Life(state="waiting", attempt=1, delivery=0, crashes=0, due=0.0, holder=None)

    def retry(self, ids):
        """Put dead tasks back."""
        dead = [self.tasks[id] for id in ids if self.tasks[id].state == "dead"]
        assert self.watcher.retry(ids) == len(dead)
        for life in dead:
            life.attempt, life.crashes = 1, 0
            self.back(life)

    def release(self, ids):
        """Take tasks from who holds them; nothing is charged."""
        leased = [self.tasks[id] for id in ids if self.tasks[id].state == "leased"]
        assert self.watcher.release(ids) == len(leased)
        for life in leased:
            self.back(life)

    def remove(self, ids):
        """Take a task off the books."""
        assert self.watcher.remove(ids[:1]) == len(ids[:1])
        for id in ids[:1]:
            del self.tasks[id]

    def clear(self, ids):
        """Take all off the books."""
        assert self.watcher.remove() == len(self.tasks)
        self.tasks.clear()

    def drain(self, ids):
        """Ask all minions to leave."""
        self.watcher.control(Control("somebody", time.time()))
        self.drained = True

    def resume(self, ids):
        """Take that back."""
        self.watcher.control(None)
        self.drained = False

    # ------------------------------------------------------------------ what minions do

    @rule(uid=st.sampled_from(MINIONS), limit=st.integers(1, 4))
    def claim(self, uid, limit):
        """Ask for tasks: they are due, and one that crashed twice comes alone to who holds nothing."""
        mine = [life for life in self.tasks.values() if life.holder == uid]
        due = {id: life for id, life in self.tasks.items() if self.is_due(life)}
        fresh = [life for life in due.values() if life.crashes < ALONE]
        starves = any(life.crashes >= ALONE and self.clock() - life.due > LEASE for life in due.values())
        delivery = self.engines[uid].exchange(limit=limit)
        assert delivery.gone == ()
        assert len({task.id for task in delivery.tasks}) == len(delivery.tasks) <= limit
        for task in delivery.tasks:
            life = due[task.id]
            assert life.crashes < ALONE or (len(delivery.tasks) == 1 and not mine)
            life.state, life.holder, life.delivery = "leased", uid, life.delivery + 1
            assert (task.attempt, task.delivery, task.crashes) == (life.attempt, life.delivery, life.crashes)
            self.held[uid][task.id, task.delivery] = Held(task, life)
        if self.drained or any(life.crashes >= ALONE for life in mine):
            assert delivery.tasks == ()
        elif not mine:
            assert delivery.tasks or not due
        elif not starves:  # else it may make room for what has to run alone
            assert len(delivery.tasks) == min(limit, len(fresh))
        if not delivery.tasks:
            is_open = any(life.state in ("waiting", "leased") for life in self.tasks.values())
            assert delivery.state == ("drain" if self.drained else "open" if is_open else "ended")

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), again=st.booleans())
    def settle(self, data, again):
        """Settle some of what a minion believes to hold: what is not its own any more is refused, and changes nothing."""
        uid = data.draw(st.sampled_from([uid for uid in MINIONS if self.held[uid]]))
        keys = sorted(data.draw(some_of(self.held[uid])))
        gone = self.gone(uid, keys)
        settlements = [data.draw(settlement(self.held[uid][key].task)) for key in keys]
        engine = self.engines[uid]
        agree(engine.exchange(settlements).gone, gone)
        for key, one in zip(keys, settlements, strict=True):
            if key not in gone:
                self.settled(self.tasks[key[0]], one)
            del self.held[uid][key]
        accepted = [one for key, one in zip(keys, settlements, strict=True) if key not in gone]
        if again and accepted:
            assert engine.exchange(accepted).gone == ()

    def settled(self, life, settlement):
        """Do to the model what a settlement does."""
        life.holder = None
        if isinstance(settlement, Nack):
            life.attempt += settlement.charge
            self.back(life, self.clock() + settlement.delay)
        else:
            life.state = "done" if isinstance(settlement, Ack) else "dead"

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data())
    def renew(self, data):
        """Prolong a lease: what is not named is given back, what is not its own any more is said to be gone."""
        uid = data.draw(st.sampled_from([uid for uid in MINIONS if self.held[uid]]))
        self.renew_with(uid, data.draw(some_of(self.held[uid])))

    def renew_with(self, uid, keys):
        """Name these in a renewal, and forget the others and those that are gone."""
        held, gone = self.held[uid], self.gone(uid, keys)
        for key in held:
            if key not in keys and self.owns(uid, key):
                self.back(held[key].life)
        agree(self.engines[uid].renew([held[key].task for key in sorted(keys)]), gone)
        self.held[uid] = {key: held[key] for key in held if key in keys and key not in gone}

    @rule(uid=st.sampled_from(MINIONS))
    def leave(self, uid):
        """Close an engine, which gives back what it holds, and open another one."""
        self.engines[uid].close()
        for life in self.tasks.values():
            if life.holder == uid:
                self.back(life)
        self.engines[uid] = self.where.engine(uid)
        self.held[uid] = {}

    # ------------------------------------------------------------------ what time does

    @rule(seconds=st.sampled_from([1.0, 10.0, 31.0]))
    def wait(self, seconds):
        """Let time go by while all minions renew."""
        self.clock.advance(seconds)
        for uid in MINIONS:
            self.renew_with(uid, set(self.held[uid]))

    @precondition(lambda self: any(life.holder for life in self.tasks.values()))
    @rule(asleep=st.sets(st.sampled_from(MINIONS), min_size=1))
    def expire(self, asleep):
        """Let the leases of some minions run out: that is a crash, unless they were expected to vanish."""
        for _ in range(4):
            self.clock.advance(LEASE / 3)
            for uid in set(MINIONS) - asleep:
                self.renew_with(uid, set(self.held[uid]))
        self.watcher.exchange()
        for life in self.tasks.values():
            if life.holder in asleep:
                life.crashes += life.holder != "preemptible"
                self.back(life)
                if life.crashes >= MAX_CRASHES:
                    life.state = "dead"

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def books_add_up(self):
        """See that the counts are those of the model."""
        if not hasattr(self, "where"):
            return
        states = [self.state(life) for life in self.tasks.values()]
        assert self.watcher.counts() == Counts(*(states.count(name) for name in Counts._fields))

    @invariant()
    def every_task_is_what_it_should_be(self):
        """See that so are the tasks, one by one."""
        if not hasattr(self, "where"):
            return
        listed = {
            entry.id: (entry.state, entry.attempt, entry.delivery, entry.crashes) for entry in self.watcher.list()
        }
        assert listed == {
            id: (self.state(life), life.attempt, life.delivery, life.crashes) for id, life in self.tasks.items()
        }


@pytest.mark.parametrize("queues", [InMemory, InFile])
def test_the_books_agree_with_the_model(queues):
    """Put, claim, settle, renew, expire, retry, release, remove, clear, drain and leave, in any order."""

    class Machine(LifeOfTasks):
        pass

    Machine.queues = queues
    steady = {"derandomize": True, "database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}
    run_state_machine_as_test(Machine, settings=settings(max_examples=120, stateful_step_count=30, **steady))


@pytest.mark.parametrize("queues", [InMemory, InFile])
@pytest.mark.parametrize("settle", [Ack, Nack, lambda task: Bury(task, FAILURE)])
def test_a_lost_delivery_stays_lost_though_its_task_is_held_again(queues, settle):
    """A minion that lost a task and claimed it anew has two of it: one is its own."""
    where = queues()
    engine = where.engine("a")
    engine.put([NewTask("id", "1")])
    (first,) = engine.exchange(limit=1).tasks
    engine.release(["id"])
    (second,) = engine.exchange(limit=1).tasks
    assert [one.task for one in engine.renew([first, second])] == [first]
    assert [one.task for one in engine.exchange([settle(first)]).gone] == [first]
    assert engine.counts().leased == 1
    assert engine.exchange([Ack(second)]).gone == ()
    assert engine.counts().done == 1
    engine.close()
    where.close()


@pytest.mark.parametrize("queues", [InMemory, InFile])
def test_what_must_run_alone_and_is_not_ours_to_take_does_not_deafen_us(queues):
    """A task that crashed twice waits until we hold nothing: a wake is heard meanwhile."""
    where = queues()
    engine, other = where.engine("a"), where.engine("b")
    engine.put([NewTask("suspect", "1")])
    for _ in range(ALONE):
        assert len(other.exchange(limit=1).tasks) == 1
        where.clock.advance(LEASE + 1)
        engine.exchange()
    engine.put([NewTask("good", "1")])
    assert [entry.crashes for entry in engine.list()] == [ALONE, 0]
    assert [task.id for task in other.exchange(limit=1).tasks] == ["suspect"]
    (good,) = engine.exchange(limit=1).tasks
    assert good.id == "good"
    other.release(["suspect"])
    engine.wake()
    empty = engine.exchange(limit=1, wait=3600.0)
    assert (empty.tasks, empty.state) == ((), "open")
    for one in (engine, other):
        one.close()
    where.close()
