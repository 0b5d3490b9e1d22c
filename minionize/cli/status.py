"""``minion-status``: what is done, what runs, what failed and why, when it ends."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from minionize.cli.common import Parser, add_settings, flags_of, parser, run
from minionize.errors import EngineUnavailable, NoQueue, UsageError
from minionize.settings import load, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import TextIO

    from minionize.settings import Settings
    from minionize.status.books import Books
    from minionize.status.model import Status
    from minionize.status.read import EventFiles
    from minionize.status.style import Style

PROG = "minion-status"
NO_DATA = 5
#: What ``--exit-code`` says of a run that is not finished.
UNFINISHED = {"running": 3, "waiting": 4, "stalled": 4}

_DESCRIPTION = "Show what is done, what runs, what failed and why, and when it ends. It changes nothing."
_EPILOG = f"""\
exit codes: 0 a report was printed, 2 usage, {NO_DATA} neither queue nor events, 69 the queue does not answer;
with --exit-code: 0 finished with no failure, 1 finished with failures, 3 running, 4 stalled (no minion is alive)

examples:
  {PROG}                    the screen
  {PROG} --failures 1       the largest group of failures: its params, the newest stderr
  {PROG} --json | jq .eta   for programs"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(argv)
    return run(PROG, lambda: _status(options), options.verbose)


def _parser() -> Parser:
    made = parser(PROG, description=_DESCRIPTION, epilog=_EPILOG)
    made.add_argument(
        "directory",
        nargs="?",
        metavar="REPORT_DIR",
        help="event files (REPORTER_JSON_DIRECTORY, default: minion-report)",
    )
    what = made.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="print one JSON object, schema 1")
    what.add_argument(
        "--failures",
        nargs="?",
        const=0,
        type=_number,
        metavar="N",
        help="groups of failures; with N: the params of that group, and the stderr of the newest",
    )
    what.add_argument("--in-flight", action="store_true", help="what runs now, oldest first")
    what.add_argument("--minions", action="store_true", help="the minions: alive, lost, ended")
    what.add_argument("--nodes", action="store_true", help="the hosts, those that fail most first")
    made.add_argument("--limit", type=_number, default=20, metavar="N", help="rows of a list (20; 0: all)")
    made.add_argument("--exit-code", action="store_true", help="tell the state of the run by the exit code")
    made.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours (auto: on a terminal)"
    )
    made.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    made.add_argument("--utc", action="store_true", help="show times in UTC")
    made.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    made.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    add_settings(made, ["queue"])
    return made


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _version() -> str:
    from minionize import __version__

    return __version__


def _status(options: argparse.Namespace) -> int:
    from minionize.status.build import build
    from minionize.status.read import EventFiles

    settings = load(flags_of(options))
    for warning in settings.warnings:
        print(f"{PROG}: {warning}", file=sys.stderr)
    events = EventFiles(_directory(options.directory, settings))
    # The books first: an event precedes its settlement, so that what is in the books is in the events.
    books, unavailable = _books(settings)
    events.refresh()
    if books is None and not events.ledger.minions:
        if unavailable:
            raise unavailable
        return _nothing(events.directory)
    status = build(events, books, time.time())
    for line in _view(options, status, events, _style(options, sys.stdout)):
        print(line)
    if unavailable:  # the events were shown, but what they say of the queue is not known
        raise unavailable
    return _exit_code(status) if options.exit_code else 0


def _directory(given: str | None, settings: Settings) -> str:
    directory = given or settings[table.REPORT_DIRECTORY] or ""
    if given and not os.path.isdir(given):
        raise UsageError(f"there is no directory {given}\n  Event files are in REPORTER_JSON_DIRECTORY (minion-report)")
    return directory


def _books(settings: Settings) -> tuple[Books | None, EngineUnavailable | None]:
    """Read the books of the queue; None where there is no queue, with the error where it does not answer."""
    if settings[table.ENGINE] == "file" and not settings[table.FILE_PATH]:
        return None, None  # a queue made of somebody else's standard input cannot be seen from here
    from minionize.app import open_engine
    from minionize.status.books import ask

    try:
        engine = open_engine(settings)
        try:
            return ask(engine), None
        finally:
            engine.close()
    except NoQueue:
        return None, None
    except EngineUnavailable as error:
        return None, error


def _nothing(directory: str) -> int:
    shown = directory if os.path.isabs(directory) or directory.startswith(".") else os.path.join(".", directory)
    print(
        f"{PROG}: no queue here and no events in {shown}. Minions write there when MINION_REPORTER=json (the default).\n"
        "  Make a queue: minion-queue put seed=1..10     or look elsewhere: minion-status REPORT_DIR",
        file=sys.stderr,
    )
    return NO_DATA


def _view(options: argparse.Namespace, status: Status, events: EventFiles, style: Style) -> Sequence[str]:
    if options.json:
        import json

        from minionize.status.document import document

        return [json.dumps(document(status, events), separators=(",", ":"))]
    from minionize.status import tables, text

    if options.failures:
        if options.failures > len(status.failures):
            raise UsageError(
                f"there is no group {options.failures}: {_groups(len(status.failures))}\n  See them: {PROG} --failures"
            )
        return tables.failure_detail(status, events, options.failures, style, options.limit)
    if options.failures == 0:
        return tables.failure_list(status, style, options.limit)
    if options.in_flight:
        return tables.in_flight_list(status, style, options.limit)
    if options.minions:
        return tables.minion_list(status, style, options.limit)
    if options.nodes:
        return tables.node_list(status, style, options.limit)
    return text.screen(status, style)


def _groups(n: int) -> str:
    return "there are no failures" if n == 0 else f"there is {n}" if n == 1 else f"there are {n}"


def _exit_code(status: Status) -> int:
    if status.run.state != "finished":
        return UNFINISHED[status.run.state]
    return 1 if status.counts.dead else 0


def _style(options: argparse.Namespace, out: TextIO) -> Style:
    """Find out what can be shown: a pipe gets 80 columns, no colour and no separators."""
    import shutil

    from minionize.status.style import Style

    terminal = out.isatty()
    unicode = not options.ascii and (out.encoding or "").lower().replace("-", "") == "utf8"
    if hasattr(out, "reconfigure"):  # a param may hold what this terminal cannot show
        out.reconfigure(errors="backslashreplace")
    columns = shutil.get_terminal_size().columns if terminal else 80
    is_list = options.in_flight or options.minions or options.nodes or options.failures is not None
    return Style(
        columns=max(40, columns if is_list else min(80, columns)),
        color=_wants_color(options.color, terminal),
        unicode=unicode,
        separator=" " if terminal else "",  # in a pipe, numbers are for programs
        clock=time.gmtime if options.utc else time.localtime,
    )


def _wants_color(when: str, terminal: bool) -> bool:
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")
