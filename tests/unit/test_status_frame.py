"""Executions as a pandas DataFrame, and the model from Python."""

from __future__ import annotations

import subprocess
import sys

import pytest
from servers.need import lacking
from status_events import NOW, Minion

import minionize.status
from minionize.errors import MissingExtra, UsageError
from minionize.model import Counts, Traits
from minionize.status import frame, load


@pytest.fixture
def pandas():
    """Return pandas."""
    try:
        import pandas  # noqa: ICN001 - it is passed on
    except ImportError:
        lacking("pandas is not installed: pip install 'minionize[pandas]'")
    return pandas


def test_an_execution_is_a_row(tmp_path, pandas):
    """With times in UTC, numbers as numbers, and a column for each field of params and results."""
    minion = Minion(tmp_path, job={"id": "7"})
    minion.ends(
        "a", ago=60, took=1.25, param='{"alpha": 0.10, "seed": 1}', result='{"loss": 0.5, "of": {"n": 2}}', exit=0
    )
    minion.ends("b", "failed", ago=30, param='{"alpha": 0.5, "seed": 2}', exit=3, stderr="boom\n").ends(
        "c", param='"x"'
    )
    made = minionize.status.to_pandas(str(tmp_path))
    assert list(made["id"]) == ["a", "b", "c"]
    assert made["end"][0] == pandas.Timestamp("2025-11-21T10:41:00Z")
    assert str(made["start"].dtype).endswith("UTC]")
    assert made["param.alpha"].tolist()[:2] == [0.1, 0.5]
    assert (made["result.loss"][0], made["result.of.n"][0], made["took"][0]) == (0.5, 2, 1.25)
    assert made["error"].tolist()[1] == "exit 3: boom"
    assert made["param"].tolist()[2] == "x"
    assert set(made["queue"]) == {"q1"}
    for name in ("exit", "took", "cpu", "retry_in", "param.alpha", "result.loss"):
        assert made[name].dtype.kind in "fi", name
    assert made[made.outcome == "done"].groupby("param.alpha")["result.loss"].mean().to_dict() == {0.1: 0.5}


def test_runs_of_several_queues_are_told_apart(tmp_path, pandas):
    """The directory is read whole."""
    Minion(tmp_path, "m1", queue="q0").ends("a")
    Minion(tmp_path, "m2").ends("a")
    assert minionize.status.to_pandas(str(tmp_path))["queue"].tolist() == ["q0", "q1"]


def test_a_directory_without_events_is_an_empty_frame(tmp_path, pandas):
    """With its columns."""
    made = minionize.status.to_pandas(str(tmp_path))
    assert len(made) == 0
    assert {"queue", "id", "took", "param", "result"} <= set(made.columns)


def test_numbers_that_pandas_cannot_hold_are_left_out(tmp_path, pandas):
    """Whoever writes events can write any."""
    Minion(tmp_path).write(
        f'{{"v":1,"type":"task_end","t":9e10,"minion":"c69d4bd8aaaa","id":"a","delivery":1,"outcome":"done","took":1,'
        f'"attempt":{10**300},"start":NaN,"rss":-1e400,"param":{10**30}}}\n'
    )
    made = minionize.status.to_pandas(str(tmp_path))
    assert made["end"].isna().all()
    assert made["attempt"].isna().all()
    assert made["param"].tolist() == [10**30]


def test_a_directory_that_is_not_there(tmp_path, pandas):
    """Is a mistake, not an empty frame."""
    with pytest.raises(UsageError, match="there is no directory"):
        minionize.status.to_pandas(str(tmp_path / "none"))


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    """What to type."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setattr(sys, "meta_path", [_NoPandas(), *sys.meta_path])
    with pytest.raises(
        MissingExtra, match=r"to_pandas\(\) needs the package pandas.*\n  pip install 'minionize\[pandas\]'"
    ):
        frame.to_pandas(str(tmp_path))


class _NoPandas:
    """Finds that pandas is not installed."""

    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")


class _Queue:
    """An engine that can only be looked at."""

    traits = Traits(True, "timed", True, True, "exact", "durable", True, True)
    queue, where, notes = "q1", "minion-queue.db", ("It rains.",)

    def counts(self):
        return Counts(1, 0, 0, 2, 0)


def test_the_model_is_one_call_away(tmp_path, monkeypatch):
    """From a directory alone, or with the books of a queue."""
    monkeypatch.setattr("time.time", lambda: NOW)
    Minion(tmp_path).ends("a").ends("b")
    alone, joined = load(str(tmp_path)), load(str(tmp_path), _Queue())
    assert (alone.counts.done, alone.counts.total) == (2, None)
    assert (joined.counts.done, joined.counts.total) == (2, 3)
    assert [(w.code, w.text) for w in joined.warnings] == [("note", "It rains.")]


def test_looking_loads_no_pandas():
    """It takes half a second, which only its users pay."""
    code = "import sys; from minionize.status import load; load('none'); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_other_names_are_not_there():
    """As of any module."""
    with pytest.raises(AttributeError, match="to_numpy"):
        minionize.status.to_numpy  # noqa: B018
