"""A process that dies at any step of a turn with a ParamSweeper: nothing is lost, and both books agree afterwards."""

from __future__ import annotations

import errno

import pytest
from execo_sweeps import STEPS, Steps, Sweeps, dies_at, drain, sweeps_fixture  # noqa: F401 - a fixture

from minionize.errors import EngineUnavailable
from minionize.model import Ack, Bury, Counts, Failure, Nack, NewTask

FAILURE = Failure("exit", "exit code 1", exit=1)


@pytest.fixture
def at_each_step(tmp_path):
    """Make new sweeps for each step that a process may die at, as long as it has more steps."""

    def steps():
        for step in STEPS:
            here = Sweeps(tmp_path / f"step{step}")
            yield step, here
            here.close()
            if here.survived:
                assert step > 3, "nothing was done that could have been interrupted"
                return
        raise AssertionError("it never came to its end")

    return steps


def take(here, count):
    """Take tasks for a minion that is about to die."""
    victim = here.open("victim")
    return victim, victim.exchange(limit=count).tasks


def settle_and_take(taken):
    """Settle three tasks, each in another way, and take two more."""
    victim, (done, failed, dead) = taken
    victim.exchange([Ack(done, '"result"'), Nack(failed, failure=FAILURE), Bury(dead, FAILURE)], limit=2)


def hold_and_delay(here):
    """Take four tasks, and give one back."""
    victim, tasks = take(here, 4)
    victim.exchange([Nack(tasks[0], delay=1.0)])
    return victim, tasks


def has_settled_all(here, total, dead=0):
    """Tell whether all is done or dead, for us and for execo."""
    engine = here.open("auditor")
    assert engine.counts() == Counts(0, 0, 0, total - dead, dead)
    where = here.where()
    return (len(where.remaining), len(where.running), len(where.done)) == (0, dead, total - dead)


def test_death_while_taking(at_each_step):
    """What was being taken is offered again, and what others hold stays theirs."""
    for step, here in at_each_step():
        here.make(range(8))
        other = here.open("other")
        held = other.exchange(limit=2).tasks
        here.survived = not dies_at(step, lambda _, here=here: here.open("victim").exchange(limit=3))
        heir = here.open("heir")
        other.renew(held)
        params = drain(heir)
        assert set(params) >= {"5", "6", "7"}
        assert not {"0", "1"} & set(params), "what another minion holds was handed out"
        here.clock.advance(50.0)
        assert other.renew(held) == []
        here.clock.advance(50.0)
        drain(heir)
        assert other.exchange([Ack(task) for task in held]).gone == ()
        assert has_settled_all(here, 8)


def test_death_while_settling_and_taking(at_each_step):
    """What was settled is so, or is offered again; it is never settled twice."""
    for step, here in at_each_step():
        here.make(range(6))
        here.survived = not dies_at(step, settle_and_take, prepare=lambda here=here: take(here, 3))
        entries = {entry.param: entry for entry in here.open("reader").list()}
        assert entries["0"].state in ("leased", "done")
        assert entries["0"].result == (None if entries["0"].state == "leased" else '"result"')
        assert (entries["1"].attempt == 2) == (entries["2"].state == "dead") == (entries["0"].state == "done")
        here.outlive()
        heir = here.open("heir")
        params = drain(heir)
        assert ("0" in params) == (entries["0"].state == "leased")
        assert sorted({*params, "0", "2"}) == list("012345")
        assert has_settled_all(here, 6, dead=int("2" not in params))


def test_death_while_leaving(at_each_step):
    """What a minion held that died while it left comes back, at once or with the end of its lease."""
    for step, here in at_each_step():
        here.make(range(5))
        here.survived = not dies_at(
            step, lambda taken: taken[0].close(), prepare=lambda here=here: hold_and_delay(here)
        )
        heir = here.open("heir")
        here.outlive()
        assert sorted(drain(heir)) == list("01234")
        assert has_settled_all(here, 5)


def test_death_while_putting(at_each_step):
    """All of a put is there, or nothing; putting it again makes it whole."""
    tasks = [NewTask(f"id{n}", text) for n, text in enumerate(('"x"', "0.10", '{"a":[1]}', "null", "true", "1"))]
    for step, here in at_each_step():
        here.make(["there"])
        here.open("first").close()
        here.survived = not dies_at(step, lambda _, here=here: here.open("victim").put(tasks))
        heir = here.open("heir")
        assert heir.counts().pending in (1, 1 + len(tasks))
        assert sum((heir.put(tasks).added, *heir.put(tasks).known.values())) in (6, 12)
        assert sorted(drain(heir)) == sorted(['"there"', *(task.param for task in tasks)])
        assert has_settled_all(here, 7)


def test_death_while_making_the_queue(at_each_step):
    """Whoever comes next makes it, or finds it made."""
    for step, here in at_each_step():
        here.survived = not dies_at(step, lambda _, here=here: here.open("victim", create=True))
        heir = here.open("heir", create=True)
        assert heir.put([NewTask("x", "1")]).added == 1
        assert drain(heir) == ["1"]
        assert has_settled_all(here, 1)


def test_death_while_removing(at_each_step):
    """What was being removed is gone, or is there as before."""
    for step, here in at_each_step():
        here.make(range(6))
        engine = here.open("a")
        tasks = engine.exchange(limit=3).tasks
        engine.exchange([Ack(tasks[0])])
        gone = [tasks[0].id, tasks[1].id, next(engine.list("pending")).id]
        here.survived = not dies_at(step, lambda _, here=here, gone=gone: here.open("victim").remove(gone))
        heir = here.open("heir")
        left = [entry.param for entry in heir.list()]
        assert left in (list("012345"), list("245"))
        here.outlive()
        drain(heir)
        assert has_settled_all(here, len(left))
        assert {str(item) for item in here.listed()} == set(left)


def test_a_disk_that_is_full_at_any_step(tmp_path):
    """The engine says that it cannot be used now; asked again when there is room, it goes on as if nothing had been."""

    def is_full():
        raise OSError(errno.ENOSPC, "No space left on device")

    for step in STEPS:
        here = Sweeps(tmp_path / f"step{step}")
        here.make(range(6))
        engine = here.open("a")
        done, failed, dead = engine.exchange(limit=3).tasks
        settled = [Ack(done), Nack(failed), Bury(dead, FAILURE)]
        with Steps(step, is_full) as steps:
            try:
                delivery = engine.exchange(settled, limit=2)
            except EngineUnavailable as error:
                assert "No space left on device" in str(error)
        if steps.reached:
            delivery = engine.exchange(settled, limit=2)
        assert delivery.gone == ()
        assert delivery.tasks[0].param == "1", "what was given back comes first"
        assert {task.crashes for task in delivery.tasks} == {0}
        assert engine.renew(delivery.tasks) == []
        engine.exchange([Ack(task) for task in delivery.tasks])
        assert sorted(drain(engine)) == list("45")
        assert has_settled_all(here, 6, dead=1)
        here.close()
        if not steps.reached:
            assert step > 3
            return


def test_a_list_of_what_is_in_progress_that_was_lost(sweeps):
    """Execo's own user who dies while writing it leaves it empty: what our minions hold is not handed out again."""
    sweeps.make(range(4))
    engine = sweeps.open("a")
    held = engine.exchange(limit=2).tasks
    with open(sweeps.file("inprogress"), "wb"):
        pass
    other = sweeps.open("b")
    assert sorted(drain(other)) == ["2", "3"]
    assert sweeps.where().running == {0, 1}
    assert engine.exchange([Ack(task) for task in held]).gone == ()
    assert has_settled_all(sweeps, 4)


def test_a_record_of_what_is_done_that_was_torn(sweeps):
    """What our minions did stays done though execo's file lost it."""
    sweeps.make(range(4))
    engine = sweeps.open("a")
    engine.exchange([Ack(task) for task in engine.exchange(limit=3).tasks])
    whole = sweeps.read("done")
    with open(sweeps.file("done"), "r+b") as file:
        file.truncate(len(whole) - 7)
    assert drain(sweeps.open("b")) == ["3"]
    assert has_settled_all(sweeps, 4)
