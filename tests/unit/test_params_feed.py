"""Lines from a pipe that may stay open for hours."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import UsageError
from minionize.params.files import Feed


@contextmanager
def pipe():
    """Open a pipe; what the test closes itself is left alone."""
    ends = list(os.pipe())
    try:
        yield ends
    finally:
        for fd in ends:
            if fd is not None:
                os.close(fd)


def close(ends):
    """Close the writing end."""
    os.close(ends[1])
    ends[1] = None


def test_whole_lines_are_given_and_a_begun_one_waits_for_its_end():
    """Nobody runs half a param."""
    with pipe() as ends:
        feed = Feed(ends[0])
        os.write(ends[1], b"a\n\nb")
        assert feed.read(10) == [b"a", b""]
        assert feed.read(10) == []
        os.write(ends[1], b"c\n")
        assert feed.read(10) == [b"bc"]
        assert not feed.ended


def test_no_more_than_the_limit_is_given():
    """The rest is kept for the next time."""
    with pipe() as ends:
        feed = Feed(ends[0])
        os.write(ends[1], b"1\n2\n3\n")
        close(ends)
        assert [feed.read(2), feed.read(0), feed.read(2)] == [[b"1", b"2"], [], [b"3"]]
        feed.read(1)
        assert feed.ended


def test_a_last_line_without_a_newline_counts():
    """As it does for xargs."""
    with pipe() as ends:
        feed = Feed(ends[0])
        os.write(ends[1], b"a\nlast")
        close(ends)
        assert feed.read(10) == [b"a", b"last"]
        assert feed.ended


def test_an_empty_input_has_ended():
    """With no line given."""
    with pipe() as ends:
        close(ends)
        feed = Feed(ends[0])
        assert (feed.read(1, wait=3600), feed.ended) == ([], True)


def test_a_wait_is_cut_short_by_the_wake_descriptor():
    """Which stays readable for its owner."""
    with pipe() as ends, pipe() as wake:
        os.write(wake[1], b"!")
        assert Feed(ends[0]).read(1, wait=3600, wake_fd=wake[0]) == []
        assert os.read(wake[0], 1) == b"!"


def test_lines_that_are_there_are_given_though_woken():
    """Being woken loses nothing."""
    with pipe() as ends, pipe() as wake:
        os.write(wake[1], b"!")
        os.write(ends[1], b"a\n")
        assert Feed(ends[0]).read(5, wait=3600, wake_fd=wake[0]) == [b"a"]


def test_waiting_ends_with_the_first_lines():
    """What is there is given at once, though the pipe stays open and more was asked for."""
    with pipe() as ends:
        os.write(ends[1], b"a\nb\n")
        assert Feed(ends[0]).read(5, wait=3600) == [b"a", b"b"]


def test_a_non_blocking_descriptor_is_as_good():
    """Its owner may have made it so."""
    with pipe() as ends:
        os.set_blocking(ends[0], False)
        feed = Feed(ends[0])
        assert feed.read(1) == []
        os.write(ends[1], b"a\n")
        assert feed.read(1) == [b"a"]


def test_an_endless_line_does_not_hold_the_reader_beyond_its_wait():
    """It is read in pieces, a piece a call where there is no time to wait."""
    with open("/dev/zero", "rb") as zeros:
        assert Feed(zeros.fileno()).read(1, wait=0.0) == []


def test_a_regular_file_is_read_to_its_end(tmp_path):
    """With a line longer than any buffer."""
    path = tmp_path / "p.txt"
    path.write_bytes(b"a\n" + b"x" * 5_000_000 + b"\nb\n")
    with path.open("rb") as file:
        feed, given_ = Feed(file.fileno()), []
        while not feed.ended:
            given_ += feed.read(1)
    assert [len(line) for line in given_] == [1, 5_000_000, 1]


def test_a_descriptor_that_cannot_be_read_is_a_usage_error():
    """Standard input may be closed."""
    with pipe() as ends:
        os.close(ends[0])
        feed, ends[0] = Feed(ends[0]), None
        with pytest.raises(UsageError, match="cannot be read"):
            feed.read(1)


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"a", b"\n")), st.integers(1, 7), st.integers(1, 4))
def test_however_it_arrives_the_lines_are_the_same(content, piece, limit):
    """Pieces and limits change nothing."""
    with pipe() as ends:
        feed, given_ = Feed(ends[0]), []
        for start in range(0, len(content), piece):
            os.write(ends[1], content[start : start + piece])
            given_ += feed.read(limit)
        close(ends)
        while not feed.ended:
            given_ += feed.read(limit)
    expected = content.split(b"\n")
    assert given_ == (expected if expected[-1] else expected[:-1])
