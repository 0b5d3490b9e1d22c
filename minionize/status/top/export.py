"""The rows of a table as a file: CSV as ``minion-status --csv`` writes it, or JSON."""

from __future__ import annotations

import json
import os
from io import StringIO
from typing import TYPE_CHECKING, Any

from minionize.errors import UsageError
from minionize.status import csv_tables
from minionize.status.words import iso, masked

if TYPE_CHECKING:
    from minionize.status.rows import Table
    from minionize.status.top.listing import Listing
    from minionize.status.top.snapshot import Snapshot

#: Columns that are made for the screen.
_FOR_SCREEN = ("shown", "mostly")


def exported(shot: Snapshot, listing: Listing, name: str) -> str:
    """Write the rows that are listed, with all their columns, in the format that a file's name asks for; raises UsageError."""
    table = listing.wanted.view.table(shot)
    table = table.having(column for column in table.columns if column.name not in _FOR_SCREEN)
    if name.endswith(".json"):
        return _as_json(table, listing.items)
    if name.endswith(".csv"):
        out = StringIO(newline="")
        csv_tables.write(table, lambda: listing.items, csv_tables.collected(table, listing.items), out)
        return out.getvalue()
    raise UsageError(f"{name} is neither a .csv nor a .json file")


def save(text: str, path: str) -> None:
    """Write a new file; raises UsageError, also where there is one of that name."""
    try:
        with open(os.path.expanduser(path), "x", encoding="utf-8", errors="surrogatepass", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; give another name") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def _as_json(table: Table[Any], items: tuple[Any, ...]) -> str:
    rows = []
    for item in items:
        value = table.of(item)
        times = {column.name for column in table.columns if column.kind == "time"}
        row = {column.name: value(column.name) for column in table.columns}
        rows.append({name: iso(found) if name in times else masked(found) for name, found in row.items()})
    return json.dumps(rows, indent=1) + "\n"
