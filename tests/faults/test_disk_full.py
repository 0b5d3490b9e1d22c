"""A disk that takes no more: nothing is damaged, everything says so, and goes on when there is room again.

A limit on the size of files stands in for the disk: it can be set for one process, and lifted while that runs.
"""

from __future__ import annotations

import os
import resource
import sqlite3

import pytest
from harness import QUEUE, wait_for_lines, wait_until

from minionize.model import Counts

#: Enough for what a minion says on standard error, too little for what it writes to its queue next.
FULL = 4096

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no way here to limit another process's files")


def limit(process, size):
    """Let a process's files grow to so many bytes only, or (None) as they like."""
    hard = resource.RLIM_INFINITY
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


def limited_put(camp, blocks, *words):
    """Start a put whose files may grow to so many blocks of 512 bytes."""
    return camp.start("sh", "-c", f'ulimit -S -f {blocks}; exec "$@"', "sh", *QUEUE, "put", *words)


def integrity(path):
    """Let SQLite look whether a file is whole."""
    with sqlite3.connect(path) as db:
        return db.execute("PRAGMA integrity_check").fetchone()[0]


def test_a_put_that_does_not_fit_adds_nothing(camp):
    """It says why, and the queue is as it was; with room it works."""
    camp.put("1..10")
    put = limited_put(camp, 400, "1..50000")
    assert put.code() == 69
    assert "cannot be used now" in put.err
    assert "Traceback" not in put.err
    assert integrity(camp.queue_path) == "ok"
    assert camp.counts() == Counts(pending=10, delayed=0, leased=0, done=0, dead=0)
    assert "49990 added, 10 known" in camp.put("1..50000")


def test_a_put_that_cannot_even_make_the_queue_leaves_no_broken_one(camp):
    """The next put is the first one."""
    put = limited_put(camp, 1, "1..10")
    assert put.code() == 69
    assert "Traceback" not in put.err
    assert "10 added" in camp.put("1..10")
    assert integrity(camp.queue_path) == "ok"


def test_a_minion_waits_until_there_is_room_again(camp):
    """What runs goes on, what ended is settled later, and nothing runs twice."""
    gate = camp.gate()
    command = camp.script("command", 'echo "$1" >> ran; read _ < gate')
    camp.put("1..3")
    minion = camp.minion(command)
    wait_for_lines(camp.ran, 1)
    limit(minion, FULL)
    gate.open()
    minion.has_said("cannot be used now")
    assert camp.counts().done == 0
    limit(minion, None)
    minion.has_said("the queue answers again")
    assert minion.code() == 0, minion.err
    assert integrity(camp.queue_path) == "ok"
    assert camp.counts() == Counts(0, 0, 0, 3, 0)
    assert camp.runs() == ["1", "2", "3"]


def test_a_minion_whose_patience_ends_leaves_with_75(camp):
    """The queue was there and was lost: the task it ran comes back, and runs once more."""
    gate = camp.gate()
    command = camp.script("command", 'echo "$1" >> ran; read _ < gate')
    camp.put("1")
    minion = camp.minion("--engine-patience", "0s", command)
    wait_for_lines(camp.ran, 1)
    limit(minion, FULL)
    gate.open()
    assert minion.code() == 75, minion.err
    assert "cannot be used now" in minion.err
    assert camp.minion(command).code() == 0
    assert camp.counts().done == 1
    assert camp.runs() == ["1", "1"]


def test_events_that_do_not_fit_are_said_to_be_missing_and_fail_no_task(camp):
    """Once; what is in the file are whole lines, and with room it goes on."""
    gate = camp.gate()
    command = camp.script("command", 'echo "$1"; test "$1" -le 20 || read _ < gate')
    reading, writing = os.pipe()
    minion = camp.minion(command, stdin=reading, variables={"MINION_ENGINE": "file"})
    os.close(reading)
    os.write(writing, b"0\n")
    directory = camp.path / "minion-report"
    wait_until(lambda: directory.exists() and [e for e in camp.events() if e["param"] == "0"], "the first event")
    size = sum(path.stat().st_size for path in directory.iterdir())
    limit(minion, size + 1000)
    os.write(writing, b"".join(b"%d\n" % n for n in range(1, 22)))
    minion.has_said("events are not recorded: [Errno 27] File too large")
    wait_until(lambda: "20\n" in minion.out, "the task before the gate")
    assert all(path.stat().st_size <= size + 1000 for path in directory.iterdir())
    assert 0 < len(camp.events()) < 20
    limit(minion, None)
    gate.open()
    os.close(writing)
    assert minion.code() == 0, minion.err
    assert minion.out == "".join(f"{n}\n" for n in range(22))
    assert minion.err.count("events are not recorded") == 1
    assert camp.events()[-1]["param"] == "21"
    assert camp.events("minion_stop")


def test_output_that_does_not_fit_is_the_commands_own_trouble(camp):
    """Where tasks write into files, they see the error themselves; the minion goes on."""
    command = camp.script("command", 'trap "" XFSZ; printf "%0500d" 0 || kill -SEGV $$')
    camp.put("1")
    minion = camp.minion("--output", "out", "--max-attempts", "1", command)
    code = minion.code()
    assert code == 0, minion.err
    camp.put("2")
    minion = camp.minion("--output", "out", "--max-attempts", "1", "sh", "-c", "ulimit -f 0; exec ./command", "sh")
    assert minion.code() == 1, minion.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=1, dead=1)


def test_grouped_output_that_does_not_fit_is_passed_on_as_it_comes(camp):
    """What a task writes is kept until its end, in a file where it is much: should there be no room, nothing is lost."""
    gate = camp.gate()
    command = camp.script("command", 'echo >> ran; read _ < gate; yes "$1" | head -c 1000000')
    reading, writing = os.pipe()
    out, its_out = os.pipe()
    minion = camp.minion(
        "--output", "grouped", command, stdin=reading, stdout=its_out, variables={"MINION_ENGINE": "file"}
    )
    os.close(reading)
    os.close(its_out)
    os.write(writing, b"a\nb\n")
    os.close(writing)
    wait_for_lines(camp.ran, 1)
    limit(minion, 100_000)
    gate.open()
    with open(out, "rb") as reader:
        assert reader.read() == b"a\n" * 500_000 + b"b\n" * 500_000
    assert minion.code() == 0, minion.err
