"""Readers of our output that stop or go, and children that write more than anybody reads."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sqlite3
import sys

import pytest
from harness import MINION, has_ended, peak_memory, wait_for_lines, wait_for_the_end_of, wait_until

from minionize.model import Counts

MEGABYTE = 1_000_000
#: What a minion may need at its peak, whatever its tasks write.
MEMORY = 40 * MEGABYTE
MODES = ["live", "grouped"]


@pytest.fixture
def pipe():
    """Make a pipe, whose ends are closed in the end if the test did not."""
    ends = list(os.pipe())
    yield ends
    for fd in ends:
        with contextlib.suppress(OSError):
            os.close(fd)


def nobody_reads(camp, pipe, *arguments, **options):
    """Start a minion whose standard output is a pipe that nobody reads, but that somebody could."""
    process = camp.minion(*arguments, stdout=pipe[1], **options)
    os.close(pipe[1])
    return process


@pytest.mark.parametrize("mode", MODES)
def test_much_output_passes_through_unharmed_in_little_memory(camp, pipe, mode):
    """100 MB of one child, of all bytes there are, with lines and without."""
    command = camp.script("command", "cat blob blob; printf end")
    blob = bytes(range(256)) * 20_000 + b"x" * (50 * MEGABYTE - 256 * 20_000)
    (camp.path / "blob").write_bytes(blob)
    camp.put("1")
    minion = nobody_reads(camp, pipe, "--output", mode, command)
    digest, size, peak = hashlib.sha256(), 0, 0
    while data := os.read(pipe[0], 1 << 20):
        digest.update(data)
        size += len(data)
        if not has_ended(minion.pid):
            peak = max(peak, peak_memory(minion.pid))
    assert minion.code() == 0, minion.err
    assert size == 100 * MEGABYTE + 3
    assert digest.digest() == hashlib.sha256(blob + blob + b"end").digest()
    assert 0 < peak < MEMORY


def test_a_reader_that_stops_stops_the_children_not_the_minion(camp, pipe):
    """`less` that nobody scrolls: leases are renewed, memory stays small, and all is there when the reader goes on."""
    command = camp.script("command", "echo >> ran; yes | head -c 10000000")
    camp.put("1..3")
    minion = nobody_reads(camp, pipe, "--lease", "0.3s", command)
    wait_for_lines(camp.ran, 1)
    begin = camp.lease()
    wait_until(lambda: camp.lease() > begin + 1.0, "the lease is renewed again and again")
    assert peak_memory(minion.pid) < MEMORY
    assert len(camp.runs()) == 1
    assert content(pipe[0]) == hashlib.sha256(b"y\n" * 15_000_000).digest()
    assert minion.code() == 0, minion.err
    assert camp.outcomes() == {(1, 1): "done", (2, 1): "done", (3, 1): "done"}


def test_a_reader_that_stops_does_not_stop_what_is_grouped(camp, pipe):
    """It goes to a file first: the tasks are done, and their output is there when the reader goes on."""
    command = camp.script("command", "yes | head -c 10000000")
    camp.put("1..3")
    minion = nobody_reads(camp, pipe, "--output", "grouped", command)
    wait_until(lambda: camp.counts().done == 3, "all is done")
    assert peak_memory(minion.pid) < MEMORY
    assert content(pipe[0]) == hashlib.sha256(b"y\n" * 15_000_000).digest()
    assert minion.code() == 0, minion.err


@pytest.mark.parametrize("mode", MODES)
def test_a_minion_that_is_done_waits_for_who_reads_it(camp, pipe, mode):
    """The rest of the output is not lost because somebody reads slowly; the params are settled meanwhile."""
    brief = "import sys; from minionize import minion; minion.PARTING = 0.2; "
    program = f"{brief}from minionize.cli.minionize import main; sys.exit(main(sys.argv[1:]))"
    command = camp.script("command", "yes | head -c 500000")
    camp.put("1")
    minion = camp.start(sys.executable, "-c", program, "--output", mode, command, stdout=pipe[1])
    os.close(pipe[1])
    minion.has_said("all settled")
    camp.start("sleep", "1").code()  # longer than leaving takes
    assert camp.counts().done == 1
    assert content(pipe[0]) == hashlib.sha256(b"y\n" * 250_000).digest()
    assert minion.code() == 0, minion.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_minion_that_waits_for_its_reader_can_be_stopped(camp, pipe, number):
    """Its params are settled; what is unread is lost, as the exit code says."""
    command = camp.script("command", "yes | head -c 500000")
    camp.put("1")
    minion = nobody_reads(camp, pipe, command)
    minion.has_said("all settled")
    minion.signal(number)
    assert minion.code() == 128 + number, minion.err
    assert camp.counts().done == 1


def content(fd):
    """Read a pipe to its end, and return the digest of what was in it."""
    digest = hashlib.sha256()
    while data := os.read(fd, 1 << 20):
        digest.update(data)
    return digest.digest()


def test_time_limits_hold_while_nobody_reads(camp, pipe):
    """A task that is stuck in its output ends when its time is over, and the next one is tried."""
    command = camp.script("command", "echo $$ >> ran; exec yes")
    camp.put("1..2")
    minion = nobody_reads(camp, pipe, "-j2", "--timeout", "1s", "--max-attempts", "1", command)
    children = [int(line) for line in wait_for_lines(camp.ran, 2)]
    wait_for_the_end_of(*children)
    wait_until(lambda: camp.counts().dead == 2, "both are settled")
    assert set(camp.outcomes().values()) == {"timeout"}
    assert peak_memory(minion.pid) < MEMORY
    minion.signal(signal.SIGTERM)
    os.close(pipe[0])
    assert minion.code() in (1, 143), minion.err


def test_children_are_reaped_and_settled_while_nobody_reads(camp, pipe):
    """One slot's flood does not hold up what ends in the others."""
    gate = camp.gate()
    flood = "while :; do yes | head -c 65536; echo >> flood; done"
    command = camp.script("command", f'test "$1" = flood && {{ {flood}; }}; echo >> ran; read _ < gate')
    camp.put("flood", "quiet")
    minion = nobody_reads(camp, pipe, "-j2", command)
    wait_for_lines(camp.ran, 1)
    wait_for_lines(camp.path / "flood", 18)  # two pipes and what the minion keeps are full
    gate.open()
    wait_until(lambda: camp.counts().done == 1, "the quiet one is done")
    minion.signal(signal.SIGINT)
    os.close(pipe[0])
    assert minion.code() == 130, minion.err
    assert camp.counts() == Counts(pending=1, delayed=0, leased=0, done=1, dead=0)


def test_a_minion_that_nobody_reads_can_be_stopped(camp, pipe):
    """SIGTERM is obeyed within the grace: what is unread then is lost, the params are not."""
    command = camp.script("command", "echo $$ >> ran; exec yes")
    camp.put("1..2")
    minion = nobody_reads(camp, pipe, "-j2", "--grace", "0.2s", command)
    children = [int(line) for line in wait_for_lines(camp.ran, 2)]
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert all(map(has_ended, children))
    assert camp.counts().pending == 2


@pytest.mark.parametrize("mode", MODES)
def test_a_reader_that_goes_ends_the_minion(camp, pipe, mode):
    """What runs is stopped and given back as soon as there is something that nobody will read; 141, as from a pipe."""
    gate = camp.gate()
    command = camp.script(
        "command",
        """case $1 in
        1) echo first; exit ;;
        2) echo $$ >> ran; exec sleep 1000 ;;
        *) echo $$ >> ran; read _ < gate; echo more ;;
        esac""",
    )
    camp.put("1..9")
    minion = nobody_reads(camp, pipe, "--output", mode, "-j2", command)
    assert os.read(pipe[0], 100) == b"first\n"
    children = [int(line) for line in wait_for_lines(camp.ran, 2)]
    os.close(pipe[0])
    gate.open()
    assert minion.code() == 141, minion.err
    assert all(map(has_ended, children))
    assert camp.counts().leased == 0
    entry = camp.entries()[2]
    assert (entry.state, entry.attempt) == ("pending", 1)


def test_head_gets_its_lines_and_the_minion_leaves(camp):
    """As people type it: `minionize ... | head -2`."""
    command = camp.script("command", 'echo "$1"; echo "$1" >> ran')
    camp.put("1..5000")
    line = " ".join((*MINION, command))
    shell = camp.start("sh", "-c", f"{{ {line}; echo $? > code; }} | head -2")
    assert shell.code() == 0
    assert shell.out == "1\n2\n"
    assert (camp.path / "code").read_text() == "141\n"
    assert len(camp.runs()) < 5000
    counts = camp.counts()
    assert (counts.leased, counts.dead) == (0, 0)
    assert counts.pending + counts.delayed + counts.done == 5000


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_files_do_no_harm(camp, closed):
    """A daemon has none: nothing of the queue or the events gets what was meant for a reader, nothing is swept away."""
    command = camp.script("command", 'echo "out $1"; echo "err $1" >&2; echo "$1" >> ran')
    camp.put("1..20")
    line = " ".join((*MINION, "-j2", command))
    shell = camp.start("sh", "-c", f"exec {line} {closed}")
    assert shell.code() == 0, shell.err
    assert camp.counts() == Counts(0, 0, 0, 20, 0)
    assert sorted(map(int, camp.runs())) == list(range(1, 21))
    assert len(camp.outcomes()) == 20
    with contextlib.closing(sqlite3.connect(camp.queue_path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_full_disk_behind_our_output_ends_the_minion(camp):
    """Output that cannot be written is lost: better to stop than to go on for nothing."""
    command = camp.script("command", 'echo "$1"; echo "$1" >> ran; sleep 0.01')
    camp.put("1..5000")
    with open("/dev/full", "wb") as full:
        minion = camp.minion(command, stdout=full)
    assert minion.code() == 141, minion.err
    assert len(camp.runs()) < 5000


def test_a_child_that_makes_its_output_non_blocking_does_not_spoil_it_for_others(camp):
    """The next task of the slot writes to the same pipe."""
    script = "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)"
    command = camp.script("command", f'test "$1" = 1 && exec {sys.executable} -c "{script}"; yes | head -c 3000000')
    camp.put("1..2")
    minion = camp.minion(command)
    assert minion.code() == 0, minion.err
    assert len(minion.out) == 3 * MEGABYTE
