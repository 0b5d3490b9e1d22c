"""A param is JSON text: what a word is read as, what is kept of it, and when two are the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import BadParam
from minionize.params import jsontext
from minionize.params.jsontext import Number, canonical, decode, decode_keeping_digits, encode, from_word, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("word", ["0", "42", "-1", "0.10", "1e-5", "1E+5", "-0", "true", "false", "null"])
def test_a_number_or_a_constant_stays_as_it_was_typed(word):
    """Digits are what the user typed: 0.10 is not 0.1."""
    assert from_word(word) == word


@pytest.mark.parametrize(
    "word", ["", "abc", "007", "NaN", "Infinity", "+1", ".5", "1.", "1_0", "1e", "-", "tru", "1\n", " 1", "\u0661"]
)
def test_anything_else_is_a_string(word):
    """What only looks like a number is a string."""
    assert decode(from_word(word)) == word


def test_json_is_kept_with_its_digits_on_one_line_without_blanks():
    """Blanks inside strings are the user's."""
    assert from_word('{"b" : [1.0,\n 2], "a b": "x  y\\n\\" z"}') == '{"b":[1.0,2],"a b":"x  y\\n\\" z"}'


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("[draft]", "Expecting value at column 2"),
        ('"abc', "Unterminated string starting at column 1"),
        ('{"a":1} x', "nothing more was expected at column 9"),
        ("[NaN]", "JSON has no NaN"),
        ("[-Infinity]", "JSON has no -Infinity"),
        ('{"a":1,"a":2}', 'the key "a" stands twice'),
        ("[" * 100_000, "nested more than 100 levels"),
        ("[" * 101 + "]" * 101, "nested more than 100 levels"),
    ],
)
def test_what_starts_like_json_and_is_none_is_refused_with_the_reason_and_the_cure(word, why):
    """Nobody wants half an object as a string."""
    with pytest.raises(BadParam, match="to have it as a string, write") as caught:
        from_word(word)
    assert why in str(caught.value)


def test_the_cure_for_a_string_that_looks_like_json_works():
    """What the hint tells to write is read as the string that was meant."""
    hint = jsontext.hint("[draft]")
    typed = hint.partition("write ")[2].partition(" (")[0]
    assert decode(from_word(typed)) == "[draft]"


def test_brackets_inside_strings_are_not_nesting():
    """A long text with brackets is as good as any."""
    word = json.dumps(["[" * 500, '"' + "{" * 500])
    assert decode(from_word(word)) == json.loads(word)


def test_bytes_that_are_no_utf8_become_escapes():
    """The text can be stored anywhere, and gives the byte back."""
    for text in (from_word("a\udcff"), encode(["a\udcff"]), from_word('"a\udcff"')):
        assert "\\udcff" in text.encode().decode()
    assert decode(from_word("a\udcff")) == "a\udcff"


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), [float("inf")]])
def test_a_value_that_json_cannot_say_is_refused(value):
    """Better now than in some other program."""
    with pytest.raises(BadParam, match="cannot be written as JSON"):
        encode(value)


def test_a_value_nested_too_deep_is_refused_on_the_way_in():
    """What goes in can always come out."""
    value: list[object] = []
    for _ in range(200):
        value = [value]
    with pytest.raises(BadParam, match="nested"):
        encode(value)


@pytest.mark.parametrize("text", ["", "nope", "1" * 5000, "[" * 100_000])
def test_decoding_what_is_no_json_is_a_bad_param(text):
    """Python's own errors do not leak."""
    with pytest.raises(BadParam):
        decode(text)


def test_numbers_keep_their_digits_when_asked_to():
    """A number is then a Number, and a string is not."""
    value = decode_keeping_digits('{"a":0.10,"b":"0.10","c":[1e-5]}')
    assert value == {"a": "0.10", "b": "0.10", "c": ["1e-5"]}
    assert [type(value["a"]), type(value["b"]), type(value["c"][0])] == [Number, str, Number]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"b":1,"a":2}', '{"a":2,"b":1}'),
        ('{"b":{"d":1,"c":[]},"a":2}', '{"a":2,"b":{"c":[],"d":1}}'),
        ('"\\u00e9"', '"é"'),
        ('{"\\u00e9":"\\/"}', '{"é":"/"}'),
        ('{"a b":1,"a":2}', '{"a":2,"a b":1}'),
    ],
)
def test_equal_params_have_one_canonical_text(one, other):
    """The order of keys and the spelling of strings do not matter."""
    assert canonical(one) == canonical(other)


def test_digits_matter_to_the_canonical_text():
    """1.0 and 1 are different arguments, and so different params."""
    assert len({canonical(text) for text in ("1", "1.0", '"1"', "1e0")}) == 4


@given(VALUES)
def test_encode_and_decode_are_inverse(value):
    """Any JSON value survives, on one line."""
    text = encode(value)
    assert "\n" not in text
    assert decode(text) == value
    assert parse(text) == text


@given(VALUES, st.sampled_from([None, 1]))
def test_canonical_text_means_the_same_and_is_stable(value, indent):
    """It is JSON for the same value, however that was written, and its own canonical text."""
    text = canonical(parse(json.dumps(value, indent=indent)))
    assert decode(text) == value
    assert canonical(text) == text
    assert text == canonical(encode(value))


@given(VALUES)
def test_the_quick_way_to_a_canonical_text_gives_what_the_slow_one_gives(value):
    """Flat objects take a short cut."""
    text = encode(value)
    slow = jsontext.encode_keeping_digits(decode_keeping_digits(text), sort=True)
    assert canonical(text) == slow


@given(st.text(st.characters(codec=None), max_size=20))
def test_every_word_is_read_or_refused_and_can_be_stored(word):
    """No word raises anything but BadParam, and every text can be encoded."""
    try:
        text = from_word(word)
    except BadParam:
        assert word[0] in '{["'
    else:
        text.encode()
        assert decode(text) == word or text == word
