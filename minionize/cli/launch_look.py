"""``minion-launch list``, ``status``, ``stop`` and ``drain``: what was launched, from its record, at any later time."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize import plugins
from minionize.errors import LaunchError, MinionizeError
from minionize.launchers import records
from minionize.launchers.minions import seen
from minionize.launchers.shell import CLOSED
from minionize.status.safe import cut, pad, safe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from minionize.launchers.base import Element, Handle, Launcher
    from minionize.launchers.records import Record

#: Launches that ``status`` asks for where none is named.
_LAST = 10


class _Row(NamedTuple):
    """A minion of a launch, by what its scheduler and its own events say."""

    number: int
    state: str
    job: str
    host: str
    minion: str
    exit: int | None
    note: str


def show_list(namespace: argparse.Namespace) -> int:
    """Print the launches; nobody is asked what became of them."""
    found = records.read_all()
    shown = found[: namespace.limit] if namespace.limit > 0 else found
    if namespace.json:
        print(json.dumps({"schema_version": 1, "launches": [_described(record) for record in shown]}))
        return 0
    rows = [
        (r.id, records.when(r.at), r.launcher, r.name, str(r.size), r.job or f"? ({r.stage})", r.directory)
        for r in shown
    ]
    _table(("ID", "STARTED", "BY", "NAME", "MINIONS", "JOB", "DIRECTORY"), rows)
    if len(shown) < len(found):
        print(f"... {len(found) - len(shown)} more; --limit 0 lists all", file=sys.stderr)
    if not found:
        print("nothing was launched yet:  minion-launch --help", file=sys.stderr)
    return 0


def show_status(namespace: argparse.Namespace) -> int:
    """Print what became of one launch; where none is named, a line for each of the last ones."""
    if namespace.id is None:
        return _show_last(as_json=namespace.json)
    launcher, record = _launched(records.find(namespace.id))
    rows = _rows(launcher, record)
    if namespace.json:
        print(json.dumps(_with_minions(record, rows)))
        return 0
    print(
        f"{record.id}  {record.size} by {record.launcher} ({safe(record.job)}), {records.when(record.at)}: {_sum(rows)}"
    )
    print(
        f"{safe(record.command)}\nin {safe(record.directory)}, on {safe(record.queue)}; logs in {safe(record.logs)}\n"
    )
    _table(
        ("#", "STATE", "JOB", "HOST", "MINION", "EXIT", "WHY"),
        [
            (str(r.number), r.state, r.job, r.host, r.minion, "" if r.exit is None else str(r.exit), r.note)
            for r in rows
        ],
    )
    return 0


def _show_last(*, as_json: bool) -> int:
    from concurrent.futures import ThreadPoolExecutor

    found = records.read_all()[:_LAST]
    with ThreadPoolExecutor(_LAST) as pool:  # a host that does not answer keeps nobody else waiting
        asked = list(pool.map(_ask, found))
    if as_json:
        described = [
            {**_described(record), "error": rows} if isinstance(rows, str) else _with_minions(record, rows)
            for record, rows in asked
        ]
        print(json.dumps({"schema_version": 1, "launches": described}))
    else:
        _table(
            ("ID", "STARTED", "BY", "NAME", "JOB", "MINIONS"),
            [
                (r.id, records.when(r.at), r.launcher, r.name, r.job, rows if isinstance(rows, str) else _sum(rows))
                for r, rows in asked
            ],
        )
    if not found:
        print("nothing was launched yet:  minion-launch --help", file=sys.stderr)
    return 0


def _ask(record: Record) -> tuple[Record, list[_Row] | str]:
    """Return what became of its minions, or why nobody can say."""
    try:
        launcher, record = _launched(record)
        return record, _rows(launcher, record)
    except MinionizeError as error:
        return record, " ".join(line.strip() for line in str(error).splitlines()[:2])


def stop(namespace: argparse.Namespace) -> int:
    """End launches."""
    said = "killed" if namespace.kill else "told to end"
    return _tell(namespace.ids, said, lambda launcher, handle: launcher.stop(handle, kill=namespace.kill))


def drain(namespace: argparse.Namespace) -> int:
    """Let launches run out."""
    return _tell(namespace.ids, "told to leave when their tasks end", lambda launcher, handle: launcher.drain(handle))


def _tell(ids: Sequence[str], said: str, action: Callable[[Launcher, Handle], None]) -> int:
    """Do it with each launch; one that does not answer leaves the others theirs."""
    code = 0
    for record in [records.find(id) for id in ids]:
        _close(record)  # first, so that it counts also where nobody knows what has become of the launch
        try:
            launcher, known = _launched(record)
            action(launcher, known.handle)
        except MinionizeError as error:
            print(f"minion-launch: {record.id}: {error}", file=sys.stderr)
            code = 1
        else:
            print(f"{record.id}: {said}; see:  minion-launch status {record.id}")
    return code


def _launched(record: Record) -> tuple[Launcher, Record]:
    """Return the launcher of a record, and the record as its launcher completes it where minion-launch was cut off.

    Raises LaunchError where nobody knows whether it was ever launched.
    """
    from minionize.settings import launching, load
    from minionize.settings.declared import rows_of

    found = plugins.find("launcher", record.launcher)
    launcher: Launcher = found.from_settings(load(extra=(*launching.TABLE, *rows_of(found))))
    if record.stage == "launched":
        return launcher, record
    handle = launcher.recall(record.id, record.logs, record.size)
    if handle is None:
        raise LaunchError(
            f"minion-launch ended in the middle of launching {record.id} by {record.launcher}, {records.when(record.at)} on"
            f" {record.host}: whether anything was started, it does not know.\n  What runs there:  {found.overview}\n  Logs, if any, are in"
            f" {record.logs}"
        )
    record = record._replace(stage="launched", handle=handle)
    with contextlib.suppress(OSError):  # it is found again the next time
        records.write(record)
    return launcher, record


def _close(record: Record) -> None:
    """Let minions that a scheduler starts once more leave at once."""
    try:
        with open(os.path.join(record.logs, CLOSED), "w", encoding="utf-8"):
            pass
    except FileNotFoundError:
        pass  # the directory is gone, and with it all that such a minion would need
    except OSError as error:
        print(
            f"minion-launch: a minion that the scheduler starts again may go on working: {error.filename}: {error.strerror}",
            file=sys.stderr,
        )


def _rows(launcher: Launcher, record: Record) -> list[_Row]:
    elements = launcher.status(record.handle, record.size)
    minions = seen(record)
    return [_row(record, element, minions) for element in elements]


def _row(record: Record, element: Element, minions: dict[tuple[str, ...], Any]) -> _Row:
    own = minions.get(element.key)
    over = element.state == "ended"
    exit, note = element.exit, element.note
    if over and own:
        exit = own.exit if exit is None else exit
        note = note or own.reason or "it vanished"
    if over and not own and exit != 0:
        note = note or _last_words(record, element)
    host = element.host or (own.host if own else "")
    return _Row(element.number, element.state, element.job, host, own.uid if own else "", exit, note)


def _last_words(record: Record, element: Element) -> str:
    """Return the last line of the log of a minion that left no event: mostly, why it did not start."""
    for name in (str(element.number), element.job):
        try:
            with open(os.path.join(record.logs, f"{name}.log"), "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - 4096))
                lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
        except OSError:
            continue
        # What to type stands below what is wrong, and further to the right.
        said = [line for line in lines if line.startswith("minionize: ")] or lines
        return said[-1] if said else ""
    return ""


def _sum(rows: Sequence[_Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    return ", ".join(
        f"{counts[state]} {state}" for state in ("pending", "running", "ended", "unknown") if state in counts
    )


def _described(record: Record) -> dict[str, Any]:
    return {**record._asdict(), "job": record.job}


def _with_minions(record: Record, rows: Sequence[_Row]) -> dict[str, Any]:
    return {"schema_version": 1, **_described(record), "minions": [row._asdict() for row in rows]}


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as they need; the last one may be as long as it is."""
    shown = [heads, *([cut(cell, 60) for cell in row[:-1]] + [safe(row[-1])] for row in rows)]
    widths = [max(len(row[n]) for row in shown) for n in range(len(heads))]
    if not rows:
        return
    for row in shown:
        print("  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())
