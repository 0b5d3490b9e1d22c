"""The filter expression: what it lets through, and what it says of mistakes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from status_events import NOW

from minionize.errors import UsageError
from minionize.status.rows import inner
from minionize.status.where import Columns, parse
from minionize.status.words import as_typed

COLUMNS = Columns(
    {
        "id": "id", "node": "host", "outcome": "text", "error": "text", "exit": "number", "took": "seconds", "end": "time",
        "dead": "flag", "param": "json", "result": "json",
    },
    "end",
)  # fmt: skip
ROW = {
    "id": "1a2b3c4d",
    "node": "paravance-7.rennes",
    "outcome": "failed",
    "error": "exit 3: MemoryError in m_#",
    "exit": 3,
    "took": 300.0,
    "end": NOW - 1800,
    "dead": True,
    "param": as_typed('{"alpha": 0.10, "name": "a b", "flag": true, "deep": {"n": 7}, "list": [1, 2], "a.b": 5}'),
    "result": None,
}


def value(name):
    """Give the value of a column of the row."""
    return ROW[name] if name in ROW else inner(ROW[name.partition(".")[0]], name.partition(".")[2])


def fits(*expressions):
    """Say whether the row fits."""
    return parse(expressions, COLUMNS, NOW)(value)


@pytest.mark.parametrize(
    "expression",
    [
        "outcome=failed",
        "outcome!=done",
        "!outcome=done",
        "id=1a2b",
        "node=paravance-7",
        "node=paravance-7.rennes",
        "error~=Memory.*m_",
        "error!~=Disk",
        "error~='MemoryError in'",
        "exit=3",
        "exit>2",
        "exit>=3",
        "exit<3.5",
        "took>=5m",
        "took<1h30m",
        "took>299.5",
        "since=1h",
        "until=10m",
        "end<2025-11-21T10:20:00Z",
        "since=2025-11-21T10:00:00Z",
        "dead=true",
        "dead=yes",
        "!dead=false",
        "param.alpha=0.1",
        "param.alpha<0.5",
        "param.alpha!=0.2",
        'param.name="a b"',
        "param.name>a",
        "param.flag=true",
        "param.deep.n=7",
        "param.a.b=5",
        "param.list=[1,2]",
        "param~=alpha",
        "param.missing=null",
        "param.missing!=3",
        "result=null",
        "result=",
        "memoryerror",
        "rennes",
        "'a b'",
        "!gremlin",
        "",
        "outcome=failed exit=3  took>1s",
    ],
)
def test_a_row_that_fits(expression):
    """By each operator, on each kind of column."""
    assert fits(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "outcome=fail",
        "node=paravance",
        "node=paravance-70",
        "id=2b",
        "error~=^Memory",
        "exit!=3",
        "took>5m",
        "since=10m",
        "until=1h",
        "dead=no",
        "param.alpha>0.5",
        "param.name>1",
        "param.missing>0",
        "param.missing<0",
        "param.missing=0",
        "param.list>0",
        "result.loss<1",
        "gremlin",
        "!memoryerror",
        "outcome=failed exit=4",
    ],
)
def test_a_row_that_does_not_fit(expression):
    """What is missing fits no comparison."""
    assert not fits(expression)


def test_all_expressions_must_hold():
    """As do all words of one."""
    assert fits("outcome=failed", "exit=3")
    assert not fits("outcome=failed", "exit=4")


def test_a_list_is_compared_as_its_json_is_written():
    """Without spaces or with them."""
    assert fits("param.list='[1, 2]'")
    assert not fits("param.list=[1,3]")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("nod=x", "there is no column 'nod'\n  Columns: id, node, outcome"),
        ("exit>many", "'exit>many': 'many' is not a number"),
        ("took>fast", "'took>fast': 'fast' is not a duration: 90s, 5m, 1h30m"),
        ("since=yesterday", "'yesterday' is not a time"),
        ("since>1h", "since takes a time or how long ago"),
        ("dead=perhaps", "that column is true or false"),
        ("dead>true", "that column is true or false"),
        ("error~=[", "'[' is no regular expression"),
        ("node='x", "a quote is not closed"),
        ("!", "'!' is no condition"),
        ("node.x=1", "there is no column 'node.x'"),
        ("end>99999-01-01", "is not a time"),
    ],
)
def test_a_mistake_is_named(expression, said):
    """With what there is instead."""
    with pytest.raises(UsageError, match=re.escape(said)):
        parse([expression], COLUMNS, NOW)


def test_columns_of_json_say_that_they_have_fields():
    """In the list of what there is."""
    with pytest.raises(UsageError, match=re.escape("param (param.FIELD), result (result.FIELD)")):
        parse(["x=1"], COLUMNS, NOW)


def test_it_tells_which_columns_it_asks_for():
    """So that others need not be read."""
    where = parse(["exit=3 param.alpha>0"], COLUMNS, NOW)
    assert where.names == {"exit", "param.alpha"}
    assert where.fields == {"param.alpha"}
    assert parse(["word"], COLUMNS, NOW).names == {"id", "node", "outcome", "error", "param", "result"}


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_a_mistake(text):
    """Never a crash, neither when it is read nor when it is applied."""
    try:
        where = parse([text], COLUMNS, NOW)
    except UsageError:
        return
    assert where(value) in (True, False)
