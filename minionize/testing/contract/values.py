"""Params come out as they went in."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.errors import BadParam
from minionize.model import NewTask
from minionize.testing.contract.checks import gets_nothing, raises, same, take, take_one, task_id
from minionize.testing.contract.clause import LIMITED, DoesNotApply, Theme

if TYPE_CHECKING:
    from minionize.testing.contract.maker import Maker

theme = Theme()

#: JSON texts that a careless engine changes, loses or chokes on.
PARAMS = (
    '""',
    '" "',
    '"h\u00e9 \u2603 \U0001f600 \u202e"',
    '"h\\u00e9"',
    r'"a\nb\r\nc\td"',
    r'"nul \u0000 nul"',
    r'"lone \ud800"',
    r"""'"it's \"quoted\" `$(x)` \\ ; -- %s {} {{}}"'""".strip("'"),
    "0.10",
    "1e-5",
    "1E+400",
    "-0",
    "12345678901234567890123",
    "true",
    "null",
    "[]",
    "{}",
    '{"b": [1, {"c": null}, [[]]], "a": "0.10", "": 1.0}',
    '{"a":1,"a":2}',
)
MEBIBYTE = 1024 * 1024


@theme.clause()
def values_round_trip(maker: Maker) -> None:
    """A param comes out as it was put, to the digit: empty, unicode, newline, NUL, quotes, numbers, nested."""
    engine = maker.open()
    ids = {task_id(text): text for text in PARAMS}
    engine.put([NewTask(id, text) for id, text in ids.items()])
    for task in take(maker, engine, len(ids)):
        same(task.param, ids[task.id], f"param {task.id}")


@theme.clause()
def a_large_value_round_trips(maker: Maker) -> None:
    """A param of 1 MiB, or of the stated limit, comes out as it was put."""
    engine = maker.open()
    param = text_of(min(MEBIBYTE, maker.traits.param_limit or MEBIBYTE))
    engine.put([NewTask(task_id("large"), param)])
    same(take_one(maker, engine).param, param, "the large param")


@theme.clause(LIMITED)
def a_value_beyond_the_limit_is_refused(maker: Maker) -> None:
    """A put with a param beyond the stated limit raises BadParam and adds nothing."""
    limit = maker.traits.param_limit or 0
    if limit > 100 * MEBIBYTE:
        raise DoesNotApply(f"param_limit is {limit} bytes: too large to try")
    engine = maker.open()
    tasks = [NewTask(task_id("small"), "1"), NewTask(task_id("large"), text_of(limit + 1))]
    raises(BadParam, lambda: engine.put(tasks), "put of a param beyond the limit")
    gets_nothing(maker, engine, "the put was refused")


def text_of(size: int) -> str:
    """Make a JSON string of so many bytes, in which every place is different from its neighbours."""
    body = "0123456789abcdefghijklmnopqrstuvwxyz-"
    return f'"{(body * (size // len(body) + 1))[: size - 2]}"'
