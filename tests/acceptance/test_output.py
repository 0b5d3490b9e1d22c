"""What programs print, where it goes, and what a minion says besides: its progress and its last words."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import sys
import termios
import time

import pytest

from .harness import PATIENCE, located, signal, until

#: Runs a command as the foreground of the terminal that is its standard input.
_ATTACHED = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY)
os.execvp(sys.argv[1], sys.argv[1:])
"""
FAIL = "ulimit -c 0; kill -SEGV $$"
#: A program that prints many lines in pieces, and each time with what only it prints.
CHATTER = 'i=0; while [ $i -lt 200 ]; do printf "task %s " $1; printf "line %s of many\\n" $i; i=$((i + 1)); done'


def test_lines_are_passed_on_whole_as_they_come(here):
    """Both streams, while the program runs; of a line only when it has ended."""
    gate = here.gate()
    here.put("a")
    run = here.script("run", "echo one; echo two >&2; printf thr; read _ < gate; echo ee; printf four")
    minion = here.start("minionize", "-q", run)
    until(lambda: (minion.out, minion.err) == ("one\n", "two\n"), "both lines")
    gate.open()
    assert minion.wait() == (0, "one\nthree\nfour", "two\n")


def test_lines_of_four_slots_are_never_torn(here):
    """However they are written, and whatever runs beside."""
    here.put("1..8")
    done = here.minionize("-j", "4", here.script("chatter", CHATTER))
    assert done.code == 0
    expected = [f"task {task} line {line} of many" for task in range(1, 9) for line in range(200)]
    assert sorted(done.out.splitlines()) == sorted(expected)


def test_grouped_output_stands_together(here):
    """All of a task at its end, small or large, on both streams."""
    here.put("1..8")
    both = here.script(
        "both", f'{CHATTER}; [ $1 != 3 ] || head -c 300000 /dev/zero | tr "\\0" x; echo; echo error $1 >&2'
    )
    done = here.minionize("-q", "-j", "4", "--output", "grouped", both)
    tasks = [line.split()[1] for line in done.out.splitlines() if line.startswith("task")]
    assert [task for n, task in enumerate(tasks) if n == 0 or task != tasks[n - 1]] == list(dict.fromkeys(tasks))
    assert len(tasks) == 8 * 200
    assert done.out.count("x") == 300_000
    assert sorted(done.err.splitlines()) == [f"error {n}" for n in range(1, 9)]


def test_output_may_go_nowhere(here):
    """But the tail of standard error is kept for a failure."""
    here.put("1")
    loud = here.script("loud", f"echo out; echo err >&2; {FAIL}")
    done = here.minionize("-q", "--output", "none", "--max-attempts", "1", loud)
    assert done == (1, "", "")
    assert [end["stderr"] for end in here.events()] == ["err\n"]


def test_output_may_go_to_a_directory(here):
    """Files named by task and delivery, which ``show`` names; empty ones are not kept."""
    here.put("a")
    run = here.script("run", f"echo out $MINION_ATTEMPT; [ $MINION_ATTEMPT = 2 ] || {{ echo err >&2; {FAIL}; }}")
    where = {"MINION_OUTPUT": "logs/today"}
    done = here.minionize(run, MINION_BACKOFF="0.01s", **where)
    assert (done.code, done.out) == (0, "")
    [(id, *_)] = here.tasks()
    files = {path.name: path.read_text(encoding="ascii") for path in (here.path / "logs/today").iterdir()}
    assert files == {f"{id}.1.out": "out 1\n", f"{id}.1.err": "err\n", f"{id}.2.out": "out 2\n"}
    assert [end["stderr"] for end in here.events()] == ["err\n", ""]
    assert f"logs/today/{id}.2.out" in here.run("minion-queue", "show", id, **where).out
    here.write(".env", "MINION_OUTPUT=logs/today\n")
    assert f"logs/today/{id}.2.out" in here.show(id)


def test_bytes_that_are_no_text_pass_through(here):
    """Untouched, in every mode that passes on."""
    here.put("1", "2")
    raw = here.script("raw", r"printf 'caf\351\377\000\n'; printf 'caf\351\n' >&2")
    for mode in ("live", "grouped"):
        here.write("seen", "")
        minion = here.start("minionize", "-q", "--max-tasks", "1", "--output", mode, raw)
        minion.wait()
        assert minion.out == "caf\udce9\udcff\0\n"
        assert minion.err == "caf\udce9\n"


def test_a_flood_of_output_neither_blocks_nor_grows_the_minion(here):
    """A hundred megabytes go through; the most that the minion ever held is told by the task that comes after."""
    here.put("flood", "measure")
    run = here.script("run", "[ $1 = measure ] || exec head -c 100000000 /dev/zero; grep VmHWM /proc/$PPID/status >&2")
    minion = here.start("minionize", "-q", run, stdout=os.open(os.devnull, os.O_WRONLY))
    done = minion.wait()
    assert done.code == 0
    [most] = re.findall(r"VmHWM:\s+(\d+) kB", done.err)
    assert int(most) < 60_000


def test_a_reader_that_has_stopped_stops_the_writers_only(here):
    """Programs wait for it; the minion still hears a signal, and leaves within its grace."""
    here.put("flood")
    reader, writer = os.pipe()
    minion = here.start("minionize", "--grace", "0.2s", "sh", "-c", "yes", stdout=writer)
    os.close(writer)
    assert os.read(reader, 1) == b"y"
    until(lambda: waiting(reader) > 60_000, "a full pipe")
    minion.signal(signal.SIGTERM)
    assert minion.wait().code == 143
    os.close(reader)
    assert here.books() == {"pending": 1}


def test_messages_go_to_standard_error(here):
    """Standard output belongs to the programs; the first line names the minion and the queue."""
    here.put("a")
    done = here.minionize("echo")
    assert done.out == "a\n"
    [start] = here.events("minion_start")
    first, last = done.err.splitlines()
    assert first == f"minionize: minion {start['minion']} takes params from minion-queue.db (sqlite), 1 at a time."
    assert re.fullmatch(r"minionize: all settled\. This minion: 1 done in [0-9.]+s\. Details: minion-status", last)


def test_quiet(here):
    """Says nothing of its own where there is nothing wrong; a param that makes no command line is."""
    here.put("it's", "a")
    done = here.minionize("-q", "echo")
    assert (done.code, done.out) == (1, "a\n")
    assert done.err.startswith("minionize: dead: the string is no command line")
    assert "This minion" not in done.err
    here.put("b")
    assert here.minionize("--quiet", "echo") == (0, "b\n", "")


def test_events_may_go_to_standard_output_or_nowhere(here):
    """Among what programs print, one object a line; the status then knows the counts."""
    here.put("a", "b")
    done = here.minionize("--max-tasks", "1", "echo", MINION_REPORTER="stdout")
    lines = done.out.splitlines()
    assert lines.pop(1) == "a"
    types = [re.search('"type": ?"([a-z_]+)"', line)[1] for line in lines]
    assert types == ["minion_start", "task_end", "minion_stop"]
    assert here.minionize("echo", MINION_REPORTER="null").out == "b\n"
    assert "minion-report" not in here.names()
    assert "done 2" in here.run("minion-status").out


def waiting(pipe):
    """Tell how many bytes wait to be read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


class Terminal:
    """A pseudo-terminal, and what was written to it."""

    def __init__(self):
        self._ours, self.theirs = pty.openpty()
        self.seen = b""

    def wait_for(self, what):
        """Read until something appears."""
        end = time.monotonic() + PATIENCE
        while not re.search(what, self.seen):
            ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{what} was never written, but {self.seen}"
            self.seen += os.read(self._ours, 65536)

    def type(self, what):
        """Press keys."""
        os.write(self._ours, what)

    def rest(self):
        """Read what is left, when all writers have gone."""
        os.close(self.theirs)
        try:
            while data := os.read(self._ours, 65536):
                self.seen += data
        except OSError:
            pass  # that is how a terminal says that nobody writes any more
        os.close(self._ours)
        return self.seen.replace(b"\r\n", b"\n")

    def screen(self):
        """Tell what is to be seen in the end: an erased line is not."""
        lines = self.rest().split(b"\n")
        return [re.split(rb"\r\x1b\[K", line)[-1].decode() for line in lines]


@pytest.fixture
def terminal():
    """Return a terminal."""
    return Terminal()


def test_a_terminal_has_a_line_of_progress_that_is_gone_at_the_end(here, terminal):
    """It stands below what programs print, and the last words take its place."""
    gate = here.gate()
    here.put("1..3")
    run = here.script("run", "[ $1 != 2 ] || read _ < gate; echo task $1")
    minion = here.start("minionize", run, stdout=terminal.theirs, stderr=terminal.theirs, TERM="xterm")
    terminal.wait_for(rb"\r\x1b\[K1 done, 1 running")
    gate.open()
    assert minion.wait().code == 0
    first, *tasks, last, empty = terminal.screen()
    assert first.startswith("minionize: minion ")
    assert tasks == ["task 1", "task 2", "task 3"]
    assert last.startswith("minionize: all settled. This minion: 3 done in ")
    assert empty == ""


def test_a_terminal_that_is_to_be_quiet_has_no_line(here, terminal):
    """Only what programs print."""
    gate = here.gate()
    here.put("1")
    run = here.script("run", "read _ < gate; echo task $1")
    minion = here.start("minionize", "-q", run, stdout=terminal.theirs, stderr=terminal.theirs, TERM="xterm")
    until(lambda: here.events("task_start"), "a second has gone by")
    gate.open()
    assert minion.wait().code == 0
    assert terminal.rest() == b"task 1\n"


def test_an_interrupt_from_the_terminal(here, terminal):
    """Ctrl-C goes to the minion alone, which stops its programs; the line is gone, and last words say so."""
    here.gate()
    here.put("1..3")
    run = here.script("run", "trap 'echo interrupted; exit 1' TERM; echo begun; while :; do read _ < gate; done")
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal.theirs)
    minion = here.start(sys.executable, "-c", _ATTACHED, *located("minionize"), run, **streams, TERM="xterm")
    terminal.wait_for(b"begun")
    terminal.type(b"\x03")
    assert minion.wait().code == 130
    assert terminal.screen()[-2].startswith(
        "minionize: stopped by a signal. This minion: 0 done, 1 interrupted and given back"
    )
    assert here.books() == {"pending": 3}
