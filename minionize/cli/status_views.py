"""What ``minion-status`` prints: the screen, a list, JSON or CSV, filtered and sorted as asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

from minionize.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from array import array
    from collections.abc import Iterable, Iterator, Sequence

    from minionize.status.executions import Execution
    from minionize.status.failed import FailedTask
    from minionize.status.model import Status
    from minionize.status.read import EventFiles
    from minionize.status.rows import Table
    from minionize.status.style import Style
    from minionize.status.where import Where

T = TypeVar("T")

CSV = ("tasks", "failures", "minions", "nodes", "in-flight")
#: Rows of a list, unless --limit says otherwise; CSV has all.
LIMIT = 20
_ABOUT_READING = ("unreadable", "refused", "other_queue", "unavailable")


def is_list(options: argparse.Namespace) -> bool:
    """Tell whether a list is asked for: those use the whole width of a terminal."""
    lists = (options.in_flight, options.minions, options.nodes)
    return any(lists) or options.failures is not None or options.slow is not None


def check(options: argparse.Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    if (options.where or options.sort) and not (is_list(options) or options.csv):
        flag = "--where" if options.where else "--sort"
        raise UsageError(
            f"{flag} goes with a list or with --csv.\n"
            f"  As in: minion-status --failures {flag} {'node=NAME' if options.where else 'last'}"
            f"     Lists: --failures, --in-flight, --minions, --nodes, --slow"
        )
    if options.csv and options.watch:
        raise UsageError(
            "--csv writes one table, and --watch goes on.\n  Follow a run in a program: minion-status --watch --json"
        )


def lines(options: argparse.Namespace, status: Status, events: EventFiles, style: Style) -> Sequence[str]:
    """Make the lines of the view that was asked for (CSV has :func:`write_csv`)."""
    if options.json:
        import json

        from minionize.status.document import document

        return [json.dumps(document(status, events), separators=(",", ":"))]
    if options.html:
        from minionize.cli.report import put
        from minionize.status.html.page import page

        return put(page(status, events), options.html)
    from minionize.status import text

    if not is_list(options):
        return text.screen(status, style)
    return _Selection(options, status, events).lines(style)


def write_csv(options: argparse.Namespace, status: Status, events: EventFiles) -> None:
    """Write a table to standard output. What reading the events brought up is said on standard error."""
    for warning in status.warnings:
        if warning.code in _ABOUT_READING and not options.quiet:
            print(f"minion-status: {warning.text}", file=sys.stderr)
    _Selection(options, status, events).write()


class _Selection:
    """The rows that were asked for, in the order that was asked for."""

    def __init__(self, options: argparse.Namespace, status: Status, events: EventFiles) -> None:
        self._options, self._status, self._events = options, status, events
        self._limit = (0 if options.csv else LIMIT) if options.limit is None else options.limit

    # ------------------------------------------------------------------ lists

    def lines(self, style: Style) -> list[str]:
        from minionize.status import rows, tables

        options, status = self._options, self._status
        if options.slow is not None:
            most = options.slow if options.limit is None else options.limit
            found = self._slowest(most)
            return self._none(found, range(status.counts.executions)) or tables.slow_list(found, status, style)
        if options.failures:
            return self._group(options.failures, style)
        if options.failures == 0:
            return self._groups(style)
        if options.in_flight:
            held = self._of(rows.IN_FLIGHT, status.in_flight)
            return self._none(held, status.in_flight) or tables.in_flight_list(
                status._replace(in_flight=tuple(held)), style, self._limit
            )
        if options.minions:
            everyone = self._of(rows.MINIONS, tables.alive_first(status.minions))
            return self._none(everyone, status.minions) or tables.minion_list(
                status._replace(minions=tuple(everyone)), style, self._limit
            )
        hosts = self._of(rows.NODES, status.nodes)
        return self._none(hosts, status.nodes) or tables.node_list(
            status._replace(nodes=tuple(hosts)), style, self._limit
        )

    def _groups(self, style: Style) -> list[str]:
        from minionize.status import rows, tables
        from minionize.status.failed import failed_tasks, regrouped

        status, where = self._status, self._where(rows.FAILURES)
        groups = status.failures
        if where is not None:
            groups = regrouped(rows.chosen(rows.FAILURES, failed_tasks(status, self._events), where))
        if self._options.sort:
            groups = tuple(rows.arranged(rows.GROUPS, groups, self._options.sort))
        return self._none(groups, status.failures) or tables.failure_list(
            status._replace(failures=groups), style, self._limit
        )

    def _group(self, number: int, style: Style) -> list[str]:
        from minionize.status import rows, tables

        if number > len(self._status.failures):
            raise UsageError(
                f"there is no group {number}: {_groups_there_are(len(self._status.failures))}\n  See them: minion-status --failures"
            )
        group = self._status.failures[number - 1]
        tasks = [one.task for one in self._of(rows.FAILURES, self._failed_of(number))]
        return self._none(tasks, group.tasks) or tables.failure_detail(
            self._status, self._events, group._replace(tasks=tuple(tasks)), style, self._limit
        )

    def _failed_of(self, number: int) -> list[FailedTask]:
        from minionize.status.failed import FailedTask

        group = self._status.failures[number - 1]
        return [FailedTask(group, task, self._events) for task in group.tasks]

    def _none(self, found: Sequence[object], all: Sequence[object]) -> list[str]:
        """Say that a filter left nothing of what there is."""
        return [f"none of {len(all)} fits: {' '.join(self._options.where)}"] if all and not found else []

    # ------------------------------------------------------------------ CSV

    def write(self) -> None:
        from minionize.status import rows
        from minionize.status.failed import failed_tasks

        status, name = self._status, self._options.csv
        if name == "tasks":
            self._write_tasks()
        elif name == "failures":
            self._write(rows.FAILURES, list(failed_tasks(status, self._events)))
        elif name == "minions":
            self._write(rows.MINIONS, status.minions)
        elif name == "nodes":
            self._write(rows.NODES, status.nodes)
        else:
            self._write(rows.IN_FLIGHT, status.in_flight)

    def _write(self, table: Table[T], items: Sequence[T]) -> None:
        from minionize.status import csv_tables

        found = self._of(table, items)
        found = found[: self._limit] if self._limit else found
        csv_tables.write(table, lambda: found, csv_tables.collected(table, found), sys.stdout)

    def _write_tasks(self) -> None:
        """Go through the events twice, to find the columns and to write them; more than numbers is not kept."""
        from minionize.status import csv_tables
        from minionize.status.executions import executions
        from minionize.status.rows import TASKS

        rows = self._rows()
        if self._options.sort:
            rows = self._sorted(rows)
        rows = rows[: self._limit] if self._limit else rows

        def found() -> Iterator[Execution]:
            return executions(self._events, rows)

        csv_tables.write(TASKS, found, csv_tables.collected(TASKS, found()), sys.stdout)

    # ------------------------------------------------------------------ rows

    def _where(self, table: Table[Any]) -> Where | None:
        from minionize.status.where import parse

        return parse(self._options.where, table.filter, self._status.run.now) if self._options.where else None

    def _of(self, table: Table[T], items: Iterable[T]) -> list[T]:
        """Filter and sort what is in memory."""
        from minionize.status import rows

        found = list(rows.chosen(table, items, self._where(table)))
        return rows.arranged(table, found, self._options.sort) if self._options.sort else found

    def _rows(self) -> array[int]:
        """List the rows of the executions that count, of this queue, that the filter lets through."""
        from array import array

        from minionize.status.build import of_queue
        from minionize.status.executions import executions, rows_of
        from minionize.status.rows import TASKS, chosen

        run, ledger = self._status.run, self._events.ledger
        rows = rows_of(ledger, of_queue(ledger.minions, run.queue, run.engine))
        where = self._where(TASKS)
        if where is None:
            return array("I", rows)
        return array("I", (x.row for x in chosen(TASKS, executions(self._events, rows), where)))

    def _sorted(self, rows: array[int]) -> array[int]:
        from array import array

        from minionize.status.executions import executions
        from minionize.status.rows import TASKS, arranged

        return array("I", arranged(TASKS, executions(self._events, rows), self._options.sort, _row))

    def _slowest(self, n: int) -> list[Execution]:
        from minionize.status.executions import executions, longest
        from minionize.status.rows import TASKS, arranged

        found = list(executions(self._events, longest(self._events.ledger, self._rows(), n)))
        return arranged(TASKS, found, self._options.sort) if self._options.sort else found


def _row(execution: Execution) -> int:
    return execution.row


def _groups_there_are(n: int) -> str:
    return "there are no failures" if n == 0 else f"there is {n}" if n == 1 else f"there are {n}"
