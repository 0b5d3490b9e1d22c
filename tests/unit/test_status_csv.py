"""Tables as CSV: for spreadsheets and for programs, whatever stands in params."""

from __future__ import annotations

import csv
import io

import pytest
from status_events import NOW, Minion, books, read

from minionize.status import rows
from minionize.status.build import build
from minionize.status.csv_tables import cell, collected, write
from minionize.status.executions import executions, rows_of
from minionize.status.failed import failed_tasks
from minionize.status.flat import DEEPEST, MOST, Fields, leaves


def written(table, items):
    """Write a table; return its text."""
    out = io.StringIO(newline="")
    write(table, lambda: items, collected(table, items), out)
    return out.getvalue()


def tasks(directory):
    """Write the table of executions; return its rows."""
    files = read(directory)
    items = list(executions(files, rows_of(files.ledger)))
    return list(csv.DictReader(io.StringIO(written(rows.TASKS, items), newline="")))


def test_a_sweep_ends_as_a_table(tmp_path):
    """A column for each field of params and results, numbers as they were typed, times in UTC."""
    Minion(tmp_path, job={"id": 7}).ends(
        "a",
        ago=60,
        took=1.25,
        param='{"alpha": 0.10, "seed": 1}',
        result='{"loss": 1e-5, "of": {"n": 2}}',
        cpu=0.5,
        rss=4096,
    )
    files = read(tmp_path)
    text = written(rows.TASKS, list(executions(files, rows_of(files.ledger))))
    assert text == (
        "id,attempt,delivery,minion,node,job,slot,start,end,took,outcome,error,exit,signal,reason,retry_in,dead,cpu,rss,"
        "param.alpha,param.seed,result.loss,result.of.n\r\n"
        "a,1,1,c69d4bd8aaaa,paravance-1.rennes,7,0,2025-11-21T10:40:58.750Z,2025-11-21T10:41:00.000Z,1.25,done,,,,,,false,"
        "0.5,4096,0.10,1,1e-5,2\r\n"
    )


def test_params_of_different_shapes_share_a_table(tmp_path):
    """What is no object is in the column ``param``; what a row lacks is empty."""
    minion = Minion(tmp_path)
    for n, param in enumerate(['"007"', "3", "null", "[1, 2.50]", "{}", '{"a": null, "b": {"c": true}}']):
        minion.ends(f"t{n}", param=param)
    found = [(row["param"], row["param.a"], row["param.b.c"]) for row in tasks(tmp_path)]
    assert found == [
        ("007", "", ""), ("3", "", ""), ("", "", ""), ("[1, 2.50]", "", ""), ("{}", "", ""), ("", "", "true"),
    ]  # fmt: skip


def test_every_execution_is_a_row_but_those_that_were_replaced(tmp_path):
    """A settlement that was refused is a row as lost."""
    Minion(tmp_path).ends("a", "failed", exit=3, stderr="boom\n").ends("a", delivery=2).ends("b").ends("b", "lost")
    assert [(row["id"], row["outcome"], row["error"]) for row in tasks(tmp_path)] == [
        ("a", "failed", "exit 3: boom"), ("a", "done", ""), ("b", "lost", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("+1e5x", "'+1e5x"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-0.5", "-0.5"),
        ("+1e5", "+1e5"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_no_spreadsheet_executes_a_cell(text, shown):
    """Numbers are left as they are."""
    assert cell(text) == shown


def test_names_of_fields_and_of_hosts_are_cells_too(tmp_path):
    """Whoever wrote the params wrote these."""
    Minion(tmp_path, host="=1+1").ends("a", param='{"x": "=2"}')
    (row,) = tasks(tmp_path)
    assert (row["node"], row["param.x"]) == ("'=1+1", "'=2")


def test_secrets_are_masked(tmp_path):
    """In URLs, and in fields that say that they are."""
    Minion(tmp_path).ends(
        "a", "failed", param='{"url": "redis://u:pw@h/0", "token": "t", "l": ["http://u:pw@h"], "m": [{"pwd": "t"}]}', reason="x://u:pw@h"
    )  # fmt: skip
    (row,) = tasks(tmp_path)
    assert [row[name] for name in ("param.url", "param.token", "param.l", "param.m", "reason")] == [
        "redis://u:***@h/0", "***", '["http://u:***@h"]', '[{"pwd": "***"}]', "x://u:***@h",
    ]  # fmt: skip


def test_quotes_commas_and_lines_survive(tmp_path):
    """As RFC 4180 says."""
    hostile = 'a "b", c\nd'
    Minion(tmp_path).ends("a", "failed", stderr=hostile, dead=True, exit=1)
    files = read(tmp_path)
    text = written(rows.FAILURES, list(failed_tasks(build(files, None, NOW), files)))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["stderr"], row["dead"], row["group"]) == (hostile, "true", "1")


def test_on_a_terminal_controls_are_visible(tmp_path):
    """A file has them as they are."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    Minion(tmp_path).ends("a", param='{"x": "\\u001b[2J"}')
    files = read(tmp_path)
    items = list(executions(files, rows_of(files.ledger)))
    out = Terminal(newline="")
    write(rows.TASKS, lambda: items, collected(rows.TASKS, items), out)
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[2J" in out.getvalue()
    assert "\x1b[2J" in written(rows.TASKS, items)


def test_events_with_values_of_wrong_types_are_rows(tmp_path):
    """Empty where there is no sense in them."""
    Minion(tmp_path).write(
        f'{{"v":1,"type":"task_end","t":{NOW},"minion":"c69d4bd8aaaa","id":5,"delivery":1,"outcome":"failed","took":1,'
        '"attempt":[],"start":1e300,"exit":"x","slot":true,"cpu":null,"rss":{},"reason":3,"retry_in":1e999}\n'
    )
    (row,) = tasks(tmp_path)
    assert {
        name: row[name] for name in ("id", "attempt", "start", "exit", "slot", "cpu", "rss", "reason", "param")
    } == dict.fromkeys(("id", "attempt", "start", "exit", "slot", "cpu", "rss", "reason", "param"), "")


def test_numbers_beyond_any_use_are_empty(tmp_path):
    """JSON has whole numbers of any length, and whoever writes events may write NaN."""
    Minion(tmp_path).write(
        f'{{"v":1,"type":"task_end","t":{NOW},"minion":"c69d4bd8aaaa","id":"a","delivery":1,"outcome":"done","took":1,'
        f'"start":1{"0" * 400},"retry_in":1{"0" * 400},"cpu":NaN,"rss":-Infinity,"exit":-1{"0" * 400}}}\n'
    )
    (row,) = tasks(tmp_path)
    assert [row[name] for name in ("start", "retry_in", "cpu", "rss", "exit")] == [""] * 5


def test_minions_nodes_and_what_is_in_flight(tmp_path):
    """One row each."""
    Minion(tmp_path).ends("a", took=2.0).starts("b", ago=5, param='{"seed": 3}')
    status = build(read(tmp_path), books(pending=1, done=1), NOW)
    assert (
        written(rows.NODES, status.nodes).splitlines()[1]
        == "paravance-1.rennes,1,1,1,0,0.0,2,1.0,false,2025-11-21T10:42:00.000Z"
    )
    assert (
        written(rows.MINIONS, status.minions)
        .splitlines()[1]
        .startswith("c69d4bd8aaaa,paravance-1.rennes,4121,,1,busy,")
    )
    status = build(read(tmp_path), None, NOW)
    assert written(rows.IN_FLIGHT, status.in_flight).splitlines() == [
        "id,attempt,delivery,minion,node,start,age,times_p50,state,param.seed",
        "b,1,1,c69d4bd8aaaa,paravance-1.rennes,2025-11-21T10:41:55.000Z,5,2.5,running,3",
    ]


def test_params_with_names_of_their_own_stay_whole():
    """A million columns are no table."""
    fields = Fields(["param"])
    for n in range(MOST + 1):
        fields.add("param", {f"field{n}": n})
    assert fields.of("param") == ["param"]
    assert fields.cells("param", {"field1": 1}) == {"param": {"field1": 1}}


def test_objects_are_taken_apart_only_so_deep():
    """What is deeper is one cell."""
    deep = {"x": 1}
    for _ in range(200):
        deep = {"x": deep}
    ((name, value),) = leaves("param", deep)
    assert name == "param" + ".x" * DEEPEST
    assert isinstance(value, dict)
