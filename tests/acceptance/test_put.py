"""``minion-queue put``: where params come from, what is known already, and mistakes that add nothing."""

from __future__ import annotations

import os
import sys

import pytest

from .harness import located

_PEAK = "import resource, subprocess, sys; subprocess.call(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (["a", "b", "c"], ['"a"', '"b"', '"c"']),
        (["1", "0.10", "1e-5", "true", "null", "007"], ["1", "0.10", "1e-5", "true", "null", '"007"']),
        (["0..10..2"], ["0", "2", "4", "6", "8", "10"]),
        (["3..1"], ["3", "2", "1"]),
        (["Dam001/Period01..03"], ['"Dam001/Period01"', '"Dam001/Period02"', '"Dam001/Period03"']),
        (["098..100"], ['"098"', '"099"', '"100"']),
        (["lr=0.1,0.01", "seed=0..1"], [f'{{"lr":{lr},"seed":{seed}}}' for lr in ("0.1", "0.01") for seed in (0, 1)]),
        (["name=a,b", "flag=true,007"], [f'{{"name":"{a}","flag":{b}}}' for a in "ab" for b in ("true", '"007"')]),
        (['{"k": [1, 2]}', '"1"', "[0.10]"], ['{"k":[1,2]}', '"1"', "[0.10]"]),
    ],
)
def test_words(here, words, params):
    """Plain ones, numbers and strings, ranges, padded ranges with text around them, products, JSON."""
    assert here.run("minion-queue", "put", *words).out == f"minion-queue.db: {len(params)} added\n"
    assert here.params() == params


@pytest.mark.parametrize(
    ("name", "content", "params"),
    [
        ("params.txt", 'a b\n\n7\r\n{"k": 1}\n', ['"a b"', "7", '{"k":1}']),
        ("params.jsonl", '"7"\n{"lr": 0.10}\n[1, 2]\n', ['"7"', '{"lr":0.10}', "[1,2]"]),
        ("params.csv", 'seed,name\n1,"a, b"\n007,\n', ['{"seed":1,"name":"a, b"}', '{"seed":"007","name":""}']),
        ("params.json", '[1, "b", {"c": 2.50}]', ["1", '"b"', '{"c":2.50}']),
    ],
)
def test_files(here, name, content, params):
    """The end of its name says how a file is read: lines of words, of JSON, rows under a header, one JSON array."""
    here.write(name, content)
    assert here.run("minion-queue", "put", "-f", name).out == f"minion-queue.db: {len(params)} added\n"
    assert here.params() == params


def test_standard_input(here):
    """A line is a word."""
    assert here.run("minion-queue", "put", "-f", "-", input=b"1\ntwo words\n").code == 0
    assert here.params() == ["1", '"two words"']


def test_the_memory_of_a_put_is_bounded(here):
    """Sixty megabytes of params go through a process that never holds them all."""
    reader, writer = os.pipe()
    lines = here.start("sh", "-c", 'yes "$(printf %09999d 7)" | head -n 6000', stdout=writer)
    os.close(writer)
    # A process of its own: the most that a child ever held is told to its parent only.
    put = here.start(sys.executable, "-S", "-c", _PEAK, *located("minion-queue"), "put", "-f", "-", stdin=reader)
    os.close(reader)
    said, peak = put.wait().out.splitlines()
    assert said == "minion-queue.db: 6000 added"
    assert int(peak) < 60_000
    assert lines.wait().code == 0


def test_what_is_known_is_not_added_again(here):
    """By state; extending a sweep adds the new points only, and ``--again`` adds copies."""
    here.put("0..4")
    fail = here.script("fail", '[ "$1" = 3 ] && kill -SEGV $$ || true')
    assert here.minionize(fail, MINION_MAX_ATTEMPTS="1").code == 1
    here.put("5")
    put = here.run("minion-queue", "put", "0..9")
    assert put.out == "minion-queue.db: 4 added, 6 known (1 pending, 4 done, 1 dead); --again runs them again\n"
    assert here.run("minion-queue", "put", "0..2", "--again").out == "minion-queue.db: 3 added\n"
    assert here.books() == {"pending": 8, "done": 4, "dead": 1}
    assert here.minionize("echo").out.split() == ["5", "6", "7", "8", "9", "0", "1", "2"]


def test_equal_params_are_the_same_however_they_are_written(here):
    """Blanks and the order of fields do not matter; the digits of a number do."""
    here.put_lines({"a": 1, "b": 2})
    put = here.run("minion-queue", "put", '{"b": 2,   "a": 1}', '{"a":1,"b":2.0}')
    assert put.out.startswith("minion-queue.db: 1 added, 1 known (1 pending)")


def test_a_line_that_stands_twice_runs_twice(here):
    """And is known twice when it is put again."""
    assert here.run("minion-queue", "put", "a", "b", "a").out == "minion-queue.db: 3 added\n"
    assert here.minionize("echo").out.split() == ["a", "b", "a"]
    assert "0 added, 3 known (3 done)" in here.run("minion-queue", "put", "a", "a", "b").out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bad.jsonl", '1\n2\n{"seed": }\n4\n', "bad.jsonl, line 3: not valid JSON"),
        ("bad.csv", "a,b\n1,2\n3\n", "bad.csv, line 3: 1 value under 2 columns"),
        ("bad.txt", 'fine\n{"seed": }\n', "bad.txt, line 2: not valid JSON"),
        ("bad.json", '{"seed": 1}', "bad.json: not an array"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_added(here, name, content, said):
    """Also what stands before it; what was there stays."""
    here.put("before")
    here.write(name, content)
    done = here.run("minion-queue", "put", "-f", name)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"minion-queue put: {said}")
    assert here.params() == ['"before"']


def test_a_bad_line_of_standard_input_is_named(here):
    """By the name that standard input has."""
    done = here.run("minion-queue", "put", "-f", "-", input=b'1\n"two\n')
    assert done.code == 2
    assert "standard input, line 2: not valid JSON" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "put what?"),
        (["1..3", "-f", "params.txt"], "words or a file, not both"),
        (["-f", "parms.txt"], "there is no file parms.txt"),
        (["0..10..-1"], "0..10..-1: its step leads away from 10"),
        (["0..10..0"], "0..10..0: a range with step 0 has no end"),
        (["seed=1..3", "fast"], "fast has no name while seed=1..3 has one"),
        (['{"seed": }'], "not valid JSON"),
        (["1", "--agian"], "--agian"),
    ],
)
def test_a_mistake_makes_no_queue(here, words, said):
    """It says what is wrong, and what to type."""
    done = here.run("minion-queue", "put", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert here.names() == []


def test_a_bad_first_line_makes_no_tasks(here):
    """The queue that was made for it is empty, and another put fills it."""
    here.write("bad.jsonl", "nonsense\n")
    assert here.run("minion-queue", "put", "-f", "bad.jsonl").code == 2
    here.put("1")
    assert here.params() == ["1"]


def test_a_product_counts_its_params(here):
    """The last name varies fastest."""
    here.put("a=1..2", "b=x,y")
    assert here.minionize("echo", "{a}{b}").out.split() == ["1x", "1y", "2x", "2y"]
