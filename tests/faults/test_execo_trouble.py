"""A sweep whose files are damaged, locked or deleted: a clear error, nothing lost."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from execo_sweeps import ParamSweeper, drain, sweeps_fixture  # noqa: F401 - a fixture
from harness import wait_until

from minionize.engines.execo import journal, sweeper
from minionize.errors import EngineError, EngineUnavailable, NoQueue, UsageError
from minionize.model import Ack, Bury, Control, Counts, Failure, Nack, NewTask

FAILURE = Failure("exit", "exit code 1", exit=1)
#: Holds the lock of execo's file of what is done, and says so.
HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "ab+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04\x95", b"alpha,beta\n1,2\n", pickle.dumps([1, 2]), pickle.dumps({1, 2})[:-3]]
)
def test_a_list_of_sweeps_that_cannot_be_read_is_left_as_it_is(sweeps, content):
    """Truncated, or of something else."""
    sweeps.make(range(3))
    with open(sweeps.file("sweeps"), "wb") as file:
        file.write(content)
    with pytest.raises(
        EngineError, match=r"sweeps cannot be read as the sweeps of a ParamSweeper.*left as it is"
    ) as caught:
        sweeps.open()
    assert not isinstance(caught.value, EngineUnavailable)
    assert sweeps.read("sweeps") == content


def test_a_list_with_a_class_of_the_users_own_says_where_to_look(sweeps):
    """It is found where PYTHONPATH says."""
    sweeps.make(range(3))
    content = b"\x80\x04cno_such_module_of_ours\nmade_here\n."
    with open(sweeps.file("sweeps"), "wb") as file:
        file.write(content)
    with pytest.raises(EngineError, match="no_such_module_of_ours") as caught:
        sweeps.open()
    assert "PYTHONPATH" in str(caught.value)


def test_a_list_that_breaks_under_a_minion_loses_nothing(sweeps):
    """What it holds can be settled once the list is whole again."""
    sweeps.make(range(3))
    engine = sweeps.open()
    (task,) = engine.exchange(limit=1).tasks
    whole = sweeps.read("sweeps")
    with open(sweeps.file("sweeps"), "wb") as file:
        file.write(whole[:-2])
    with pytest.raises(EngineError, match="cannot be read"):
        engine.exchange([Ack(task)])
    with open(sweeps.file("sweeps"), "wb") as file:
        file.write(whole)
    assert engine.exchange([Ack(task)]).gone == ()
    assert drain(engine) == ["1", "2"]


def test_a_list_that_was_deleted_is_not_an_empty_one(sweeps):
    """Execo would make one that nobody can read."""
    sweeps.make(range(3))
    engine = sweeps.open()
    os.unlink(sweeps.file("sweeps"))
    with pytest.raises(EngineError, match="was deleted"):
        engine.exchange(limit=1)
    assert not os.path.exists(sweeps.file("sweeps"))


@pytest.mark.parametrize("content", [b"", b"garbage", b"garbage\n", b'{"format":"other"}\n', b"[]\n[]\n"])
def test_a_journal_that_is_none_is_left_as_it_is(sweeps, content):
    """And it is said how to go on without it."""
    sweeps.make(range(3))
    with open(sweeps.file("minionize.journal"), "wb") as file:
        file.write(content)
    with pytest.raises(EngineError, match="damaged, or no journal") as caught:
        sweeps.open()
    assert f"mv {sweeps.file('minionize.journal')}" in str(caught.value)
    assert sweeps.read("minionize.journal") == content


@pytest.mark.parametrize("tail", [b'[["done",77,' + b"1," * 5000, b"\0" * 100, b"\0\0\0\n"])
def test_the_end_of_a_journal_that_was_never_written_is_cut_off(sweeps, tail):
    """A machine that lost its power leaves half a line, or zeros."""
    sweeps.make(range(3))
    engine = sweeps.open()
    assert drain(engine, 1)
    engine.put([NewTask("x", '"x"')])
    engine.close()
    with open(sweeps.file("minionize.journal"), "ab") as file:
        file.write(tail)
    again = sweeps.open("b")
    assert again.counts() == Counts(1, 0, 0, 3, 0)
    assert tail not in sweeps.read("minionize.journal")
    assert sweeps.read("minionize.journal").endswith(b"]\n")
    assert drain(again) == ['"x"']


def test_a_journal_damaged_in_its_middle_is_not_believed(sweeps):
    """Something else than a crash did that."""
    sweeps.make(range(3))
    sweeps.open().close()
    lines = sweeps.read("minionize.journal").split(b"\n")
    lines[2] = lines[2][:-5]
    with open(sweeps.file("minionize.journal"), "wb") as file:
        file.write(b"\n".join(lines))
    before = sweeps.read("minionize.journal")
    with pytest.raises(EngineError, match="damaged"):
        sweeps.open("b")
    assert sweeps.read("minionize.journal") == before


def test_a_journal_that_is_written_anew_says_the_same(sweeps, monkeypatch):
    """All that is known of tasks and minions, to those that have it open and to those that come."""
    sweeps.make(range(8))
    one, two = sweeps.open("one"), sweeps.open("two")
    done, failed, dead, held = one.exchange(limit=4).tasks
    one.exchange([Ack(done, '{"loss":0.10}'), Nack(failed, delay=30.0, failure=FAILURE), Bury(dead, FAILURE)])
    one.put([NewTask("mine", "0.10", attempt=2, crashes=1)])
    ParamSweeper(sweeps.path).get_next_batch(1)
    two.control(Control("somebody", 1.0))
    before, counts, size = list(two.list()), two.counts(), len(sweeps.read("minionize.journal"))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_SMALL", 0)
        patch.setattr(journal, "_GROWTH", 0)
        two.control(None)
    assert len(sweeps.read("minionize.journal")) < size
    for engine in (one, two, sweeps.open("three")):
        assert engine.counts() == counts
        assert [entry._replace(due=None) for entry in engine.list()] == [entry._replace(due=None) for entry in before]
        assert engine.queue == one.queue
    assert one.renew([held]) == []
    assert one.exchange([Ack(held), Ack(done)]).gone == ()
    assert sorted(drain(two)) == ["0.10", "5", "6", "7"]


def test_a_journal_does_not_grow_for_ever(sweeps, monkeypatch):
    """It is written anew when it is several times as large as it need be."""
    monkeypatch.setattr(journal, "_SMALL", 10_000)
    sweeps.make(range(20))
    engine = sweeps.open()
    (task,) = engine.exchange(limit=1).tasks
    for _ in range(300):
        assert engine.renew([task]) == []
    assert len(sweeps.read("minionize.journal")) < 30_000


def test_locks_of_execo_are_not_waited_for_for_ever(sweeps, monkeypatch):
    """Execo's own user was stopped while it held them: that is said, with its name, and what to do."""
    monkeypatch.setattr(sweeper, "PATIENCE", 0.05)
    sweeps.make(range(3))
    engine = sweeps.open()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, sweeps.file("done")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            os.kill(process.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            with pytest.raises(EngineUnavailable, match=f"held by process {process.pid} .*which is stopped"):
                engine.exchange(limit=1)
        finally:
            process.kill()
    assert drain(engine) == ["0", "1", "2"]


def test_a_lock_of_ours_is_not_waited_for_for_ever(sweeps):
    """Another minion was stopped in the middle of a turn."""
    sweeps.make(range(3))
    engine, other = sweeps.open("a"), sweeps.open("b")
    other._guard.acquire()
    engine._guard._patience = 0.05
    with pytest.raises(EngineUnavailable, match="minionize.lock has been held"):
        engine.exchange(limit=1)
    other._guard.release()
    engine._guard._patience = 30.0
    assert drain(engine) == ["0", "1", "2"]


def test_a_directory_that_was_deleted_under_a_minion_says_so(sweeps):
    """And is not made again by those that still use it."""
    sweeps.make(range(3))
    engine = sweeps.open()
    engine.exchange(limit=1)
    shutil.rmtree(sweeps.path)
    with pytest.raises(NoQueue, match="deleted or replaced"):
        engine.exchange(limit=1)
    engine.close()
    assert not os.path.exists(sweeps.path)


def test_a_settlement_may_be_repeated_after_another_minion_took_the_task(sweeps):
    """As after an answer that was lost: it is accepted, and the new holder is left alone."""
    sweeps.make(range(1))
    engine, other = sweeps.open("a"), sweeps.open("b")
    (task,) = engine.exchange(limit=1).tasks
    engine.exchange([Nack(task)])
    (again,) = other.exchange(limit=1).tasks
    assert engine.exchange([Nack(task)]).gone == ()
    assert other.renew([again]) == []
    assert other.exchange([Ack(again)]).gone == ()


def test_an_error_of_the_user_breaks_nothing(sweeps):
    """An id that nobody has is an error; the engine goes on."""
    sweeps.make(range(3))
    engine = sweeps.open()
    with pytest.raises(UsageError, match="there is no task nobody"):
        engine.remove(["nobody"])
    assert drain(engine) == ["0", "1", "2"]


def test_two_engines_of_one_process_exclude_each_other(sweeps):
    """Two ParamSweepers of one process do not: execo's locks are those of the process."""
    sweeps.make(range(120))
    engines = [sweeps.open(f"minion{n}") for n in range(3)]
    taken = []
    threads = [threading.Thread(target=lambda engine=engine: taken.append(drain(engine, 1))) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(int(param) for params in taken for param in params) == list(range(120))


def test_the_journal_is_lines_of_json(sweeps):
    """So that people can read what happened."""
    sweeps.make(range(3))
    drain(sweeps.open())
    header, *lines = [json.loads(line) for line in sweeps.read("minionize.journal").splitlines()]
    assert header == {"format": "minionize-execo", "version": 1}
    assert {change[0] for line in lines for change in line} >= {"task", "take", "done", "ok"}


def test_a_wait_ends_when_another_minion_gives_back(sweeps):
    """The journal is watched; the clock need not move."""
    sweeps.make(range(1))
    holder, waiter = sweeps.open("a"), sweeps.open("b")
    (task,) = holder.exchange(limit=1).tasks
    found = []
    thread = threading.Thread(target=lambda: found.extend(waiter.exchange(limit=1, wait=30.0).tasks))
    thread.start()
    wait_until(thread.is_alive, "the thread runs")
    holder.exchange([Nack(task, charge=False)])
    thread.join(30)
    assert [task.delivery for task in found] == [2]
