"""``mtop``: the live dashboard of a queue, in a terminal or a browser."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from minionize import __version__
from minionize.cli.common import (
    Parser,
    add_completion,
    add_report_directory,
    add_settings,
    flags_of,
    parser,
    report_directory,
    run,
)
from minionize.errors import NoQueue, UsageError
from minionize.settings import load, table
from minionize.settings.setting import duration

if TYPE_CHECKING:
    import argparse

    from minionize.engines.base import Engine
    from minionize.settings import Settings
    from minionize.status.style import Style

PROG = "mtop"
NO_DATA = 5
ADDRESS = "localhost:8000"
#: The fewest seconds between two looks.
_FASTEST = 0.5

_DESCRIPTION = """\
Look at a run while it goes on: what runs, what failed and why, minions, nodes; retry, release, cancel, drain.
In the program, ? lists its keys."""
_EPILOG = f"""\
exit codes: 0 it was left, 2 usage, {NO_DATA} neither queue nor events

examples:
  {PROG}                         the queue here, and the events in minion-report
  {PROG} --readonly /data/run1   events of another directory, to look only
  {PROG} --serve                 the same in a browser, http://{ADDRESS}, to look only"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(argv)
    return run(PROG, lambda: _top(options), options.verbose)


def _parser() -> Parser:
    made = parser(PROG, description=_DESCRIPTION, epilog=_EPILOG)
    add_report_directory(made)
    made.add_argument("--readonly", action="store_true", help="change nothing: no retry, release, cancel, drain")
    made.add_argument(
        "--refresh",
        type=_seconds,
        default=2.0,
        metavar="SEC",
        help="look so often (2s, at least 0.5s; + and - change it)",
    )
    made.add_argument(
        "--serve",
        nargs="?",
        const=ADDRESS,
        metavar="HOST:PORT",
        help=f"show it in a browser ({ADDRESS}); nothing can be changed there",
    )
    made.add_argument("--allow-actions", action="store_true", help="with --serve: let the browser change the queue")
    made.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    made.add_argument("--utc", action="store_true", help="show times in UTC")
    made.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    made.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_settings(made, ["queue"])
    add_completion(made)
    return made


def _seconds(text: str) -> float:
    try:
        seconds = duration(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a duration: 2, 0.5, 10s") from None
    if seconds < _FASTEST:
        raise ArgumentTypeError(f"{text}: that is less than {_FASTEST} seconds")
    return seconds


def _top(options: argparse.Namespace) -> int:
    if options.allow_actions and options.serve is None:
        raise UsageError("--allow-actions is for --serve: in a terminal, actions are allowed unless --readonly")
    settings = load(flags_of(options))
    for warning in settings.warnings:
        print(f"{PROG}: {warning}", file=sys.stderr)
    directory = report_directory(options.directory, settings)
    _need_textual(options.serve is not None)
    if options.serve is not None:
        from minionize.status.top.serve import serve

        return serve(options.serve, _command_of_browser(options), allow_actions=options.allow_actions)
    return _show(options, settings, directory)


def _need_textual(serves: bool) -> None:
    """Raise MissingExtra where what draws is not installed."""
    from importlib import import_module

    from minionize.plugins import missing_extra

    try:
        for module in ["textual", *(["textual_serve"] if serves else [])]:
            import_module(module)
    except ModuleNotFoundError as error:
        missing = missing_extra(PROG, error)
        if missing is None:
            raise
        raise missing from error


def _show(options: argparse.Namespace, settings: Settings, directory: str) -> int:
    """Show it on this terminal, or in the browser that this process was started for."""
    from minionize.status.cache import Cache
    from minionize.status.read import EventFiles
    from minionize.status.top import program

    if not program.has_screen():
        raise UsageError(
            f"{PROG} needs a terminal.\n  In a pipe or a file:  minion-status --watch     or     minion-status --json"
        )
    files = EventFiles(directory, Cache.of_user())
    left = program.show(files, lambda: _open(settings), _style(options), _why_readonly(options), options.refresh)
    if left is program.NOTHING:
        where = directory if os.path.isabs(directory) or directory.startswith(".") else os.path.join(".", directory)
        print(
            f"{PROG}: no queue here and no events in {where}. Minions write there when MINION_REPORTER=json (the default).\n"
            f"  Make a queue: minion-queue put seed=1..10     or look elsewhere: {PROG} REPORT_DIR",
            file=sys.stderr,
        )
        return NO_DATA
    return 0


def _open(settings: Settings) -> Engine:
    from minionize.app import open_engine

    if settings[table.ENGINE] == "file" and not settings[table.FILE_PATH]:
        raise NoQueue("standard input is somebody's own queue")
    return open_engine(settings)


def _why_readonly(options: argparse.Namespace) -> str:
    return f"{PROG} was started with --readonly" if options.readonly else ""


def _style(options: argparse.Namespace) -> Style:
    from minionize.status.style import Style

    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return Style(
        color=True,  # where NO_COLOR is set, textual takes colours out
        unicode=not options.ascii and (encoding == "utf8" or "TEXTUAL_DRIVER" in os.environ),
        separator=" ",
        clock=time.gmtime if options.utc else time.localtime,
    )


def _command_of_browser(options: argparse.Namespace) -> list[str]:
    """Make the command line that is run for each browser."""
    words = [sys.executable, "-P", "-m", "minionize.cli.top"]
    words += [] if options.allow_actions and not options.readonly else ["--readonly"]
    words += [
        "--refresh",
        f"{options.refresh:g}",
        *(["--ascii"] if options.ascii else []),
        *(["--utc"] if options.utc else []),
    ]
    given = flags_of(options)
    words += [f"{row.flags[-1]}={given[row.name]}" for row in table.TABLE if row.name in given]
    return [*words, *(["--", options.directory] if options.directory else [])]


if __name__ == "__main__":
    sys.exit(main())
