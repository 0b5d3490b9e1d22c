"""Puts that meet each other, minions at work, and their own end."""

from __future__ import annotations

import os
import signal

from harness import wait_for_lines, wait_until

from minionize.model import Counts


def test_two_puts_at_once_add_each_task_once(camp):
    """They overlap: what is in both is added by one of them and known to the other."""
    one, two = camp.queue("put", "1..3000"), camp.queue("put", "2001..5000")
    assert (one.code(), two.code()) == (0, 0), one.err + two.err
    assert camp.counts() == Counts(pending=5000, delayed=0, leased=0, done=0, dead=0)
    assert sorted(camp.entries()) == list(range(1, 5001))
    added = sum(int(process.out.split(": ")[1].split(" added")[0]) for process in (one, two))
    assert added == 5000


def test_two_first_puts_make_one_queue(camp):
    """Neither finds the other's half made."""
    puts = [camp.queue("put", f"{n}") for n in range(6)]
    assert [put.code() for put in puts] == [0] * 6, [put.err for put in puts]
    assert camp.counts().pending == 6


def test_a_put_whose_source_breaks_off_adds_nothing(camp):
    """A bad line at the end of many good ones: all or none."""
    camp.put("x")
    (camp.path / "params.jsonl").write_text("".join(f"{n}\n" for n in range(5000)) + "{bad\n")
    put = camp.queue("put", "-f", "params.jsonl")
    assert put.code() == 2
    assert "params.jsonl" in put.err
    assert "5001" in put.err
    assert camp.counts() == Counts(pending=1, delayed=0, leased=0, done=0, dead=0)


def test_a_put_that_is_killed_adds_nothing(camp):
    """Whatever it has read so far; others can write at once."""
    camp.put("x")
    reading, writing = os.pipe()
    put = camp.queue("put", "-f", "-", stdin=reading)
    os.close(reading)
    line = b"0123456789" * 10 + b"\n"
    os.write(writing, line * 5000)  # more than a pipe holds: when this returns, it has taken most of it
    put.kill()
    os.close(writing)
    assert camp.counts().pending == 1
    assert "1 added" in camp.put("y")


def test_a_put_that_waits_for_its_source_keeps_no_minion_waiting(camp):
    """Minions work on while somebody types params, and get them when he has done."""
    command = camp.script("command", 'echo "$1" >> ran')
    camp.put("x")
    reading, writing = os.pipe()
    put = camp.queue("put", "-f", "-", stdin=reading)
    os.close(reading)
    os.write(writing, b"y\n")
    minion = camp.minion("--service", command)
    assert wait_for_lines(camp.ran, 1) == ["x"]
    os.write(writing, b"z\n")
    os.close(writing)
    assert put.code() == 0, put.err
    assert sorted(wait_for_lines(camp.ran, 3)) == ["x", "y", "z"]
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143


def test_clearing_the_queue_under_a_minion_stops_what_it_runs(camp):
    """It learns so at its next renewal; what is put afterwards is not mistaken for what was there before."""
    command = camp.script("command", 'echo "$1" >> ran; test "$1" = new || exec sleep 1000')
    camp.put("1..3")
    minion = camp.minion("--lease", "0.3s", "--service", command)
    wait_for_lines(camp.ran, 1)
    clear = camp.queue("clear", "--yes")
    assert clear.code() == 0, clear.err
    assert "3 tasks removed" in clear.out
    camp.put("new")
    wait_until(lambda: camp.counts().done == 1, "the new task is done")
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=1, dead=0)
    wait_until(lambda: camp.outcomes() == {(1, 1): "cancelled", ("new", 1): "done"}, "both outcomes")
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143


def test_a_cancelled_task_is_stopped_at_the_next_renewal(camp):
    """And is gone from the books; the others are done."""
    command = camp.script("command", 'echo "$1" >> ran; test "$1" != a || exec sleep 1000')
    camp.put("a", "b", "c")
    minion = camp.minion("--lease", "0.3s", command)
    wait_for_lines(camp.ran, 1)
    assert camp.queue("cancel", camp.entries()["a"].id).code() == 0
    assert minion.code() == 0, minion.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=2, dead=0)
    assert camp.outcomes()["a", 1] == "cancelled"
