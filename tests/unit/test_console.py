"""What a minion writes: never torn, never waited for, and gone from the screen when done."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import termios
import threading
import time

import pytest

from minionize.console import LIMIT, Console, Outlet

#: Seconds that a test waits for an event before it fails.
PATIENCE = 30.0
ERASE = "\r\x1b[K"


def wait_until(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@pytest.fixture
def pipe():
    """Make a pipe; what a test did not close is closed in the end."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        with contextlib.suppress(OSError):
            os.close(fd)


@pytest.fixture
def outlet(pipe):
    """Make an outlet into the pipe, and count when it says that it is relieved."""
    relieved = threading.Semaphore(0)
    outlet = Outlet(pipe[1], relieved.release)
    outlet.is_relieved = lambda: relieved.acquire(timeout=PATIENCE)
    return outlet


def read_all(pipe, size):
    """Read so many bytes."""
    data = b""
    while len(data) < size:
        assert select.select([pipe[0]], [], [], PATIENCE)[0], "waited in vain"
        data += os.read(pipe[0], size - len(data))
    return data


# ---------------------------------------------------------------------- outlets


def test_bytes_are_written_as_they_come(outlet, pipe):
    """In their order, whatever they are."""
    pieces = [bytes([n]) * n for n in range(256)]
    for piece in pieces:
        outlet.write(piece)
    outlet.flush(PATIENCE)
    assert outlet.empty
    assert read_all(pipe, sum(map(len, pieces))) == b"".join(pieces)


def test_an_outlet_that_was_never_written_to_is_empty(outlet):
    """And has no thread to wait for."""
    outlet.flush(PATIENCE)
    assert (outlet.empty, outlet.full, outlet.broken) == (True, False, False)
    assert not outlet._started


def test_nobody_waits_for_a_reader_that_stopped(outlet, pipe):
    """Writing returns at once, until the outlet says that it is full; it says when it no longer is."""
    piece = b"x" * 100_000
    count = 0
    while not outlet.full:
        outlet.write(piece)
        count += 1
    assert LIMIT <= count * len(piece) < 2 * LIMIT
    assert not outlet.empty
    assert read_all(pipe, count * len(piece)) == piece * count
    assert outlet.is_relieved()
    assert not outlet.full
    outlet.flush(PATIENCE)
    assert outlet.empty


def test_a_flush_ends_though_nobody_reads(outlet):
    """It waits as long as it was told to."""
    outlet.write(b"x" * LIMIT)
    outlet.flush(0.01)
    assert not outlet.empty


def test_a_reader_that_has_gone_is_noticed(outlet, pipe):
    """Then the outlet is broken, says so, and swallows what comes."""
    os.close(pipe[0])
    outlet.write(b"x")
    assert outlet.is_relieved()
    assert outlet.broken
    outlet.write(b"y" * (2 * LIMIT))
    assert not outlet.full
    outlet.flush(PATIENCE)


def test_a_reader_that_goes_while_we_write_does_not_hold_up_a_flush(outlet, pipe):
    """What is left then is nobody's."""
    outlet.write(b"x" * LIMIT)
    outlet.write(b"y" * LIMIT)
    os.close(pipe[0])
    assert outlet.is_relieved()
    outlet.flush(PATIENCE)
    assert outlet.broken


def temporary(tmp_path, data):
    """Make an open file without a name."""
    fd = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
    os.write(fd, data)
    return fd


def is_open(fd):
    """Tell whether a file descriptor is in use."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_file_is_copied_whole_and_closed(outlet, pipe, tmp_path):
    """Between what was written before and after, wherever its reader stood."""
    data = os.urandom(300_000)
    file = temporary(tmp_path, data)
    outlet.write(b"before")
    outlet.write(file)
    outlet.write(b"after")
    assert read_all(pipe, len(data) + 11) == b"before" + data + b"after"
    wait_until(lambda: not is_open(file))


def test_files_that_nobody_reads_any_more_are_closed(outlet, pipe, tmp_path):
    """Those that wait and those that come."""
    files = [temporary(tmp_path, b"x" * LIMIT) for _ in range(3)]
    outlet.write(files[0])
    outlet.write(files[1])
    os.close(pipe[0])
    assert outlet.is_relieved()
    outlet.write(files[2])
    wait_until(lambda: not any(map(is_open, files)))


def test_a_file_descriptor_that_does_not_block_is_written_to_all_the_same(outlet, pipe):
    """Whoever started us may have made it so, for himself."""
    os.set_blocking(pipe[1], False)
    data = os.urandom(2_000_000)
    outlet.write(data)
    assert read_all(pipe, len(data)) == data
    assert not outlet.broken


# ---------------------------------------------------------------------- the console


class Screen:
    """A console whose standard output and error are files of the test."""

    def __init__(self, monkeypatch, out, err):
        numbers = {1: out, 2: err}
        monkeypatch.setattr("minionize.console.Outlet", lambda fd, relieved: Outlet(numbers[fd], relieved))
        real_fstat, real_isatty = os.fstat, os.isatty
        monkeypatch.setattr(os, "fstat", lambda fd: real_fstat(numbers.get(fd, fd)))
        monkeypatch.setattr(os, "isatty", lambda fd: real_isatty(numbers.get(fd, fd)))

    def console(self, **options):
        """Open it."""
        return Console(lambda: None, **options)


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Give a screen whose output and error are two files, and their contents."""
    paths = [tmp_path / "out", tmp_path / "err"]
    opened = [path.open("wb", buffering=0) for path in paths]
    screen = Screen(monkeypatch, *[file.fileno() for file in opened])
    screen.read = lambda: [path.read_text() for path in paths]
    yield screen
    for file in opened:
        file.close()


def test_output_and_messages_go_to_their_files(files):
    """Messages say whose they are; a quiet minion says only what must be seen."""
    console = files.console(quiet=True)
    console.write(1, b"out\n")
    console.write(2, b"err\n")
    console.say("nothing much")
    console.warn("beware")
    assert console.close(PATIENCE)
    assert files.read() == ["out\n", "err\nminionize: beware\n"]
    loud = files.console()
    loud.say("nothing much")
    loud.close(PATIENCE)
    assert files.read()[1].endswith("minionize: nothing much\n")


def test_progress_is_a_message_in_a_log(files):
    """There is no line to draw anew."""
    console = files.console()
    assert not console.terminal
    console.progress("3 done")
    console.progress("3 done")
    console.close(PATIENCE)
    assert files.read() == ["", "minionize: 3 done\n" * 2]


def test_a_message_with_lone_surrogates_is_written(files):
    """A file name in another encoding is no reason to fail."""
    console = files.console()
    console.warn("caf\udce9")
    console.close(PATIENCE)
    assert files.read()[1] == "minionize: caf\\udce9\n"


def test_one_file_for_both_keeps_their_order(monkeypatch, tmp_path):
    """`minionize ... > log 2>&1`: what was written first stands first."""
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as file:
        second = os.dup(file.fileno())
        console = Screen(monkeypatch, file.fileno(), second).console()
        assert console.out is console.err
        for n in range(200):
            console.write(1 + n % 2, b"%d\n" % n)
        console.close(PATIENCE)
        os.close(second)
    assert path.read_text() == "".join(f"{n}\n" for n in range(200))


def test_the_console_is_full_or_broken_as_its_outlets_are(files):
    """A reader of standard error that stopped counts; one that went does not: our output is what matters."""
    console = files.console()
    assert not console.full
    console.err._size = LIMIT + 1
    assert console.full
    console.err._size = 0
    console.err.broken = True
    assert not console.broken
    console.out.broken = True
    assert console.broken


def test_closing_says_whether_all_was_written(files):
    """What nobody will ever read does not count."""
    console = files.console()
    console.out._size = 1
    assert not console.close(0.01)
    console.out.broken = True
    assert console.close(0.01)


@pytest.fixture
def terminal(monkeypatch):
    """Give a screen on a terminal, and what that shows."""
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST  # no carriage returns of the terminal's own
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    fcntl.fcntl(master, fcntl.F_SETFL, os.O_NONBLOCK)
    screen = Screen(monkeypatch, slave, slave)

    def shown(until):
        data = b""

        def is_there():
            nonlocal data
            with contextlib.suppress(BlockingIOError):
                data += os.read(master, 65536)
            return until.encode() in data

        wait_until(is_there)
        return data.decode()

    screen.shown, screen.fd = shown, slave
    yield screen
    os.close(slave)
    os.close(master)


def test_the_progress_line_is_drawn_anew_in_its_place(terminal):
    """And not at all where it says the same."""
    console = terminal.console()
    assert console.terminal
    console.progress("1 done")
    console.progress("1 done")
    console.progress("2 done")
    assert terminal.shown("2 done") == f"{ERASE}1 done{ERASE}2 done"


def test_output_stands_above_the_progress_line(terminal):
    """It is taken away, and drawn again below."""
    console = terminal.console()
    console.progress("1 done")
    console.write(1, b"hello\n")
    console.warn("beware")
    console.close(PATIENCE)
    last = f"{ERASE}minionize: beware\n1 done{ERASE}"
    assert terminal.shown(last) == f"{ERASE}1 done{ERASE}hello\n1 done{last}"


def test_output_that_goes_elsewhere_leaves_the_progress_line_alone(monkeypatch, terminal, tmp_path):
    """`minionize ... > file`: only what is shown on the terminal moves the line."""
    with (tmp_path / "out").open("wb", buffering=0) as file:
        console = Screen(monkeypatch, file.fileno(), terminal.fd).console()
        console.progress("1 done")
        console.write(1, b"hello\n")
        console.progress("2 done")
        console.close(PATIENCE)
    assert terminal.shown(f"2 done{ERASE}") == f"{ERASE}1 done{ERASE}2 done{ERASE}"
    assert (tmp_path / "out").read_bytes() == b"hello\n"


def test_the_progress_line_is_gone_when_done(terminal):
    """Closing takes it away, once."""
    console = terminal.console()
    console.progress("1 done")
    console.close(PATIENCE)
    console.close(PATIENCE)
    console.warn("the end")
    assert terminal.shown("the end\n") == f"{ERASE}1 done{ERASE}minionize: the end\n"
