"""Tables as CSV: RFC 4180 (commas, CRLF, a header), times as ISO 8601 in UTC, durations in seconds, unknown is empty.

Objects in ``param`` and ``result`` become columns of their own (``param.alpha``). Rows are written as they are read: what
is kept in memory are the names of these.

A spreadsheet executes a cell that begins with ``=``, ``+``, ``-`` or ``@``, and what stands in params and in stderr may be
anybody's. So a text that begins like that, and is no number, gets a ``'`` before it, as OWASP advises against "CSV
injection". Passwords in URLs, and fields whose name says that they are secret, are masked: files are passed on.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any, TypeVar

from minionize.masks import MASK, is_secret, mask
from minionize.status.flat import Fields
from minionize.status.safe import safe
from minionize.status.words import Typed, iso, json_text, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from minionize.status.rows import Table
    from minionize.status.where import Kind

T = TypeVar("T")

_EXECUTES = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def write(table: Table[T], items: Callable[[], Iterable[T]], fields: Fields, out: TextIO) -> None:
    """Write the rows that ``items`` yields, JSON columns spread over ``fields``. On a terminal, controls become visible."""
    on_terminal = out.isatty()
    rows = csv.writer(out, lineterminator="\r\n")
    header = [name for c in table.columns for name in (fields.of(c.name) if c.kind == "json" else [c.name])]
    rows.writerow([safe(cell(name)) if on_terminal else cell(name) for name in header])
    spread = {name: [(field, is_secret(field)) for field in fields.of(name)] for name in table.json}
    for item in items():
        line: list[str] = []
        for column in table.columns:
            value = column.of(item)
            if column.kind == "json":
                cells = fields.cells(column.name, value)
                line += [_json(cells.get(field), secret) for field, secret in spread[column.name]]
            else:
                line.append("" if value is None else _plain(column.kind, value))
        rows.writerow([safe(text) for text in line] if on_terminal else line)


def collected(table: Table[T], items: Iterable[T]) -> Fields:
    """Find the columns that the JSON values of rows fill."""
    fields = Fields(table.json)
    for item in items:
        for name in table.json:
            fields.add(name, table.value(item, name))
    return fields


def _json(value: Any, secret: bool) -> str:
    if value is None:
        return ""
    if secret:
        return MASK
    if isinstance(value, str):
        return cell(mask(value))
    return value.text if isinstance(value, Typed) else mask(json_text(masked(value)))


def _plain(kind: Kind, value: Any) -> str:
    if kind == "time":
        return iso(value) or ""
    if kind == "flag":
        return "true" if value else "false"
    if kind == "seconds":
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value) if isinstance(value, (int, float)) else cell(mask(str(value)))


def cell(text: str) -> str:
    """Take care that no spreadsheet executes a text."""
    return f"'{text}" if _EXECUTES.match(text) and not _NUMBER.fullmatch(text) else text
