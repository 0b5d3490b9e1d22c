"""The files that pass between a minion and a task."""

from __future__ import annotations

import os

import pytest

from minionize.errors import UsageError
from minionize.slots.scratch import LARGEST_RESULT, Scratch


@pytest.fixture
def scratch(tmp_path):
    """Give a directory that was made a while ago."""
    made = Scratch(str(tmp_path / "scratch"))
    age(tmp_path / "scratch")
    yield made
    made.close()


def age(directory):
    """Let the directory have been changed a while ago."""
    os.utime(directory, ns=(1, 1))


def path_of(environment):
    """Say where a result goes."""
    return environment[b"MINION_RESULT_FILE"]


def write(environment, text):
    """Leave a result, as a task does."""
    with open(path_of(environment), "w") as file:
        file.write(text)


def test_a_result_is_found_after_many_tasks_left_none(scratch):
    """That the directory was empty is remembered only until something is made in it."""
    environment = {}
    for _ in range(3):
        assert scratch.end(scratch.begin(b"1", environment), "1") is None
    stem = scratch.begin(b"1", environment)
    write(environment, '{"score": 0.10}')
    assert scratch.end(stem, "1") == '{"score":0.10}'
    assert not os.path.exists(path_of(environment))


def test_a_result_waits_while_other_tasks_end_without_one(scratch, tmp_path):
    """What a long task has left already is not overlooked because a short one left nothing."""
    long, short = {}, {}
    stem = scratch.begin(b"1", long)
    write(long, "1")
    age(tmp_path / "scratch")
    assert scratch.end(scratch.begin(b"2", short), "2") is None
    assert scratch.end(stem, "1") == "1"


def test_each_execution_has_a_file_of_its_own(scratch):
    """What an escaped process of an earlier task writes late is nobody's result."""
    first, second = {}, {}
    scratch.end(scratch.begin(b"1", first), "1")
    stem = scratch.begin(b"1", second)
    write(first, '"late"')
    assert scratch.end(stem, "1") is None


def test_a_json_result_that_is_too_long_is_left_out_and_says_so(scratch):
    """Half of an object would be worse than none."""
    environment = {}
    stem = scratch.begin(b"1", environment)
    write(environment, "[" + "1," * LARGEST_RESULT + "1]")
    assert "left out" in scratch.end(stem, "1")


def test_a_directory_that_is_there_is_not_ours(tmp_path):
    """Somebody else may have put it there to read what we write."""
    with pytest.raises(UsageError, match="TMPDIR"):
        Scratch(str(tmp_path))
