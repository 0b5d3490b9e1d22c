"""Others use the same ParamSweeper, without us: nobody gets what another one has, and all see what is done."""

from __future__ import annotations

import os
import subprocess
import sys

from execo_sweeps import HashableDict, ParamSweeper, drain, sweeps_fixture  # noqa: F401 - a fixture

from minionize.model import Ack, Bury, Counts, Failure, Nack, NewTask

#: Takes what it can from a sweep, says what it took, and finishes it.
NEIGHBOUR = """
import sys
from execo_engine.sweep import ParamSweeper
sweeper = ParamSweeper(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while (item := sweeper.get_next()) is not None:
    print(item, flush=True)
    sweeper.done(item)
"""


def states(engine):
    """Tell the state of each param."""
    return {entry.param: entry.state for entry in engine.list()}


def test_a_neighbour_in_another_process_gets_other_items(sweeps):
    """While both take, one by one, each item is taken by one of them."""
    sweeps.make(range(300))
    engine = sweeps.open()
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", NEIGHBOUR, sweeps.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]},
    ) as neighbour:
        assert neighbour.stdout.readline() == "ready\n"
        neighbour.stdin.write("go\n")
        neighbour.stdin.flush()
        ours = drain(engine, 1)
        theirs = neighbour.stdout.read().split()
    assert not set(ours) & set(theirs)
    assert sorted(map(int, ours + theirs)) == list(range(300))
    assert sweeps.open("auditor").counts() == Counts(0, 0, 0, 300, 0)
    assert len(sweeps.where().done) == 300


def test_what_a_neighbour_has_is_held(sweeps):
    """It is not handed out, counts as held, and keeps the queue from having ended."""
    neighbour = sweeps.make(range(3))
    engine = sweeps.open()
    neighbour.get_next_batch(2)
    assert drain(engine) == ["2"]
    assert engine.counts() == Counts(0, 0, 2, 1, 0)
    assert states(engine) == {"0": "leased", "1": "leased", "2": "done"}
    assert engine.exchange(limit=1).state == "open"


def test_what_a_neighbour_finishes_is_done(sweeps):
    """Whether it took it or not; the queue ends with it."""
    neighbour = sweeps.make(range(3))
    engine = sweeps.open()
    neighbour.get_next()
    neighbour.done_batch([0, 1, 2])
    assert engine.counts() == Counts(0, 0, 0, 3, 0)
    assert engine.exchange(limit=1).state == "ended"


def test_what_a_neighbour_gives_back_is_offered(sweeps):
    """An open ParamSweeper would never learn of it."""
    neighbour = sweeps.make(range(2))
    neighbour.get_next_batch(2)
    engine = sweeps.open()
    assert engine.exchange(limit=1).tasks == ()
    neighbour.cancel_batch([0, 1])
    assert [task.param for task in engine.exchange(limit=2, wait=20.0).tasks] == ["0", "1"]


def test_what_a_crashed_neighbour_left_is_released(sweeps):
    """Execo never gives it back; the lost may be released, or one of them by its name."""
    neighbour = sweeps.make(range(4))
    neighbour.get_next_batch(3)
    engine = sweeps.open()
    first = next(engine.list("leased"))
    assert engine.release([first.id]) == 1
    assert states(engine) == {"0": "pending", "1": "leased", "2": "leased", "3": "pending"}
    assert engine.release() == 2
    assert sweeps.where().remaining == {0, 1, 2, 3}
    assert drain(engine) == list("0123")


def test_neighbours_do_not_get_what_is_delayed_or_dead(sweeps):
    """They know nothing of either."""
    sweeps.make(range(3))
    engine = sweeps.open()
    failed, dead, done = engine.exchange(limit=3).tasks
    engine.exchange([Nack(failed, delay=30.0), Bury(dead, Failure("exit", "exit code 1")), Ack(done)])
    assert ParamSweeper(sweeps.path).get_next() is None
    assert engine.counts() == Counts(0, 1, 0, 1, 1)


def test_the_last_minion_leaves_what_waits_to_neighbours(sweeps):
    """Else it would seem to be in progress for ever; what is dead stays out of reach, and a delay is kept for us."""
    sweeps.make(range(4))
    one, two = sweeps.open("one"), sweeps.open("two")
    failed, dead = one.exchange(limit=2).tasks
    two.exchange(limit=1)
    one.exchange([Nack(failed, delay=30.0), Bury(dead, Failure("exit", "exit code 1"))])
    one.close()
    assert 0 not in sweeps.where().remaining, "another minion is there to take it"
    two.close()
    assert sweeps.where().remaining == {0, 2, 3}
    later = sweeps.open("later")
    assert drain(later) == ["2", "3"]
    sweeps.outlive()
    assert drain(later) == ["0"]


def test_what_a_leaving_minion_gives_back_is_had_at_once(sweeps):
    """By minions that were there before: their ParamSweepers saw it in progress."""
    sweeps.make(range(3))
    leaver, other = sweeps.open("leaver"), sweeps.open("other")
    leaver.exchange(limit=2)
    assert [task.param for task in other.exchange(limit=2).tasks] == ["2"]
    leaver.close()
    assert [task.param for task in other.exchange(limit=2).tasks] == ["0", "1"]


def test_items_that_a_neighbour_adds_are_new_tasks(sweeps):
    """Also while an engine is open."""
    sweeps.make(range(2))
    engine = sweeps.open()
    assert drain(engine) == ["0", "1"]
    ParamSweeper(sweeps.path, sweeps=range(4), save_sweeps=True)
    assert engine.counts() == Counts(2, 0, 0, 2, 0)
    assert drain(engine) == ["2", "3"]


def test_items_that_a_neighbour_takes_out_are_no_tasks(sweeps):
    """They are off the books, and their holder learns it."""
    sweeps.make(range(4))
    engine = sweeps.open()
    (task,) = engine.exchange(limit=1).tasks
    ParamSweeper(sweeps.path, sweeps=[2, 3], save_sweeps=True)
    assert [(gone.task.id, gone.why) for gone in engine.renew([task])] == [(task.id, "cancelled")]
    assert engine.counts() == Counts(2, 0, 0, 0, 0)
    assert drain(engine) == ["2", "3"]


def test_neighbours_find_the_values_they_expect(sweeps):
    """What we put stands in the sweep as Python values, lists and objects as what can be hashed."""
    sweeps.open(create=True).put(
        NewTask(f"id{n}", text) for n, text in enumerate(('"word"', "3", "0.5", "true", "[1,[2]]", '{"a":{"b":[1]}}'))
    )
    expected = {"word", 3, 0.5, True, (1, (2,)), HashableDict(a=HashableDict(b=(1,)))}
    assert sweeps.listed() == expected
    assert {type(item) for item in sweeps.listed()} == {str, int, float, bool, tuple, HashableDict}
    assert set(ParamSweeper(sweeps.path).get_next_batch(10)) == expected


def test_what_was_done_before_we_came_is_done(sweeps):
    """A sweep that the original worked off half goes on where it stands, and putting its params again adds nothing."""
    original = sweeps.make(range(4))
    original.done_batch([0, 1])
    engine = sweeps.open()
    assert engine.counts() == Counts(2, 0, 0, 2, 0)
    ids = {entry.param: entry.id for entry in engine.list()}
    assert engine.put([NewTask(ids["0"], "0"), NewTask(ids["3"], "3")]).known == {"done": 1, "pending": 1}
    assert drain(engine) == ["2", "3"]


def test_without_the_journal_what_is_done_stays_done(sweeps):
    """It may be deleted: what is lost with it are attempts, dead letters and results."""
    sweeps.make(range(3))
    engine = sweeps.open()
    engine.put([NewTask("mine", "0.10")])
    engine.exchange([Ack(engine.exchange(limit=1).tasks[0])])
    engine.close()
    os.unlink(sweeps.file("minionize.journal"))
    again = sweeps.open("b")
    assert again.counts() == Counts(3, 0, 0, 1, 0)
    assert sorted(drain(again)) == ["0.10", "1", "2"]
    assert again.get("mine").param == "0.10"


def test_a_param_put_again_after_it_was_done_and_removed_runs_again(sweeps):
    """Execo remembers for ever that this value is done: another one stands for it."""
    engine = sweeps.open(create=True)
    for _ in range(3):
        assert engine.put([NewTask("x", "7"), NewTask("y", '{"a":1}')]).added == 2
        assert sorted(drain(engine)) == ["7", '{"a":1}']
        assert engine.remove() == 2
    assert sweeps.listed() == set()
