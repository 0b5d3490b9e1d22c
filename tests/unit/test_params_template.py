"""From a param to a command line: the table of what goes where."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minionize.errors import BadParam, UsageError
from minionize.params.jsontext import encode
from minionize.params.template import MissingField, Template, display

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


def render(words, param, **options):
    """Render for slot 3 and id ``f00``, as str."""
    return [os.fsdecode(word) for word in Template(words, **options).render(param, 3, "f00")]


@pytest.mark.parametrize(
    ("param", "appended"),
    [
        ("\"--alpha 1 'a b'\"", ["--alpha", "1", "a b"]),
        ('"a\\\\ b \\"c d\\" # e"', ["a b", "c d", "#", "e"]),
        ('" a\\tb\\n"', ["a", "b"]),
        ('"a\u00a0b"', ["a\u00a0b"]),
        ('""', []),
        ("0.10", ["0.10"]),
        ("1e-5", ["1e-5"]),
        ("true", ["true"]),
        ("null", ["null"]),
        ('[1.0,"a b",null,{"x":[1]}]', ["1.0", "a b", "null", '{"x":[1]}']),
        ("[]", []),
        ('{"a":0.10,"b":true,"c":false,"d":null,"e":"x y","f":[1,"z"]}', ["--a=0.10", "--b", "--e=x y", '--f=[1,"z"]']),
    ],
)
def test_without_a_place_the_param_is_appended(param, appended):
    """The table of the manual, row by row."""
    assert render(["./a.out"], param) == ["./a.out", *appended]


@pytest.mark.parametrize(
    ("word", "param", "argument"),
    [
        ("{}", '"a \'b"', "a 'b"),
        ("{}", '""', ""),
        ("{}", "0.10", "0.10"),
        ("{}", '{"a":[1.0]}', '{"a":[1.0]}'),
        ("x{}y{}", "1", "x1y1"),
        ("--s={seed}", '{"seed":0.10}', "--s=0.10"),
        ("{a}", '{"a":"$(x) \\u00e9"}', "$(x) é"),
        ("{a}", '{"a":true}', "true"),
        ("{a}", '{"a":null}', "null"),
        ("{a}", '{"a":[1.0,"b"]}', '[1.0,"b"]'),
        ("{a-b}", '{"a-b":1}', "1"),
        ("{a.b}", '{"a.b":1,"a":{"b":2}}', "1"),
        ("{a.b}", '{"a":{"b":2}}', "2"),
        ("{slot}/{id}/{}", "7", "3/f00/7"),
        ("{slot}/{id}/{x}", '{"slot":9,"id":"mine","x":1}', "9/mine/1"),
    ],
)
def test_a_place_is_filled_and_nothing_is_appended(word, param, argument):
    """One argument stays one argument, whatever the param holds."""
    assert render(["cmd", word], param) == ["cmd", argument]


def test_slot_and_id_alone_do_not_take_the_param():
    """It is appended as if they were not there."""
    assert render(["cmd", "{slot}", "{id}"], "5") == ["cmd", "3", "f00", "5"]


def test_an_id_that_is_a_field_takes_it():
    """A field of that name wins, and is a place like any other."""
    assert render(["cmd", "{id}"], '{"id":7,"x":1}') == ["cmd", "7"]


@pytest.mark.parametrize(
    ("word", "argument"),
    [
        ("{{seed}}", "{seed}"),
        ("{{{}}}", "{1}"),
        ("}}", "}"),
        ("${HOME}/${{x}}", "${HOME}/${x}"),
        ("{print $1}", "{print $1}"),
        ("{ if ($1) { print }}", "{ if ($1) { print }}"),
        ('{"a": {"b": {}}}', '{"a": {"b": 1}}'),
        ("x{2,3}", "x{2,3}"),
        ("{1}", "{1}"),
        ("{", "{"),
        ("}", "}"),
    ],
)
def test_braces_that_are_no_place_are_left_alone(word, argument):
    """Doubled ones are literal; programs of awk, shell and JSON come through."""
    assert render(["cmd", word, "{}"], "1") == ["cmd", argument, "1"]


def test_without_the_template_everything_is_left_alone():
    """The words are the command, and the param is appended."""
    template = ["cmd", "{}", "{{x}}", "{seed}"]
    assert render(template, "1", enabled=False) == [*template, "1"]


def test_the_fields_are_those_that_the_param_must_have():
    """In the order of their first use, without what the minion fills in."""
    assert Template(["{b}", "{a}{b}", "{slot}", "{id}", "{}"]).fields == ("b", "a")


def test_a_missing_field_names_those_there_are():
    """So that the typo is seen at once."""
    with pytest.raises(MissingField, match="no field sede; its fields: seed, alpha") as caught:
        render(["cmd", "{sede}"], '{"seed":1,"alpha":2}')
    assert (caught.value.name, caught.value.fields) == ("sede", ("seed", "alpha"))


@pytest.mark.parametrize("param", ['"text"', "1", "[1]"])
def test_a_field_of_what_is_no_object_is_missing(param):
    """With the cure: {} for the whole."""
    with pytest.raises(MissingField, match=r"Write \{\} for the whole param") as caught:
        render(["cmd", "{seed}"], param)
    assert caught.value.fields == ()


@pytest.mark.parametrize("words", [["cmd"], ["cmd", "{slot}"]])
def test_a_string_that_is_no_command_line_says_what_to_do(words):
    """An unbalanced quote is not guessed at."""
    with pytest.raises(BadParam, match=r"Write \{\} in the command to get it as one argument"):
        render(words, '"it\'s"')


@pytest.mark.parametrize(
    ("words", "param"), [(["{}"], '"a\\u0000b"'), (["{a}"], '{"a":"\\u0000"}'), (["x"], '["\\u0000"]')]
)
def test_an_argument_cannot_hold_a_nul(words, param):
    """The kernel would cut it there."""
    with pytest.raises(BadParam, match="MINION_PARAM"):
        render(words, param)


def test_a_nul_that_is_only_json_text_is_no_nul():
    """As part of an object it stays an escape."""
    assert render(["{}"], '{"a":"\\u0000"}') == ['{"a":"\\u0000"}']


def test_a_command_with_a_nul_is_refused_at_once():
    """Before any param is taken."""
    with pytest.raises(UsageError, match="NUL"):
        Template(["a\0"])


def test_bytes_that_are_no_utf8_arrive_unchanged():
    """From the command and from the param alike."""
    words = [os.fsdecode(b"\xfe{}"), "{slot}"]
    assert Template(words).render('"\\udcff"', 1, "i") == [b"\xfe\xff", b"1"]


def test_a_surrogate_that_is_no_byte_is_refused():
    """It cannot be written as an argument."""
    with pytest.raises(BadParam, match="cannot be written"):
        render(["{}"], '"\\ud800"')


@given(st.lists(WORDS, max_size=4), WORDS)
@example(["${a}"], "")
@example(["{{}"], "")
@example(["{a {{b}} }}"], "")
def test_any_text_can_be_written_with_doubled_braces(words, param):
    """Doubling every brace gives the words back, and the param is not in them."""
    doubled = [word.replace("{", "{{").replace("}", "}}") for word in words]
    assert render([*doubled, "{}"], encode(param)) == [*words, param]


@given(st.lists(WORDS, max_size=4), WORDS)
def test_a_param_is_never_read_as_a_template(words, param):
    """Braces in a param mean nothing."""
    template = ["{x}" + word.replace("{", "").replace("}", "") for word in words]
    rendered = render(template, encode({"x": param})) if words else []
    assert rendered == [word.replace("{x}", param) for word in template]


@given(st.text(st.sampled_from("ab '\"\\\t\n\r#\u00a0é{}$"), max_size=14))
def test_a_string_is_split_as_shlex_does(text):
    """Or refused where shlex refuses it."""
    try:
        expected = shlex.split(text)
    except ValueError:
        with pytest.raises(BadParam):
            render(["cmd"], encode(text))
    else:
        assert render(["cmd"], encode(text)) == ["cmd", *expected]


def test_a_command_line_is_displayed_quoted_and_printable():
    """No control character reaches the terminal."""
    argv = [b"a.out", b"", b"a b", b"it's", b"x\ny\x1b[31m'\\", b"\xff", "é".encode()]
    assert display(argv) == r"a.out '' 'a b' 'it'\''s' $'x\ny\e[31m\'\\' $'\xff' 'é'"


@given(st.lists(st.binary(max_size=8).filter(lambda word: b"\0" not in word), max_size=5))
def test_a_displayed_line_is_printable(argv):
    """Whatever the arguments are."""
    assert display(argv).isprintable()


def test_a_displayed_line_means_the_same_to_bash():
    """It can be pasted into a shell."""
    argv = [b"", b"a b", b"it's", b"x\ny\t\x1b\x01f'\\", b"\xffa", "é\u202e$(x)`y`".encode()]
    try:
        shown = subprocess.run(["bash", "-c", f"printf '%s\\0' {display(argv)}"], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("needs bash")
    assert shown.stdout.split(b"\0")[:-1] == argv
