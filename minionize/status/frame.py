"""Executions as a pandas DataFrame."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from minionize.errors import UsageError
from minionize.plugins import missing_extra
from minionize.status.executions import executions, rows_of
from minionize.status.flat import Fields
from minionize.status.read import EventFiles
from minionize.status.rows import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame

    from minionize.status.executions import Execution
    from minionize.status.where import Kind

#: What pandas can hold: times (seconds since the epoch) of the years 1678 to 2261, numbers of 64 bits.
_LATEST, _LARGEST = 9.2e9, 2.0**63


def to_pandas(directory: str = "minion-report") -> DataFrame:
    """Return one row per execution of a report directory, with a column for each field of params and of results.

        from minionize.status import to_pandas

        frame = to_pandas("minion-report")
        frame[frame.outcome == "done"].groupby("param.alpha")["result.loss"].mean()

    The columns are those of ``minion-status --csv tasks``, and ``queue``: a directory may hold events of several queues.
    ``start`` and ``end`` are timestamps in UTC; ``took``, ``cpu`` and ``retry_in`` seconds; ``rss`` bytes. Fields of objects
    are in ``param.NAME`` and ``param.OUTER.INNER``, a param that is no object is in ``param``; the same holds for results.
    All is as it was written: nothing is masked.

    Raises MissingExtra without pandas (``pip install 'minionize[pandas]'``), UsageError where there is no such directory.
    """
    pandas = _pandas()
    if not os.path.isdir(directory):
        raise UsageError(
            f"there is no directory {directory}\n  Event files are in REPORTER_JSON_DIRECTORY (minion-report)"
        )
    files = EventFiles(directory)
    files.refresh()
    fields = Fields(TASKS.json)
    for execution in _executions(files):
        for name in TASKS.json:
            fields.add(name, execution.get(name))
    frame = pandas.DataFrame(_columns(files, fields))
    for column in TASKS.columns:
        if column.kind == "time":
            frame[column.name] = pandas.to_datetime(frame[column.name].astype("float64"), unit="s", utc=True)
        elif column.kind in ("number", "seconds") and frame[column.name].dtype == object:  # nothing was ever in it
            frame[column.name] = frame[column.name].astype("float64")
    return frame


def _pandas() -> Any:
    try:
        import pandas  # noqa: ICN001 - it is passed on
    except ModuleNotFoundError as error:
        missing = missing_extra("to_pandas()", error)
        if missing is None:
            raise
        raise missing from error
    return pandas


def _executions(files: EventFiles) -> Iterator[Execution]:
    return executions(files, rows_of(files.ledger), json.loads)


def _columns(files: EventFiles, fields: Fields) -> dict[str, list[Any]]:
    plain = [column for column in TASKS.columns if column.kind != "json"]
    spread = [name for column in TASKS.json for name in fields.of(column)]
    columns: dict[str, list[Any]] = {name: [] for name in ("queue", *(column.name for column in plain), *spread)}
    for execution in _executions(files):
        columns["queue"].append(execution.minion.queue)
        for column in plain:
            value = column.of(execution)
            columns[column.name].append(_holdable(column.kind, value))
        for name in TASKS.json:
            cells = fields.cells(name, execution.get(name))
            for field in fields.of(name):
                columns[field].append(cells.get(field))
    return columns


def _holdable(kind: Kind, value: Any) -> Any:
    """Leave out what pandas has no room for: whoever writes events can write any number."""
    if value is None or kind not in ("time", "number", "seconds"):
        return value
    most = _LATEST if kind == "time" else _LARGEST
    return value if -most < value < most else None
