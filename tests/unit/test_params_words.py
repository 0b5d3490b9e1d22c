"""Words, ranges and products of named values, as they are typed."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import UsageError
from minionize.params.words import count, expand


def texts(*words):
    """Expand and check that the count agrees."""
    params = list(expand(words))
    assert count(words) == len(params)
    return params


def test_words_are_a_sequence_of_params():
    """Each word is one param, commas and all, in the order typed."""
    assert texts("b", "1", "x,y", "b", "") == ['"b"', "1", '"x,y"', '"b"', '""']


@pytest.mark.parametrize(
    ("word", "params"),
    [
        ("1..3", "1 2 3"),
        ("0..10..4", "0 4 8"),
        ("3..1", "3 2 1"),
        ("9..0..-4", "9 5 1"),
        ("-1..1", "-1 0 1"),
        ("1..-1", "1 0 -1"),
        ("5..5", "5"),
        ("98..101", "98 99 100 101"),
        ("0..1..0.1", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1"),
        ("0.10..0.30..0.1", "0.10 0.20 0.30"),
        ("-0.5..0.5..0.25", "-0.5 -0.25 0.0 0.25 0.5"),
        ("1..0..-0.5", "1 0.5 0"),
        ("0.5..2.5", "0.5 1.5 2.5"),
    ],
)
def test_a_range_is_numbers(word, params):
    """Steps, negative and descending ones, and decimals without rounding errors."""
    assert texts(word) == params.split()


@pytest.mark.parametrize(
    ("word", "params"),
    [
        ("001..003", "001 002 003"),
        ("08..10", "08 09 10"),
        ("Dam001/Period01..03", "Dam001/Period01 Dam001/Period02 Dam001/Period03"),
        ("run-1..2", "run-1 run-2"),
        ("--seed=-1..0", "--seed=-1 --seed=0"),
        ("1..2.txt", "1.txt 2.txt"),
        ("D1..2/P09..10.dat", "D1/P09.dat D1/P10.dat D2/P09.dat D2/P10.dat"),
    ],
)
def test_a_padded_or_prefixed_range_is_strings(word, params):
    """The width of the low bound is kept; several ranges are a product."""
    assert texts(word) == [f'"{param}"' for param in params.split()]


@pytest.mark.parametrize(
    "word",
    [
        "../data/x", "a..b", "1..", "..3", "1..x", "1..2..x", "1..2..3..4", "1...3", "v1.2.3..v1.2.9",
        "2024-01..2024-12", "2024-01-01..2024-12-31", "10:00..12:00", "abc1..3def", "10.0.0.1..5", "HEAD~2..HEAD",
    ],
)  # fmt: skip
def test_a_word_that_only_looks_like_a_range_is_a_string(word):
    """Paths, versions, dates and commits stay what they are."""
    assert texts(word) == [f'"{word}"']


def test_a_range_in_json_quotes_is_a_string():
    """This is how to put one."""
    assert texts('"1..3"') == ['"1..3"']


def test_named_values_are_a_product_of_objects():
    """Fields in the order typed, the last one varying fastest, digits as typed."""
    assert texts("lr=0.10,1e-2", "seed=0..1") == [
        '{"lr":0.10,"seed":0}',
        '{"lr":0.10,"seed":1}',
        '{"lr":1e-2,"seed":0}',
        '{"lr":1e-2,"seed":1}',
    ]


def test_commas_inside_json_do_not_split():
    """Lists, objects and quoted strings are one value each."""
    assert texts('a=[1, 2],{"b":[3,4]},"x,y",z,,007') == [
        '{"a":[1,2]}',
        '{"a":{"b":[3,4]}}',
        '{"a":"x,y"}',
        '{"a":"z"}',
        '{"a":""}',
        '{"a":"007"}',
    ]


def test_a_value_may_hold_an_equals_sign_and_a_range():
    """Only the first equals sign names."""
    assert texts("opt.lr=k=1..2") == ['{"opt.lr":"k=1"}', '{"opt.lr":"k=2"}']


def test_an_option_is_no_name():
    """A word that begins with a dash is a command line."""
    assert texts("--alpha=1,2") == ['"--alpha=1,2"']


def test_no_words_are_no_params():
    """Nothing typed, nothing put."""
    assert texts() == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x", "seed=1"], "Name every value to put their product: param=x seed=1"),
        (["seed=1", "seed=2"], "seed is given twice"),
        (["1..2..0"], "step 0"),
        (["1..3..-1"], "Write 1..3..1"),
        (["3..1..1"], "Write 3..1..-1"),
        (["0..0.5"], r"Write it: 0..0.5..0.1"),
        (["1..010"], "Pad the low bound: 001..010"),
        (["1e-4..1e-2"], "Write the values"),
        (["a=[1]x"], "a comma was expected after"),
        (["a={x,y}"], "to have it as a string, write"),
        (["fine", "[bad"], "not valid JSON"),
    ],
)
def test_a_mistake_is_told_at_once_with_what_to_type(words, message):
    """Before the first param is given, so that nothing is added."""
    with pytest.raises(UsageError, match=message):
        expand(words)
    with pytest.raises(UsageError, match=message):
        count(words)


def test_a_product_of_a_billion_is_not_built_in_memory():
    """The first ones come at once, and the count is known."""
    words = ["a=0..999999", "b=1..1000000"]
    assert list(islice(expand(words), 2)) == ['{"a":0,"b":1}', '{"a":0,"b":2}']
    assert count([*words, "c=1..1000000000000"]) == 10**24


@given(st.decimals(-50, 50, places=2), st.integers(0, 40), st.decimals("0.01", 10, places=2), st.sampled_from([1, -1]))
def test_a_range_is_an_arithmetic_progression(low, steps, step, sign):
    """Exact, from its low bound, one step apart, within its bounds."""
    high = low + sign * step * steps
    params = [Decimal(text) for text in texts(f"{low}..{high}..{sign * step}")]
    assert params == [low + sign * step * index for index in range(steps + 1)]


@given(st.integers(0, 500), st.integers(0, 60), st.integers(1, 6))
def test_padding_keeps_the_width_of_the_low_bound(low, steps, width):
    """Strings of that width, longer only where the number is."""
    expected = [f'"p{str(number).zfill(width)}"' for number in range(low, low + steps + 1)]
    assert texts(f"p{str(low).zfill(width)}..{str(low + steps).zfill(width)}") == expected


@given(st.text(max_size=12))
def test_a_word_is_expanded_or_refused(word):
    """No word raises anything but a UsageError."""
    try:
        assert texts(word)
    except UsageError:
        pass
