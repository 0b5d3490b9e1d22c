"""``minion-queue copy``: the real command between real queues, killed at every step, beside others and beside minions."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter

import pytest
from servers import redis_server
from servers.need import EVERYTHING

from minionize import place
from minionize.app import open_engine
from minionize.cli.copy import _side
from minionize.model import Ack, Bury, Failure, NewTask
from minionize.settings import load

from .harness import signal, until

#: Engines that are copied from and to: what makes the address of a new queue, ``source`` or ``target``, in a directory.
ENGINES = {
    "sqlite": lambda path, name: f"sqlite:{path}/{name}.db",
    "spool": lambda path, name: f"spool:{path}/{name}.d",
    "execo": lambda path, name: f"execo:{path}/{name}",
    "redis": lambda path, name: f"{redis_server.shared().url.rpartition('/')[0]}/{('source', 'target').index(name)}",
}
#: Each engine as a source and as a target. That any two go together follows: they meet in the tasks alone.
PAIRS = [("sqlite", "sqlite")] + [pair for name in list(ENGINES)[1:] for pair in ((name, "sqlite"), ("sqlite", name))]
#: Leases so short that what a killed copy held comes back while a test waits; on one host it comes at once.
BRIEF = {"MINION_LEASE": "1s"}
#: A param's task is in a future that no test lives to see.
FAR = 4102444800.0

#: Runs the command, and sends it a signal where it comes to a step for the N-th time.
DRIVER = """
import os, sys
from minionize.cli.queue import main
from minionize.mover import Mover
when, name, times, number = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
method, calls = getattr(Mover, name), []
def stopping(*arguments, **options):
    calls.append(None)
    if when == "before" and len(calls) == times:
        os.kill(os.getpid(), number)
    result = method(*arguments, **options)
    if when == "after" and len(calls) == times:
        os.kill(os.getpid(), number)
    return result
setattr(Mover, name, stopping)
sys.exit(main(sys.argv[5:]))
"""
#: The steps of a copy of several batches: before or after which call of the mover, and which time.
STEPS = {
    "before anything": ("before", "run", 1),
    "when the delayed ones were put": ("after", "_put", 1),
    "when the delayed ones were taken off": ("after", "_take_off", 1),
    "before a claim": ("before", "_claim", 2),
    "after the first claim": ("after", "_claim", 1),
    "after a later claim": ("after", "_claim", 2),
    "when a batch was put": ("after", "_put", 3),
    "before a batch is taken off": ("before", "_take_off", 3),
    "when a batch was taken off": ("after", "_take_off", 3),
    "when all is done": ("after", "run", 1),
}


#: Where being killed makes a difference to the two queues: tried with every pair, the others with the first one.
CRUCIAL = ("after a later claim", "when a batch was put", "when a batch was taken off")
KILLS = [(pair, step) for pair in PAIRS for step in STEPS if pair == PAIRS[0] or step in CRUCIAL]
if not EVERYTHING:
    KILLS = [(pair, step) for pair, step in KILLS if pair == PAIRS[0] or step == CRUCIAL[1]]
#: The pairs for what two queues have little to do with.
SOME = PAIRS if EVERYTHING else PAIRS[:1]


class Two:
    """Two queues, and the command between them."""

    def __init__(self, here, pair):
        self.here = here
        self.source, self.target = (
            ENGINES[engine](here.path, name) for engine, name in zip(pair, ("source", "target"), strict=True)
        )
        self.words = ("copy", "--from", self.source, "--to", self.target)
        self.environ = {"REDIS_STREAM": redis_server.stream_name()}
        here.environ.update(self.environ)

    def open(self, address):
        """Open one of them, making it if it is not there."""
        settings = _side(load({}, self.environ, str(self.here.path)), address, "--from")
        return open_engine(settings, place.identity(), create=True)

    def fill(self, count, **past):
        """Put so many params into the source."""
        engine = self.open(self.source)
        engine.put([NewTask(f"{n:016x}", str(n), **past) for n in range(count)])
        engine.close()

    def counts(self, address):
        """Read the books, without the states that no task is in."""
        engine = self.open(address)
        counts = engine.counts()
        engine.close()
        return {name: count for name, count in counts._asdict().items() if count}

    def take_all(self, address):
        """Take and settle all that is pending: what was there, each as (id, attempt, crashes)."""
        engine, found = self.open(address), []
        while tasks := engine.exchange(limit=1000, wait=0.2).tasks:
            found += [(task.id, task.attempt, task.crashes) for task in tasks]
            engine.exchange([Ack(task) for task in tasks])
        engine.close()
        return found

    def copy(self, **environ):
        """Copy, to the end."""
        return self.here.run("minion-queue", *self.words, **BRIEF, **environ)

    def stopped(self, step, number):
        """Copy, with a signal at a step."""
        when, name, times = STEPS[step]
        words = (when, name, str(times), str(int(number)))
        return self.here.run(sys.executable, "-c", DRIVER, *words, *self.words, **BRIEF)

    def copy_until_nothing_is_left(self):
        """Copy again and again, until what others held has come back and gone."""

        def emptied():
            done = self.copy()
            assert done.code == 0, done.err
            return not self.counts(self.source)

        until(emptied, "an empty source")


@pytest.fixture
def two(request, here):
    """Return two new queues, of the pair of engines that the test asks for."""
    return Two(here, request.param)


def named(pair, *words):
    """Name a case of a test."""
    return " ".join([" to ".join(pair), *words])


some_pairs = pytest.mark.parametrize("two", SOME, ids=named, indirect=True)
every_pair = pytest.mark.parametrize("two", PAIRS, ids=named, indirect=True)


@every_pair
def test_what_waits_is_moved_and_the_rest_is_said(two):
    """Pending and delayed go with their past; held, done and dead stay."""
    two.fill(1000, attempt=2, crashes=1)
    minion = two.open(two.source)
    minion.put([NewTask("f" * 16, '"later"', due=FAR)])
    *held, done, dead = minion.exchange(limit=4).tasks
    minion.exchange([Ack(done), Bury(dead, Failure("exit", "exit 1", 1))])
    ran = two.copy()
    assert minion.renew(held) == []
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(
        r".+ -> .+: 997 moved; 2 held by minions \(run it again later\), 1 done, 1 dead stay\n",
        ran.out,
    )
    assert two.counts(two.source) == {"leased": 2, "done": 1, "dead": 1}
    assert two.counts(two.target) == {"pending": 996, "delayed": 1}
    others = {task.id for task in (*held, done, dead)}
    expected = [(f"{n:016x}", 2, 1) for n in range(1000) if f"{n:016x}" not in others]
    assert sorted(two.take_all(two.target)) == expected
    minion.close()


@pytest.mark.parametrize(("two", "step"), KILLS, ids=[named(*kill) for kill in KILLS], indirect=["two"])
def test_a_copy_that_is_killed_loses_nothing_and_repeats_nothing(two, step):
    """By kill -9 at that step; then another copy: each task is in the target once, with nothing to its name."""
    two.fill(1000)
    engine = two.open(two.source)
    engine.put([NewTask("f" * 16, '"later"', due=FAR)])
    engine.close()
    assert two.stopped(step, signal.SIGKILL).code == -signal.SIGKILL
    two.copy_until_nothing_is_left()
    assert two.counts(two.target) == {"pending": 1000, "delayed": 1}
    assert sorted(two.take_all(two.target)) == [(f"{n:016x}", 1, 0) for n in range(1000)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@some_pairs
def test_a_copy_that_is_stopped_holds_nothing_and_says_how_to_go_on(two, number):
    """The batch at hand is finished; the rest is there for minions at once, and for the next copy."""
    two.fill(1000)
    ran = two.stopped("after the first claim", number)
    assert ran.code == 128 + number
    assert "256 moved; 744 pending stay" in ran.out
    assert ran.err == (
        "minion-queue copy: stopped. Nothing is lost; go on with:\n"
        f"  minion-queue copy --from {two.source} --to {two.target}\n"
    )
    assert two.counts(two.source) == {"pending": 744}
    assert two.copy().out.endswith(": 744 moved\n")


@some_pairs
def test_two_copies_at_once_move_each_task_once(two):
    """Whoever gets it first."""
    two.fill(1500)
    copies = [two.here.start("minion-queue", *two.words) for _ in range(2)]
    ends = [copy.wait() for copy in copies]
    assert [end.code for end in ends] == [0, 0], ends
    assert sum(int(re.search(r"(\d+) moved", end.out)[1]) for end in ends) == 1500
    assert sorted(two.take_all(two.target)) == [(f"{n:016x}", 1, 0) for n in range(1500)]


@some_pairs
def test_minions_work_on_both_queues_meanwhile(two):
    """Each param runs once, here or there."""
    two.fill(800)
    script = two.here.script("note", 'echo "$1" >> ran')

    def minion(address):
        engine, _, path = address.partition(":")
        where = {"MINION_ENGINE": engine, variable(address): path if engine != "redis" else address}
        return two.here.start("minionize", "-q", "--idle-timeout", "2s", script, "{}", **where)

    first = minion(two.source)
    two.here.wait_for_lines("ran", 20)
    assert two.copy().code == 0
    second = minion(two.target)
    assert [first.wait().code, second.wait().code] == [0, 0]
    assert two.copy().code == 0  # what the first one had taken and given back
    assert minion(two.target).wait().code == 0
    assert Counter(two.here.lines("ran")) == Counter(str(n) for n in range(800))


def variable(address):
    """Return the variable of an engine's address."""
    from minionize.cli.copy import ADDRESSES

    return ADDRESSES[address.partition(":")[0]].name


# ---------------------------------------------------------------------- what is typed wrong


def test_the_same_queue_twice_is_an_error(here):
    """Also by another name."""
    here.put("a")
    (here.path / "link.db").symlink_to("minion-queue.db")
    done = here.run("minion-queue", "copy", "--from", "sqlite", "--to", "sqlite:link.db")
    assert (done.code, done.err) == (
        2,
        "minion-queue copy: sqlite and sqlite:link.db are the same queue: minion-queue.db\n",
    )
    assert here.books() == {"pending": 1}


def test_a_source_that_is_not_there_makes_no_target(here):
    """Nothing is created."""
    done = here.run("minion-queue", "copy", "--from", "sqlite:old.db", "--to", "sqlite:new.db")
    assert done.code == 2
    assert "there is no queue at old.db" in done.err
    assert here.names() == []


def test_both_ends_must_be_named(here):
    """A copy takes things away: nothing is guessed."""
    done = here.run("minion-queue", "copy", "--to", "sqlite:new.db")
    assert (done.code, "--from" in done.err) == (2, True)


def test_a_file_of_lines_can_be_copied_from(here):
    """From the queue beside it, once minions have made that."""
    here.write("params.txt", "a\nb\nc\n")
    here.minionize("-q", "--max-tasks", "1", "true", MINION_ENGINE="file", FILE_PATH="params.txt")
    done = here.run("minion-queue", "copy", "--from", "file:params.txt", "--to", "sqlite")
    assert done.out == "params.txt.queue.db -> minion-queue.db: 2 moved; 1 done stay\n"
    assert [json.loads(param) for param in here.params()] == ["b", "c"]
