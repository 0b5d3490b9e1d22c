"""Params and results of calls: what is JSON stays, what is not becomes it, and nothing a function returns fails its task."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import BadParam, Misfit
from minionize.slots.calls import results

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Sulky:
    """An object that nobody can show."""

    def __repr__(self):
        raise RuntimeError("no")


class Array:
    """What looks like an array of numpy."""

    def __init__(self, size, items):
        self.size, self._items = size, items

    def tolist(self):
        """Give its items."""
        return self._items

    def __repr__(self):
        return f"array of {self.size}"


def written(value):
    """Write a result, and read it again."""
    return json.loads(results.encode(value))


@given(JSON)
def test_json_comes_back_as_it_was(value):
    """Also lone surrogates, and whatever else a string may hold."""
    assert written(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ({"loss": float("nan"), "n": 1}, {"loss": "nan", "n": 1}),
        (b"ab", "b'ab'"),
        (
            {
                1,
            },
            [1],
        ),
        ((1, (2, 3)), [1, [2, 3]]),
        ({(1, 2): 3}, {"(1, 2)": 3}),
        (Array(2, [1.0, float("inf")]), [1.0, "inf"]),
        (Array(1, 0.5), 0.5),
        ([Array(2, [1, 2]), b""], [[1, 2], "b''"]),
        (Array(1 << 20, [0]), "array of 1048576"),
        (1j, "1j"),
        ([1 << 20_000], [hex(1 << 20_000)]),
        ("\udc80", "\udc80"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_json_becomes_it(value, expected):
    """Numbers, lists and objects where that can be, else the text that Python shows."""
    assert written(value) == expected


def test_real_arrays_of_numpy_are_lists_and_numbers():
    """Whatever their type and shape."""
    numpy = pytest.importorskip("numpy")
    assert written(numpy.float32(0.5)) == 0.5
    assert written({"a": numpy.arange(4).reshape(2, 2), "b": numpy.int64(3)}) == {"a": [[0, 1], [2, 3]], "b": 3}
    assert written(numpy.array([1.0, numpy.nan])) == [1.0, "nan"]
    assert written(numpy.datetime64("2026-01-02")) == repr(numpy.datetime64("2026-01-02").tolist())


def test_an_object_that_cannot_be_shown_is_named():
    """The call is done all the same."""
    assert "Sulky object" in written(Sulky())
    (inside,) = written([Sulky()])
    assert "Sulky object" in inside


def test_what_holds_itself_has_an_end():
    """A tree whose children know their parents, too, which has many ways to go round."""
    root = {"name": "root", "children": []}
    root["children"] = [{"name": n, "parent": root, "more": {n}} for n in range(30)]
    found = written(root)
    assert [child["name"] for child in found["children"]] == list(range(30))


def test_a_result_that_is_nested_without_end_is_cut():
    """Where Python's own writer of JSON gives up."""
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert results.encode(deep)


def test_a_long_result_is_left_out_and_says_so():
    """64 KiB are kept, as of a program."""
    assert written("x" * (results.LARGEST - 2)) == "x" * (results.LARGEST - 2)
    assert "left out" in written("x" * (results.LARGEST - 1))
    assert len(results.encode(["é" * results.LARGEST])) < 100


async def _coroutine():
    """Do nothing."""


async def _asynchronous_generator():
    """Give nothing."""
    yield


@pytest.mark.parametrize("make", [lambda: (n for n in ()), _coroutine, _asynchronous_generator])
def test_what_has_not_run_is_no_result(make):
    """A function that gives a coroutine or a generator has done nothing: that is said, and not kept as done."""
    value = make()
    with pytest.raises(Misfit, match="has not run"):
        results.encode(value)
    if hasattr(value, "close"):
        value.close()


@given(st.lists(JSON, min_size=1))
def test_a_batch_of_params_comes_back_as_it_was(values):
    """However many, and whatever they are."""
    assert results.params("\0".join(map(json.dumps, values)).encode()) == values


@pytest.mark.parametrize("bad", ["", "{", "[" * 100_000, "9" * 5000, "1,2", "NUL"], ids=lambda bad: bad[:3])
def test_a_param_that_python_cannot_read_spoils_no_other(bad):
    """It alone is unreadable, and says why."""
    found = results.params(f'1\0{bad}\0"two"'.encode())
    assert (found[0], found[2]) == (1, "two")
    assert isinstance(found[1], results.Unreadable)
    assert isinstance(found[1].error, BadParam)


def test_params_that_are_not_utf_8_are_read():
    """Bytes that are none are kept as Python keeps them in file names."""
    assert results.params(b'"\xff"\x001') == ["\udcff", 1]


class Mute(Exception):
    """One that says nothing, but how."""

    def __str__(self):
        raise RuntimeError("no")


def test_an_exception_is_written_in_a_line():
    """Its type, and what it says, if that can be had."""
    assert results.reason(KeyError("x")) == "KeyError: 'x'"
    assert results.reason(ValueError()) == "ValueError"
    assert results.reason(Mute()) == "Mute"
