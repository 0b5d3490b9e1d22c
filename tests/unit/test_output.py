"""Where the output of tasks goes: whole lines, whole groups, files of their own, and always the tail of the errors."""

from __future__ import annotations

import os
import select

import pytest

from minionize.errors import UsageError
from minionize.model import Task
from minionize.slots import output
from minionize.slots.output import LONGEST_LINE, SPOOL, TAIL, Stream, make, safe_name

TASK = Task("id", "1", 1, 1)


class Console:
    """Keeps what is written, in order: bytes, or what is in a file."""

    def __init__(self):
        self.written = []

    def write(self, fd, data):
        """Keep it."""
        if isinstance(data, int):
            size = os.fstat(data).st_size
            content = os.pread(data, size, 0)
            os.close(data)
            data = content
        self.written.append((fd, data))

    def text(self, fd=1):
        """Join what was written to a file."""
        return b"".join(data for number, data in self.written if number == fd)


class Slot:
    """One slot's output, and what a main loop does with it."""

    def __init__(self, mode, suffix=""):
        self.console, self.poller = Console(), select.epoll()
        self.output = make(mode, self.poller, self.console, suffix)
        self._readers = {stream.reader: stream for stream in self.output.streams()}

    def readable(self):
        """Say what the poller says."""
        return {fd for fd, _ in self.poller.poll(0)}

    def read(self):
        """Read all that is there, as the main loop does."""
        while readable := self.readable():
            for fd in readable:
                self._readers[fd].read()

    def write(self, fd, data):
        """Write as a task does, with the main loop reading on."""
        while data:
            data = data[os.write(fd, data[:4096]) :]
            self.read()

    def end(self):
        """End the task."""
        return self.output.end(self.readable())

    def close(self):
        """Let go."""
        self.output.close()
        self.poller.close()


@pytest.fixture
def slot():
    """Make slots."""
    slots = []

    def make(*arguments):
        slots.append(Slot(*arguments))
        return slots[-1]

    yield make
    for one in slots:
        one.close()


# ---------------------------------------------------------------------- live


def test_lines_are_passed_on_whole_and_at_once(slot):
    """What has no end yet waits for it."""
    live = slot("live")
    out, _ = live.output.begin(TASK)
    live.write(out, b"one\ntw")
    assert live.console.written == [(1, b"one\n")]
    live.write(out, b"o\nthree")
    assert live.console.written == [(1, b"one\n"), (1, b"two\n")]


def test_lines_of_two_slots_do_not_tear_each_other(slot):
    """Each write to the console ends with a line."""
    one, two = slot("live"), slot("live")
    two.console = one.console
    for sink in two.output._sinks:
        sink._console = one.console
    first, _ = one.output.begin(TASK)
    second, _ = two.output.begin(TASK)
    for n in range(100):
        one.write(first, b"a" * (n % 7))
        two.write(second, b"b" * (n % 5))
        if n % 3 == 0:
            one.write(first, b"\n")
        if n % 4 == 0:
            two.write(second, b"\n")
    assert all(data.endswith(b"\n") for _, data in one.console.written)
    assert {bytes(set(line)) for line in one.console.text().splitlines()} <= {b"a", b"b", b""}


def test_the_rest_of_a_line_is_passed_on_at_the_end_of_its_task(slot):
    """As it is: nothing is added."""
    live = slot("live")
    out, err = live.output.begin(TASK)
    os.write(out, b"no end")
    os.write(err, b"nor here")
    assert live.end() == b"nor here"
    assert live.console.written == [(1, b"no end"), (2, b"nor here")]


def test_a_line_that_never_ends_is_passed_on_in_pieces(slot):
    """Memory is not for the endless."""
    live = slot("live")
    out, _ = live.output.begin(TASK)
    data = os.urandom(1 << 16).replace(b"\n", b" ") * (LONGEST_LINE // (1 << 16) + 2)
    live.write(out, data)
    assert len(live.console.text()) > LONGEST_LINE
    live.end()
    assert live.console.text() == data


def test_bytes_that_are_no_text_pass_unchanged(slot):
    """We do not read them."""
    live = slot("live")
    out, err = live.output.begin(TASK)
    data = bytes(range(256)) * 100
    live.write(out, data)
    live.write(err, data[::-1])
    live.end()
    assert live.console.text(1) == data
    assert live.console.text(2) == data[::-1]


def test_a_task_that_filled_its_pipe_loses_nothing_at_its_end(slot):
    """All that a pipe holds is read."""
    live = slot("live")
    out, _ = live.output.begin(TASK)
    os.set_blocking(out, False)
    size = os.write(out, b"x" * (1 << 20))
    live.end()
    assert live.console.text() == b"x" * size


def test_what_was_written_while_we_did_not_listen_is_there_at_the_end(slot):
    """A reader of ours had fallen behind: the children waited, one of them ended."""
    live = slot("live")
    out, err = live.output.begin(TASK)
    for stream in live.output.streams():
        stream.listen(False)
    os.write(out, b"out\n")
    os.write(err, b"err\n")
    assert live.readable() == set()
    assert live.end() == b"err\n"
    assert live.console.written == [(1, b"out\n"), (2, b"err\n")]


def test_the_next_task_of_a_slot_begins_with_nothing(slot):
    """Neither with the lines nor with the errors of the one before."""
    live = slot("live")
    _, err = live.output.begin(TASK)
    os.write(err, b"first")
    assert live.end() == b"first"
    live.output.begin(TASK)
    assert live.end() == b""


def test_the_next_task_of_a_slot_may_block(slot):
    """Whatever the one before did to the pipe they share."""
    live = slot("live")
    out, _ = live.output.begin(TASK)
    os.set_blocking(out, False)
    live.end()
    assert os.get_blocking(live.output.begin(TASK)[0])


def test_something_that_goes_on_writing_does_not_hold_up_the_end_of_a_task(slot):
    """Only a pipe's worth is read then."""
    live = slot("live")
    out, _ = live.output.begin(TASK)
    os.set_blocking(out, False)
    total = 0

    def go_on(data):
        nonlocal total
        total += len(data)
        os.write(out, b"x" * len(data))

    live.output.streams()[0]._take = go_on
    os.write(out, b"x" * 10_000)
    live.end()
    assert 10_000 <= total < 1_000_000


# ---------------------------------------------------------------------- the tail


@pytest.mark.parametrize("mode", ["live", "grouped", "none"])
def test_the_end_of_the_errors_is_kept(slot, mode):
    """4 KiB of it, however they came."""
    one = slot(mode)
    _, err = one.output.begin(TASK)
    data = b"".join(b"%d " % n for n in range(3000))
    one.write(err, data[:-10])
    os.write(err, data[-10:])
    assert one.end() == data[-TAIL:]


# ---------------------------------------------------------------------- grouped


def test_a_group_is_passed_on_when_its_task_ends(slot):
    """All in one piece, the output first."""
    grouped = slot("grouped")
    out, err = grouped.output.begin(TASK)
    grouped.write(err, b"err one\n")
    grouped.write(out, b"out one\nout")
    grouped.write(out, b" two")
    assert grouped.console.written == []
    grouped.end()
    assert grouped.console.written == [(1, b"out one\nout two"), (2, b"err one\n")]


def test_much_of_a_group_waits_in_a_file(slot):
    """Nothing is lost between memory and file, and the next task starts anew."""
    grouped = slot("grouped")
    data = os.urandom(5 * SPOOL + 17)
    for _ in range(2):
        out, _ = grouped.output.begin(TASK)
        grouped.write(out, data)
        assert len(grouped.output._sinks[0]._data) <= SPOOL
        grouped.end()
        assert grouped.console.text() == data
        grouped.console.written.clear()


def test_a_group_that_finds_no_room_is_passed_on_as_it_comes(slot, monkeypatch):
    """Better ungrouped than lost."""
    monkeypatch.setenv("TMPDIR", "/nowhere/at/all")
    grouped = slot("grouped")
    out, _ = grouped.output.begin(TASK)
    data = os.urandom(3 * SPOOL)
    grouped.write(out, data)
    assert grouped.console.written
    grouped.end()
    assert grouped.console.text() == data


def test_a_group_whose_file_takes_a_part_only_loses_nothing(slot, monkeypatch):
    """A disk that gets full takes what fits, and then nothing."""
    room = [1000]
    real = os.write

    def write(fd, data):
        size = min(room[0], len(data))
        if not size:
            raise OSError(28, "No space left on device")
        room[0] -= size
        return real(fd, bytes(data[:size]))

    grouped = slot("grouped")
    sink = grouped.output._sinks[0]
    data = os.urandom(2 * SPOOL)
    monkeypatch.setattr(output.os, "write", write)
    sink.take(data)
    sink.take(b"more")
    sink.end()
    assert grouped.console.text() == data + b"more"


# ---------------------------------------------------------------------- none


def test_output_may_be_dropped(slot):
    """All of it; only the end of the errors is looked at."""
    none = slot("none")
    out, err = none.output.begin(TASK)
    none.write(out, b"x" * 100_000)
    none.write(err, b"oops\n")
    assert none.end() == b"oops\n"
    assert none.console.written == []


# ---------------------------------------------------------------------- a directory


def test_each_execution_writes_to_files_of_its_own(slot, tmp_path):
    """Named by task and delivery; a suffix tells deliveries apart where the engine cannot."""
    kept = slot(str(tmp_path / "out"), ".minion")
    out, err = kept.output.begin(TASK._replace(delivery=3))
    os.write(out, b"out\n")
    os.write(err, b"err\n")
    assert kept.end() == b"err\n"
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "id.3.minion.out": b"out\n",
        "id.3.minion.err": b"err\n",
    }
    assert kept.output.streams() == ()


def test_empty_files_are_not_kept(slot, tmp_path):
    """A million of them would be no help."""
    kept = slot(str(tmp_path))
    out, _ = kept.output.begin(TASK)
    os.write(out, b"out\n")
    assert kept.end() == b""
    assert [path.name for path in tmp_path.iterdir()] == ["id.1.out"]


def test_the_files_of_a_task_are_closed_at_its_end(slot, tmp_path):
    """A minion may run a million tasks."""
    kept = slot(str(tmp_path))
    files = kept.output.begin(TASK)
    kept.end()
    for fd in files:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_files_that_their_task_removed_are_no_trouble(slot, tmp_path):
    """Nor is a directory that is gone: the next task finds it again."""
    kept = slot(str(tmp_path / "out"))
    for _ in range(2):
        _, err = kept.output.begin(TASK)
        os.write(err, b"oops")
        for path in (tmp_path / "out").iterdir():
            path.unlink()
        (tmp_path / "out").rmdir()
        assert kept.end() == b"oops"


def test_the_tail_of_errors_in_a_file_is_kept_too(slot, tmp_path):
    """The file has all of it."""
    kept = slot(str(tmp_path))
    _, err = kept.output.begin(TASK)
    data = os.urandom(3 * TAIL)
    os.write(err, data)
    assert kept.end() == data[-TAIL:]
    assert (tmp_path / "id.1.err").read_bytes() == data


def test_two_writers_of_one_file_do_not_overwrite_each_other(slot, tmp_path):
    """A task's children append."""
    kept = slot(str(tmp_path))
    out, _ = kept.output.begin(TASK)
    other = os.open(f"/proc/self/fd/{out}", os.O_WRONLY | os.O_APPEND)
    os.write(out, b"one\n")
    os.write(other, b"two\n")
    os.write(out, b"three\n")
    os.close(other)
    kept.end()
    assert (tmp_path / "id.1.out").read_bytes() == b"one\ntwo\nthree\n"


def test_a_directory_that_cannot_be_made_is_an_error_of_usage(slot, tmp_path):
    """It names the directory and what to type."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot keep output in .*file/out: Not a directory"):
        slot(str(tmp_path / "file" / "out"))


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("0123456789abcdef", "0123456789abcdef"),
        ("6:12:-1:3", "6:12:-1:3"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a b\n\0", "a_b__"),
        ("x" * 300, "x" * 200),
    ],
)
def test_an_id_makes_a_safe_file_name(id, name):
    """Other brokers choose theirs."""
    assert safe_name(id) == name


# ---------------------------------------------------------------------- streams


def test_a_stream_is_closed_to_programs_that_are_executed():
    """A task gets copies of its own ends only."""
    poller = select.epoll()
    stream = Stream(poller, None, tail=False)
    assert not os.get_inheritable(stream.reader)
    assert not os.get_inheritable(stream.writer)
    stream.close()
    poller.close()


def test_an_empty_stream_is_not_waited_for():
    """Reading never blocks the main loop."""
    poller = select.epoll()
    stream = Stream(poller, None, tail=True)
    assert stream.read() == 0
    stream.drain({stream.reader})
    assert stream.tail() == b""
    stream.close()
    poller.close()
