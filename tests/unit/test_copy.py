"""Moving tasks from one queue to another: what goes, what stays, and what others do in between."""

from __future__ import annotations

import signal

import pytest

from minionize.cli import copy
from minionize.engines.memory import MemoryEngine, MemoryQueue
from minionize.errors import BadParam, EngineUnavailable, UsageError
from minionize.model import Ack, Bury, Control, Failure, Nack, NewTask
from minionize.mover import FIRST, Mover
from minionize.settings import load, table
from minionize.testing import FakeClock, identity


class Queue:
    """A queue in memory, and the minions of it."""

    def __init__(self, engine=MemoryEngine):
        self.clock, self._engine = FakeClock(), engine
        self._books = MemoryQueue(self.clock)

    def open(self, uid="somebody", **options):
        """Join it."""
        return self._engine(self._books, identity(uid, **options))

    def fill(self, count, **past):
        """Put so many params, from 0."""
        self.open("filler").put([NewTask(f"{n:016x}", str(n), **past) for n in range(count)])

    def params(self, state=None):
        """List the params of a state, or of all, in order."""
        return [entry.param for entry in self.open("reader").list(state)]

    def counts(self):
        """Read the books, without the states that no task is in."""
        return {name: count for name, count in self.open("reader").counts()._asdict().items() if count}


class Frugal(MemoryEngine):
    """An engine that takes no odd params."""

    def put(self, new):
        """Refuse, all or none."""
        tasks = list(new)
        for task in tasks:
            if int(task.param) % 2:
                raise BadParam(f"{task.param} is odd.\n  Send it elsewhere")
        return super().put(tasks)


class Settled(MemoryEngine):
    """An engine with nothing but what a minion needs."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.traits = self.traits._replace(admin=frozenset())


@pytest.fixture
def source():
    """Return a queue."""
    return Queue()


@pytest.fixture
def target():
    """Return another one."""
    return Queue()


def move(source, target, stop=bool):
    """Move all, and leave both."""
    giver, taker = source.open("mover", preemptible=True), target.open("mover")
    mover = Mover(giver, taker, stop)
    try:
        mover.run()
    finally:
        giver.close()
        taker.close()
    return mover


# ---------------------------------------------------------------------- what goes


def test_all_that_waits_goes_in_its_order(source, target):
    """Several batches of it."""
    source.fill(3 * FIRST + 1)
    before = source.params()
    assert move(source, target).moved == len(before)
    assert (source.params(), target.params("pending")) == ([], before)


def test_a_task_keeps_its_past(source, target):
    """Its id, attempt, crashes, and when it is due."""
    past = [
        NewTask("a" * 16, '"tried"', attempt=2, crashes=1),
        NewTask("b" * 16, '"suspect"', attempt=1, crashes=3),
        NewTask("c" * 16, '"later"', attempt=3, crashes=2, due=4102444800.0),
        NewTask("d" * 16, "1.50"),
    ]
    source.open().put(past)
    assert move(source, target).moved == 4
    entries = {entry.id: entry for entry in target.open().list()}
    for task in past:
        entry = entries[task.id]
        assert (entry.param, entry.attempt, entry.crashes) == (task.param, task.attempt, task.crashes)
    later = entries["c" * 16]
    assert later.state == "delayed"
    assert later.due == pytest.approx(4102444800.0, abs=10)


def test_tasks_that_are_handed_out_alone_go_all_the_same(source, target):
    """One after the other, among others."""
    source.fill(5, crashes=2)
    source.open().put([NewTask("f" * 16, "5")])
    assert move(source, target).moved == 6
    assert source.counts() == {}


def test_what_is_held_done_or_dead_stays(source, target):
    """As it is, and its minion is not disturbed."""
    source.fill(10)
    minion = source.open("minion")
    held, done, dead = minion.exchange(limit=3).tasks
    minion.exchange([Ack(done), Bury(dead, Failure("exit", "exit 1", 1))])
    assert move(source, target).moved == 7
    assert source.counts() == {"leased": 1, "done": 1, "dead": 1}
    assert minion.renew([held]) == []
    assert minion.exchange([Ack(held)]).gone == ()


def test_a_drained_queue_can_be_moved(source, target):
    """It gives no minion anything: its tasks are taken from the list."""
    source.fill(FIRST + 5)
    source.open().control(Control("ana@host", 4102444800.0))
    assert move(source, target).moved == FIRST + 5
    assert (source.counts(), target.counts()) == ({}, {"pending": FIRST + 5})


def test_a_source_that_forgets_nothing_says_done(source, target):
    """Where a task cannot be taken off, it is settled."""
    source = Queue(Settled)
    source.fill(5)
    source.open().put([NewTask("f" * 16, "5", due=4102444800.0)])
    assert move(source, target).moved == 5
    assert source.counts() == {"done": 5, "delayed": 1}


# ---------------------------------------------------------------------- twice


def test_what_is_there_already_is_added_once(source, target):
    """By its id, as after a copy that was killed before it took them off."""
    source.fill(10)
    target.fill(4)
    minion = target.open("minion")
    minion.exchange([Ack(task) for task in minion.exchange(limit=1).tasks])
    mover = move(source, target)
    assert (mover.moved, mover.known) == (10, {"done": 1, "pending": 3})
    assert (source.counts(), target.counts()) == ({}, {"pending": 9, "done": 1})


def test_nobody_is_blamed_for_a_copy_that_vanished(source, target):
    """What it held comes back with no crash to its name, and goes with the next one."""
    source.fill(10)
    source.open("vanished", preemptible=True).exchange(limit=5)
    assert move(source, target).moved == 5
    source.clock.advance(100)
    assert move(source, target).moved == 5
    assert {entry.crashes for entry in target.open().list()} == {0}


def test_two_copies_at_work_on_the_same_list_move_each_task_once(source, target):
    """The other one took some off that this one has listed."""
    source.fill(10, due=4102444800.0)
    giver, taker = source.open("mover"), target.open("mover")
    first = Mover(giver, taker)
    put, others = taker.put, []

    def and_another_one(tasks):
        taker.put = put
        others.append(move(source, target).moved)
        return put(tasks)

    taker.put = and_another_one
    first.run()
    assert (first.moved, len(first.taken), others) == (0, 10, [10])
    assert (source.counts(), target.counts()) == ({}, {"delayed": 10})


def test_a_task_that_is_cancelled_just_before_it_would_be_taken_off_harms_none(source, target):
    """All others of its batch are taken off."""
    source.fill(10)
    giver, taker = source.open("mover"), target.open("mover")
    renew = giver.renew

    def and_a_cancellation(held):
        gone = renew(held)
        source.open("ana").remove([f"{3:016x}"])
        return gone

    giver.renew = and_a_cancellation
    Mover(giver, taker).run()
    assert source.counts() == {}
    assert target.counts() == {"pending": 10}


# ---------------------------------------------------------------------- what others take meanwhile


def test_what_was_lost_while_it_was_put_is_left_to_its_new_holder(source, target):
    """The put took longer than the lease: a minion has the task now, and keeps it."""
    source.fill(3)
    giver, taker, minion = source.open("mover"), target.open("mover"), source.open("minion")
    put, held = taker.put, []

    def slowly(tasks):
        taker.put = put
        source.clock.advance(100)
        held.extend(minion.exchange(limit=2).tasks)
        return put(tasks)

    taker.put = slowly
    mover = Mover(giver, taker)
    mover.run()
    assert len(held) == 2
    assert (mover.moved, len(mover.taken)) == (1, 2)
    assert minion.exchange([Ack(task) for task in held]).gone == ()
    assert source.counts() == {"done": 2}


def test_a_listed_task_that_a_minion_took_meanwhile_is_left_to_it(source, target):
    """It came due while it was put into the target."""
    source.open().put([NewTask("a" * 16, "1", due=4102444800.0)])
    giver, taker, minion = source.open("mover"), target.open("mover"), source.open("minion")
    put, held = taker.put, []

    def slowly(tasks):
        source.clock.advance(5e9)
        held.extend(minion.exchange(limit=1).tasks)
        return put(tasks)

    taker.put = slowly
    mover = Mover(giver, taker)
    mover.run()
    assert (mover.moved, len(mover.taken)) == (0, 1)
    assert minion.renew(held) == []


# ---------------------------------------------------------------------- what cannot go


def test_a_message_that_is_no_param_stays(source, target):
    """It is given back, and named with the reason; what comes behind it goes."""
    source.fill(5)
    source.open().put([NewTask("a" * 16, "?", error="it is not JSON\nat all"), NewTask("b" * 16, "7")])
    mover = move(source, target)
    assert (mover.moved, mover.refused) == (6, {"a" * 16: "it is not JSON"})
    assert source.counts() == {"pending": 1}


def test_a_message_that_is_no_param_stays_in_a_drained_queue_too(source, target):
    """There it is listed, not handed out."""
    source.open().put([NewTask("a" * 16, "?", error="it is not JSON"), NewTask("b" * 16, "7")])
    source.open().control(Control("ana@host", 4102444800.0))
    mover = move(source, target)
    assert (mover.moved, list(mover.refused)) == (1, ["a" * 16])
    assert source.params() == ["?"]


def test_params_that_the_target_does_not_take_stay(source, target):
    """Those alone, given back, and each named with the reason."""
    target = Queue(Frugal)
    source.fill(11)
    mover = move(source, target)
    assert mover.moved == 6
    assert mover.refused == {f"{n:016x}": f"{n} is odd." for n in (1, 3, 5, 7, 9)}
    assert source.params("pending") == ["1", "3", "5", "7", "9"]
    assert target.params() == ["0", "2", "4", "6", "8", "10"]


def test_suspects_go_although_others_were_refused(source, target):
    """A task under suspicion is given only to who holds nothing: the refused ones are let go of for it."""
    source.open().put([NewTask("a" * 16, "?", error="it is not JSON"), NewTask("b" * 16, "7")])
    source.fill(4, crashes=2)
    mover = move(source, target)
    assert mover.moved == 5
    assert source.params("pending") == ["?"]


def test_a_queue_of_refused_tasks_alone_comes_to_an_end(source, target):
    """They are asked for a bounded number of times."""
    source.open().put([NewTask(f"{n:016x}", "?", error="it is not JSON") for n in range(3)])
    mover = move(source, target)
    assert (mover.moved, len(mover.refused)) == (0, 3)
    assert source.counts() == {"pending": 3}


# ---------------------------------------------------------------------- the end


def test_a_copy_that_is_stopped_finishes_its_batch(source, target):
    """And holds nothing any more."""
    source.fill(3 * FIRST)
    mover = move(source, target, stop=lambda: bool(target.counts()))
    assert mover.moved == FIRST
    assert source.counts() == {"pending": 2 * FIRST}


def test_a_target_that_stops_answering_leaves_the_rest_at_the_source(source, target):
    """Given back at once."""
    source.fill(2 * FIRST)
    giver, taker = source.open("mover"), target.open("mover")
    put = taker.put

    def once(tasks):
        taker.put = out
        return put(tasks)

    def out(tasks):
        raise EngineUnavailable("the server went away")

    taker.put = once
    with pytest.raises(EngineUnavailable):
        Mover(giver, taker).run()
    giver.close()
    assert (source.counts(), target.counts()) == ({"pending": FIRST}, {"pending": FIRST})


def test_an_error_says_what_was_moved_before_it(source, target, capsys):
    """It is for good: the next copy has less to do."""
    source.fill(2 * FIRST)
    giver, taker = source.open("mover"), target.open("mover")
    put = taker.put

    def once(tasks):
        if target.counts():
            raise EngineUnavailable("the server went away")
        return put(tasks)

    taker.put = once
    with pytest.raises(EngineUnavailable):
        copy._move(giver, taker, "minion-queue copy ...")
    assert f": {FIRST} moved before this:\n" in capsys.readouterr().err


def test_refused_tasks_are_named_with_the_reason(source, target, capsys):
    """The first ones; of the others, how many. And the exit code says that not all went."""
    target = Queue(Frugal)
    source.fill(30)
    assert copy._move(source.open("mover"), target.open("mover"), "minion-queue copy ...") == 1
    said = capsys.readouterr()
    assert said.out.endswith(": 15 moved; 15 pending stay\n")
    assert said.err.splitlines()[0] == f"minion-queue copy: task {1:016x} stays: 1 is odd."
    assert said.err.splitlines()[-1] == "... and 5 more"


def test_what_the_target_had_is_said(source, target, capsys):
    """And in which state it is there."""
    source.fill(3)
    target.fill(2)
    assert copy._move(source.open("mover"), target.open("mover"), "minion-queue copy ...") == 0
    assert capsys.readouterr().out.endswith(": 3 moved, of which 2 were there already (2 pending)\n")


def test_a_refused_task_that_is_given_back_was_no_attempt(source, target):
    """Nor is it put off."""
    source.open().put([NewTask("a" * 16, "?", attempt=2, error="it is not JSON")])
    minion = source.open("minion")
    minion.exchange([Nack(task, charge=False) for task in minion.exchange(limit=1).tasks])
    move(source, target)
    (entry,) = source.open().list("pending")
    assert entry.attempt == 2


# ---------------------------------------------------------------------- what is typed


def side(text, **environ):
    """Read ENGINE as the command does."""
    return copy._side(load({}, environ, "/nowhere"), text, "--from")


@pytest.mark.parametrize(
    ("text", "row", "address"),
    [
        ("sqlite", table.SQLITE_PATH, "usual.db"),
        ("sqlite:old.db", table.SQLITE_PATH, "old.db"),
        ("sqlite:/tmp/with:colon.db", table.SQLITE_PATH, "/tmp/with:colon.db"),
        ("spool:/scratch/q", table.SPOOL_DIR, "/scratch/q"),
        ("file:params.txt", table.FILE_PATH, "params.txt"),
        ("execo:sweeps2", table.EXECO_DIRECTORY, "sweeps2"),
        ("redis://host:6380/1", table.REDIS_URL, "redis://host:6380/1"),
        ("redis:rediss://host:6380/1", table.REDIS_URL, "rediss://host:6380/1"),
    ],
)
def test_an_engine_may_have_an_address(text, row, address):
    """It goes to the setting of that engine; without one the usual settings count."""
    settings = side(text, SQLITE_PATH="usual.db", MINION_ENGINE="redis")
    assert settings[table.ENGINE] == text.partition(":")[0]
    assert settings[row] == address


@pytest.mark.parametrize("text", ["", ":old.db", "sqlite:"])
def test_an_engine_or_an_address_that_is_missing_is_an_error(text):
    """With an example."""
    with pytest.raises(UsageError, match=r"engine:address as in sqlite:old\.db"):
        side(text)


def test_an_unknown_engine_is_answered_by_the_nearest():
    """In the words of the command line."""
    with pytest.raises(UsageError, match=r'^--from "reddis" is not an engine\. Did you mean "redis"\?'):
        side("reddis:x")


def test_a_second_ctrl_c_does_not_wait_for_the_batch():
    """The first one does."""
    with copy._Stop() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert (stop(), stop.number) == (True, signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
