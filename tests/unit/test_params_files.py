"""Params from files: formats, and what is said about a bad line."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import BadParam, UsageError
from minionize.params.files import LineReader, lines, read
from minionize.params.template import Template


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Write a file in the current directory and read it."""
    monkeypatch.chdir(tmp_path)

    def write_and_read(name, content, format=None):
        (tmp_path / name).write_bytes(content)
        return list(read(name, format))

    return write_and_read


def test_a_txt_file_is_a_word_a_line(params):
    """Read as words are; newlines of both kinds and a byte order mark go, blank lines are skipped."""
    assert params("p.txt", b'\xef\xbb\xbf1\r\n\n007\n  \n a b \n""\nlast') == ["1", '"007"', '" a b "', '""', '"last"']


def test_a_name_that_says_nothing_is_a_txt(params):
    """As is a format given by hand."""
    assert params("params", b"a\n") == ['"a"']
    assert params("p.csv", b"a\n", "txt") == ['"a"']


def test_bytes_that_are_no_utf8_reach_the_argument(params):
    """A file name is bytes."""
    (param,) = params("p.txt", b"caf\xe9\n")
    assert Template(["{}"]).render(param, 1, "i") == [b"caf\xe9"]


def test_json_lines_keep_their_digits(params):
    """Each line a param, compact."""
    assert params("p.jsonl", b'{"a": 1.0}\n\n[1, 2]\n"x"\n') == ['{"a":1.0}', "[1,2]", '"x"']


def test_a_json_file_is_an_array_of_params(params):
    """Read whole, digits kept."""
    assert params("p.json", b'[1.0, {"a": "b c"},\n null]') == ["1.0", '{"a":"b c"}', "null"]


def test_a_csv_row_is_an_object(params):
    """Values are read as words; a quoted one may hold commas and newlines; blank lines are skipped."""
    content = b'\xef\xbb\xbfseed,name\r\n1,007\r\n\r\n0.10,"a, ""b""\nc"\n,x\n'
    assert params("p.csv", content) == [
        '{"seed":1,"name":"007"}',
        '{"seed":0.10,"name":"a, \\"b\\"\\nc"}',
        '{"seed":"","name":"x"}',
    ]


def test_a_blank_line_within_a_quoted_value_is_kept(params):
    """It is the value's own."""
    assert params("p.csv", b'a\n"x\n\ny"\n') == ['{"a":"x\\n\\ny"}']


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "p.jsonl",
            b"1\nnot json\n",
            "p.jsonl, line 2: not valid JSON: Expecting value at column 1: not json\nEach line",
        ),
        ("p.txt", b"a\n\n[b\n", "p.txt, line 3: not valid JSON"),
        ("p.csv", b'a,b\n"x\ny",1\n1\n', "p.csv, line 4: 1 value under 2 columns (a, b)"),
        ("p.csv", b'a,b\n1,"{\nx"\n', "p.csv, line 2: column b: not valid JSON"),
        ("p.csv", b"a,b,a\n", "p.csv, line 1: the header names the column a twice"),
        ("p.csv", b"\na,\n", "p.csv, line 2: the header has a column without a name"),
        ("p.csv", b'a\n"x"y\n', "p.csv, line 2: not valid CSV"),
        ("p.csv", b'a\n1\n"x\ny\n', "p.csv, line 3: a quote is not closed"),
        ("p.csv", b"\n", "p.csv: empty"),
        ("p.json", b'{"a":1}', "p.json: not an array"),
        ("p.json", b"1\n2\n", "p.json: not valid JSON"),
    ],
)
def test_a_bad_line_names_file_and_line(params, name, content, message):
    """So that an editor can be opened there."""
    with pytest.raises(BadParam) as caught:
        params(name, content)
    assert str(caught.value).startswith(message)


def test_lines_before_a_bad_one_were_given(tmp_path):
    """Reading is lazy: it is the put that adds all or nothing."""
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"1\nx\n")
    params = read(str(path))
    assert next(params) == "1"
    with pytest.raises(BadParam):
        next(params)


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path):
    """Missing, or a directory."""
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            list(read(str(path)))


def test_an_unknown_format_names_those_there_are(tmp_path):
    """Before the file is looked at."""
    with pytest.raises(UsageError, match="csv, json, jsonl and txt"):
        list(read(str(tmp_path), "xml"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.txt", b"x" * 5_000_000),
        ("p.jsonl", b'"' + b"x" * 5_000_000 + b'"'),
        ("p.csv", b'a\n"' + b"x\n" * 2_500_000 + b'"'),
    ],
)
def test_a_line_of_five_megabytes_is_a_param(params, name, content):
    """Also as one quoted value of many lines."""
    (param,) = params(name, content)
    assert len(param) >= 5_000_000


def test_the_identity_decoder_gives_each_line_as_a_string():
    """Verbatim, but for its newline; blank lines are skipped."""
    assert list(lines("identity", [b"1\n", b' "a" \r\n', b"\n", b"{"], "stdin")) == ['"1"', '" \\"a\\" "', '"{"']


@pytest.mark.parametrize(
    ("decoder", "raw", "good", "bad"),
    [
        ("json", [b"1", b"x", b"[2]"], ["1", "[2]"], ["stdin, line 2"]),
        (
            "csv",
            [b"a,b", b"1", b'"x', b'y",2', b'"x"y', b"3,4"],
            ['{"a":"x\\ny","b":2}', '{"a":3,"b":4}'],
            ["stdin, line 2", "stdin, line 5"],
        ),
    ],
)
def test_a_bad_line_is_given_as_such_and_the_rest_goes_on(decoder, raw, good, bad):
    """One line that cannot be read does not stop a queue."""
    params = list(lines(decoder, raw, "stdin"))
    assert [param for param in params if isinstance(param, str)] == good
    assert [str(param).partition(":")[0] for param in params if isinstance(param, BadParam)] == bad


def test_a_bad_header_is_raised():
    """No row could be read under it."""
    with pytest.raises(BadParam, match="stdin, line 1"):
        list(lines("csv", [b"a,a", b"1,2"], "stdin"))


def test_a_reader_goes_on_where_a_batch_ended():
    """A row may begin in one batch and end in the next."""
    reader = LineReader("csv", "stdin")
    assert [reader.feed(raw) for raw in (b"a", b'"x')] == [None, None]
    assert reader.feed(b'y"') == '{"a":"x\\ny"}'
    assert reader.end() is None


def test_standard_input_is_a_dash(monkeypatch):
    """Its lines are words, whatever its name."""
    stdin = io.BytesIO(b"a\n2\n")
    monkeypatch.setattr("builtins.open", lambda file, *_args, **_options: stdin if file == 0 else None)
    assert list(read("-")) == ['"a"', "2"]


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\r\0", codec="utf-8")), min_size=2, max_size=2), max_size=5
    )
)
def test_what_the_csv_module_writes_is_read_back(rows):
    """Quotes, commas and newlines and all."""
    import csv

    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *[[f"s{value}" for value in row] for row in rows]])
    params = [json.loads(param) for param in lines("csv", out.getvalue().encode().splitlines(keepends=True), "x")]
    assert params == [{"a": f"s{a}", "b": f"s{b}"} for a, b in rows]


def test_reading_lines_needs_no_csv_module():
    """It is imported where there is a CSV file."""
    import subprocess

    code = "import sys, minionize.params.files as f; list(f.lines('json', [b'1'], 'x')); print('csv' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
