"""The slots of a minion: their time limits and what starting in them may raise; and the outlet of what they write."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from minionize.callbacks.base import Launch
from minionize.console import LIMIT, Outlet
from minionize.errors import BadParam, HostTrouble
from minionize.model import Task
from minionize.slots import output, pool
from minionize.testing import FakeClock

#: Seconds that a test waits for an event before it fails. No test asserts a time.
PATIENCE = 30.0
TASK = Task("1", "1", 1, 1)
SLEEP = [b"/bin/sleep", b"1000"]
TRUE = [b"/bin/sh", b"-c", b":"]


def wait_until(condition, what):
    """Wait until a condition holds; fail after a while."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.005)


class Slots:
    """A pool of real processes on a clock that stands."""

    def __init__(self, directory, clock):
        self.clock, self.poller = clock, select.epoll()
        warden = SimpleNamespace(sessions=[0, 0], directory=str(directory / "scratch"), pid=0, dismiss=lambda: None)
        outputs = [output.Dropped(self.poller)]
        self.launch = Launch(TRUE)
        self.pool = pool.Pool(
            outputs, self.poller, warden, {b"A": b"1"}, lambda task, slot: self.launch, timeout=10.0, grace=1.0
        )

    def start(self, argv, environment=None):
        """Start a task; gives its slot."""
        self.launch = Launch(argv, environment or {})
        assert self.pool.start(TASK) is True
        return next(iter(self.pool.running.values()))

    def tick(self):
        """Do what is due."""
        return self.pool.tick(self.clock())

    def wait(self, slot):
        """Wait for the end of a task, and reap it."""
        os.waitid(os.P_PID, slot.pid, os.WEXITED | os.WNOWAIT)
        (ended,) = self.pool.reap()
        return ended.ending

    def close(self):
        """End what runs."""
        for slot in list(self.pool.running.values()):
            self.pool.kill(slot)
            self.wait(slot)
        self.pool.close(sweep=False)
        self.poller.close()


@pytest.fixture
def slots(tmp_path, monkeypatch):
    """Make a pool of one slot, whose tasks have 10 seconds of a fake clock."""
    clock = FakeClock()
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=clock, time=time.time))
    slots = Slots(tmp_path, clock)
    yield slots
    slots.close()


def test_a_time_limit_stands_still_while_its_task_does(slots):
    """Ctrl-Z for an hour takes nothing from a timeout: what was left before is left after."""
    slot = slots.start(SLEEP)
    slots.clock.advance(4)
    slots.pool.suspend()
    slots.clock.advance(3600)
    slots.tick()
    assert slot.stopped == ""
    slots.pool.resume()
    slots.clock.advance(5.5)
    assert slots.tick() == slots.clock() + 0.5
    assert slot.stopped == ""
    slots.clock.advance(0.5)
    slots.tick()
    assert slot.stopped == "timeout"


def test_the_time_that_a_task_stood_still_is_not_its_duration(slots):
    """What minions plan with is how long tasks run."""
    slot = slots.start(SLEEP)
    slots.clock.advance(2)
    slots.pool.suspend()
    slots.clock.advance(3600)
    slots.pool.resume()
    slots.clock.advance(1)
    slots.pool.kill(slot)
    assert slots.wait(slot).took == 3


def test_a_task_that_is_suspended_twice_keeps_what_is_left(slots):
    """Each time on its own."""
    slot = slots.start(SLEEP)
    for _ in range(2):
        slots.clock.advance(3)
        slots.pool.suspend()
        slots.clock.advance(100)
        slots.pool.resume()
    slots.clock.advance(3.5)
    slots.tick()
    assert slot.stopped == ""
    slots.clock.advance(0.5)
    slots.tick()
    assert slot.stopped == "timeout"


@pytest.mark.parametrize(
    ("environment", "error"),
    [({b"A": b"0\0"}, ValueError), ({b"A": 7}, TypeError), ({b"A": b"x" * (1 << 22)}, BadParam)],
)
def test_what_cannot_be_started_takes_no_slot(slots, environment, error):
    """The next task finds it free."""
    with pytest.raises(error):
        slots.start(TRUE, environment)
    assert (len(slots.pool.free), slots.pool.running) == (1, {})
    assert slots.wait(slots.start(TRUE)).exit == 0


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_a_host_with_no_room_is_no_fault_of_the_task(slots, monkeypatch, number):
    """It takes no slot either."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_spawn", lambda *_, **__: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
        with pytest.raises(HostTrouble, match="cannot start tasks here"):
            slots.start(TRUE)
    assert len(slots.pool.free) == 1
    assert slots.wait(slots.start(TRUE)).exit == 0


def test_an_output_that_cannot_be_opened_is_no_fault_of_the_task(slots, monkeypatch):
    """Whatever the reason is: the task has not begun."""

    def begin(task):
        raise FileExistsError(errno.EEXIST, "File exists", "out")

    monkeypatch.setattr(slots.pool.free[0].output, "begin", begin)
    with pytest.raises(HostTrouble, match="cannot start tasks here: File exists: out"):
        slots.start(TRUE)
    assert len(slots.pool.free) == 1


class Reader:
    """An outlet into a pipe that is read when the test says so."""

    def __init__(self):
        self.fd, self._writer = os.pipe()
        self.relieved = threading.Event()
        self.outlet = Outlet(self._writer, self.relieved.set)

    def begins(self):
        """Wait until the outlet writes."""
        assert len(os.read(self.fd, 1)) == 1

    def read(self, size):
        """Read so many bytes."""
        while size:
            size -= len(os.read(self.fd, min(size, 1 << 16)))

    def leave(self):
        """Read no more, ever."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def close(self):
        """Let the outlet's thread end its write, and close the pipe."""
        self.leave()
        self.outlet.flush(PATIENCE)
        os.close(self._writer)


@pytest.fixture
def reader():
    """Make a reader."""
    reader = Reader()
    yield reader
    reader.close()


def is_open(fd):
    """Tell whether a file descriptor is open."""
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False


def nothing():
    """Open a file that ends at once."""
    return os.open(os.devnull, os.O_RDONLY)


def test_an_outlet_that_got_full_while_it_wrote_says_when_it_is_not_any_more(reader):
    """Else the children that wait for that would wait for ever."""
    reader.outlet.write(b"x" * LIMIT)
    assert not reader.outlet.full
    reader.begins()
    reader.outlet.write(b"y")
    assert reader.outlet.full
    reader.read(LIMIT)
    assert reader.relieved.wait(PATIENCE)
    assert not reader.outlet.full


def test_an_outlet_that_was_full_at_once_says_when_it_is_not_any_more(reader):
    """The common case."""
    reader.outlet.write(b"x" * (LIMIT + 1))
    assert reader.outlet.full
    reader.read(LIMIT + 1)
    assert reader.relieved.wait(PATIENCE)
    assert not reader.outlet.full


def test_open_files_that_wait_for_a_reader_fill_an_outlet(reader):
    """A process may have so many, however small they are."""
    reader.outlet.write(b"x" * (1 << 17))
    reader.begins()
    files = [nothing() for _ in range(32)]
    for fd in files:
        reader.outlet.write(fd)
    assert reader.outlet.full
    reader.read((1 << 17) - 1)
    assert reader.relieved.wait(PATIENCE)
    reader.outlet.flush(PATIENCE)
    assert reader.outlet.empty
    assert not any(map(is_open, files))


def test_open_files_that_nobody_will_read_are_closed(reader):
    """Those that waited when the reader left, and those that come after."""
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN, "as Python starts"
    reader.outlet.write(b"x" * (1 << 17))
    reader.begins()
    files = [nothing() for _ in range(3)]
    for fd in files:
        reader.outlet.write(fd)
    reader.leave()
    wait_until(lambda: not any(map(is_open, files)), "the files are closed")
    assert reader.outlet.broken
    late = nothing()
    reader.outlet.write(late)
    assert not is_open(late)
