"""The lock around every write of the sqlite engine."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from minionize.engines.guard import Guard, holder
from minionize.errors import EngineUnavailable

#: Seconds that a test waits for an event before it fails.
PATIENCE = 30.0
#: Holds the lock of a path and says so.
HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    """Name a lock file."""
    return str(tmp_path / "queue.db-lock")


@pytest.fixture
def guard(path):
    """Make guards on the same file, as different minions have them."""
    guards = []

    def make(patience=PATIENCE):
        guards.append(Guard(path, patience))
        return guards[-1]

    yield make
    for one in guards:
        one.close()


@pytest.fixture
def other(path):
    """Have the lock held by another process, until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def can_lock(path):
    """Tell whether nobody holds the lock."""
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def wait_until(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def test_a_guard_makes_its_file(path, guard):
    """The first minion of a queue finds none."""
    guard()
    assert os.path.getsize(path) == 0


def test_one_at_a_time_holds_the_guard(path, guard):
    """From acquire to release, and again and again."""
    one = guard()
    for _ in range(3):
        one.acquire()
        assert not can_lock(path)
        one.release()
        assert can_lock(path)


def test_who_waits_gets_it_when_it_is_released(guard):
    """Another thread's guard, as another minion's."""
    one, two = guard(), guard()
    order = []
    one.acquire()

    def wait():
        two.acquire()
        order.append("two")
        two.release()

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(lambda: two._waiting)
    order.append("one")
    one.release()
    thread.join(PATIENCE)
    assert order == ["one", "two"]


def test_many_threads_count_without_losing_one(guard):
    """What the lock is for."""
    total = [0]

    def count(one):
        for _ in range(50):
            one.acquire()
            seen = total[0]
            time.sleep(0)  # invite the others
            total[0] = seen + 1
            one.release()

    threads = [threading.Thread(target=count, args=(guard(),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert total == [300]


def test_patience_ends_with_the_name_of_who_holds_it(guard, other):
    """The message says which process, and what to type."""
    with pytest.raises(EngineUnavailable) as caught:
        guard(0.01).acquire()
    assert f"held by process {other.pid} (python" in str(caught.value)
    assert "for over 0.01 s" in str(caught.value)
    assert f"kill -CONT {other.pid}" in str(caught.value)


def test_a_holder_that_is_stopped_is_said_to_be(guard, other):
    """That is why it does not let go."""
    os.kill(other.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(EngineUnavailable, match="which is stopped"):
        guard(0.01).acquire()


def test_a_holder_that_cannot_be_seen_is_another_process(guard, other, monkeypatch):
    """One in another container, say: the kernel tells us no pid."""
    monkeypatch.setattr("minionize.engines.guard.holder", lambda fd: None)
    with pytest.raises(EngineUnavailable) as caught:
        guard(0.01).acquire()
    assert "another process" in str(caught.value)
    assert "kill" not in str(caught.value)


def test_a_lock_that_comes_too_late_is_handed_back(path, guard, other):
    """Who gave up does not hold what it was given afterwards."""
    one = guard(0.01)
    with pytest.raises(EngineUnavailable):
        one.acquire()
    other.stdin.close()
    wait_until(lambda: not one._waiting)
    assert can_lock(path)


def test_who_gave_up_may_ask_again(path, guard, other):
    """While the lock is still held, and after."""
    one = guard(0.01)
    for _ in range(3):
        with pytest.raises(EngineUnavailable):
            one.acquire()
    one._patience = PATIENCE
    other.stdin.close()
    one.acquire()
    assert not can_lock(path)
    one.release()
    assert can_lock(path)


def test_a_holder_that_dies_lets_go(path, guard, other):
    """The kernel sees to it."""
    one = guard()
    other.kill()
    one.acquire()
    assert not can_lock(path)


def test_a_child_that_inherited_the_open_file_holds_nothing(path, guard):
    """A lock is released by name, not by closing: a child just spawned still has the file open for a moment."""
    one = guard()
    one.acquire()
    with subprocess.Popen(["sleep", "1000"], pass_fds=(one._fd,)) as child:
        one.release()
        assert can_lock(path)
        child.kill()


def test_a_guard_is_closed_to_programs_that_are_executed(guard):
    """A task does not get it."""
    assert not os.get_inheritable(guard()._fd)


def test_closing_may_be_repeated(path):
    """And lets go of the file."""
    one = Guard(path)
    one.close()
    one.close()
    assert can_lock(path)


def test_closing_while_a_helper_waits_breaks_nothing(path, other):
    """The file stays open until the helper has had its turn."""
    one = Guard(path, 0.01)
    with pytest.raises(EngineUnavailable):
        one.acquire()
    one.close()
    other.stdin.close()
    wait_until(lambda: not one._waiting)
    assert can_lock(path)
    one.close()


def test_nobody_holds_a_free_lock(path, guard):
    """Then there is no pid to name."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    assert holder(fd) is None
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert holder(fd) == os.getpid()
    os.close(fd)
