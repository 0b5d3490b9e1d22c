"""What stands in a sweep, as params."""

from __future__ import annotations

import decimal
import fractions
import json
import math

import pytest
from execo_sweeps import HashableDict, drain, sweeps_fixture  # noqa: F401 - a fixture
from hypothesis import given
from hypothesis import strategies as st

from minionize.engines.execo.values import describe, key_of, natural, order
from minionize.errors import BadParam
from minionize.model import Bury, Counts, Failure, NewTask
from minionize.params.jsontext import encode


class Word(str):
    """A string of its own class."""

    __slots__ = ()

    def __str__(self):
        """Mislead."""
        return "something else"


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (3, "3"),
        ("a b", '"a b"'),
        (0.5, "0.5"),
        (True, "true"),
        (None, "null"),
        ((1, "a", (2, None)), '[1,"a",[2,null]]'),
        (frozenset({3, 1, 2}), "[1,2,3]"),
        (HashableDict(b=1, a=(1, 2)), '{"b":1,"a":[1,2]}'),
        (HashableDict({1: "x", None: "y", 0.5: "z"}), '{"1":"x","null":"y","0.5":"z"}'),
        (Word("w"), '"w"'),
        ("\udcff", '"\\udcff"'),
        (10**30, str(10**30)),
    ],
)
def test_what_is_json_is_a_param(item, param):
    """Tuples and sets are lists, a HashableDict is an object."""
    assert describe(item) == (param, "")


@pytest.mark.parametrize(
    "item",
    [
        b"bytes",
        1j,
        math.nan,
        math.inf,
        fractions.Fraction(1, 3),
        decimal.Decimal("0.10"),
        (1, b"x"),
        HashableDict({(1, 2): 3}),
        HashableDict(a=object),
    ],
)
def test_what_is_no_json_says_why(item):
    """The param is then what Python shows of it."""
    param, error = describe(item)
    assert error.startswith("what is in the sweep is no JSON value: ")
    assert isinstance(json.loads(param), str)


def test_numbers_of_numpy_are_numbers():
    """Sweeps are often made with numpy's ranges."""
    numpy = pytest.importorskip("numpy")
    assert describe(HashableDict(n=numpy.int64(3), x=numpy.float64(0.1), b=numpy.bool_(True))) == (
        '{"n":3,"x":0.1,"b":true}',
        "",
    )
    assert describe((numpy.float32(0.5), numpy.str_("w"))) == ('[0.5,"w"]', "")


def test_what_is_different_has_different_names():
    """And what is equal has the same one, whatever the order of a dict or a set."""
    different = [1, "1", (1,), frozenset({1}), HashableDict({"1": 1}), HashableDict({1: 1}), b"1", 1.5, None, "null"]
    assert len({key_of(item) for item in different}) == len(different)
    assert key_of(HashableDict(a=1, b=2)) == key_of(HashableDict(b=2, a=1))
    assert key_of(math.nan) == key_of(float("nan"))


def test_the_order_is_that_of_people():
    """Numbers by value, then words, then lists and objects; what is no param at the end."""
    items = [b"?", "b", "a", 10, 9.5, (2, 1), (1, 2), HashableDict(n=10), HashableDict(n=9), None]
    assert sorted(items, key=order) == [
        *(None, 9.5, 10, "a", "b", (1, 2), (2, 1)),
        *({"n": 9}, {"n": 10}, b"?"),
    ]


_leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_values = st.recursive(_leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(_values)
def test_a_natural_value_gives_its_text_back(value):
    """Whatever is put as Python writes it comes out as it went in, and can be hashed."""
    text = encode(value)
    item = natural(text, HashableDict)
    hash(item)
    assert describe(item)[0] == text or item is None


@pytest.mark.parametrize("text", ["0.10", "1E+400", "1e-5", "-0", '"\\u00e9"', '{"a":1,"a":2}', "[1, 2]", "9" * 5000])
def test_a_text_that_python_would_change_has_no_natural_value(text):
    """A wrapper stands for it."""
    assert natural(text, HashableDict) is None


def test_texts_that_are_equal_to_python_stay_apart(sweeps):
    """1, 1.0, true and 1.00 are four params, and so are two of the same text."""
    engine = sweeps.open(create=True)
    texts = ["1", "1.0", "true", "1.00", "1", "[1]", "[true]", "[1.0]"]
    assert engine.put([NewTask(f"id{n}", text) for n, text in enumerate(texts)]).added == len(texts)
    assert drain(engine) == texts
    assert len(sweeps.where().done) == len(texts)


def test_an_item_that_is_no_param_is_handed_out_with_the_reason(sweeps):
    """Buried, it is a dead letter; the loop goes on. Execo itself cannot keep a NaN, which is not equal to itself."""
    sweeps.make([b"bytes", float("nan"), "fine"])
    engine = sweeps.open()
    tasks = engine.exchange(limit=5).tasks
    assert tasks[0].param == '"fine"'
    assert [bool(task.error) for task in tasks] == [False, True, True]
    engine.exchange([Bury(task, Failure("param", task.error)) for task in tasks[1:]])
    other = sweeps.open("b")
    assert other.exchange(limit=5).tasks == ()
    assert other.counts() == Counts(0, 0, 1, 0, 2)


def test_a_sweep_of_many_kinds_runs_once(sweeps):
    """As ``execo_engine.sweep.sweep`` makes them, and mixed with others that look the same in JSON."""
    items = [
        HashableDict(a=1, b=(1, 2)),
        (1, 2),
        frozenset({1, 2}),
        "[1,2]",
        HashableDict({1: 2}),
        HashableDict({"1": 2}),
    ]
    sweeps.make(items)
    assert sorted(drain(sweeps.open())) == sorted(
        ['{"a":1,"b":[1,2]}', "[1,2]", "[1,2]", '"[1,2]"', '{"1":2}', '{"1":2}']
    )
    assert sweeps.where().done == set(items)


def test_a_bad_depth_is_no_param():
    """Deeper than any param may be."""
    item = ()
    for _ in range(200):
        item = (item,)
    assert describe(item)[1]
    with pytest.raises(BadParam):
        encode(json.loads("[" * 150 + "]" * 150))
