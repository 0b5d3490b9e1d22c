"""``minion-status``: what is done, what runs, what failed and why, when it ends."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from minionize import __version__
from minionize.cli.common import (
    INTERRUPTED,
    Parser,
    add_completion,
    add_report_directory,
    add_settings,
    flags_of,
    parser,
    report_directory,
    run,
)
from minionize.cli.status_views import CSV, check, is_list, lines, write_csv
from minionize.cli.status_watch import INTERVAL, SHORTEST, Look, wait, watch
from minionize.settings import load
from minionize.settings.setting import duration

if TYPE_CHECKING:
    import argparse
    from typing import TextIO

    from minionize.cli.status_look import Looker
    from minionize.status.model import Status
    from minionize.status.style import Style

PROG = "minion-status"
NO_DATA = 5
#: What ``--exit-code`` says of a run that is not finished.
UNFINISHED = {"running": 3, "waiting": 4, "stalled": 4}

_DESCRIPTION = "Show what is done, what runs, what failed and why, and when it ends. It changes nothing."
_EPILOG = f"""\
exit codes: 0 a report was printed, 2 usage, {NO_DATA} neither queue nor events, 69 the queue does not answer;
with --exit-code: 0 finished with no failure, 1 finished with failures, 3 running, 4 stalled (no minion is alive)

EXPR is NAME OP VALUE with = != < <= > >= or ~= (a regular expression); ! before it: not. NAME is a column, as --csv
writes them, or since, until (1h ago, or a time). A word alone is looked for everywhere. All must hold:
  outcome=failed node=paravance-7 error~=MemoryError param.alpha>0.5 took>5m since=1h

examples:
  {PROG}                    the screen
  {PROG} --failures 1       the largest group of failures: its params, the newest stderr
  {PROG} --csv tasks --where 'result.loss<1'
  {PROG} --wait && ./plot   go on when the run is finished, and nothing failed
  {PROG} --json | jq .eta   for programs"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(argv)
    return run(PROG, lambda: _status(options), options.verbose)


def _parser() -> Parser:
    made = parser(PROG, description=_DESCRIPTION, epilog=_EPILOG)
    add_report_directory(made)
    _add_views(made.add_mutually_exclusive_group())
    made.add_argument(
        "--where", action="append", default=[], metavar="EXPR", help="rows of a list or of CSV that fit (repeat: and)"
    )
    made.add_argument(
        "--sort", metavar="COL", help="sort these by a column, largest or newest first; --sort=-COL: the other way"
    )
    made.add_argument("--limit", type=_number, metavar="N", help="rows of a list (20) or of CSV (all); 0: all")
    made.add_argument(
        "-w",
        "--watch",
        nargs="?",
        const=INTERVAL,
        type=_interval,
        metavar="SEC",
        help="look again every SEC (2s, at least 0.5); Ctrl-C or q ends it. In a pipe: one line each time",
    )
    made.add_argument(
        "--wait", action="store_true", help="come back when the run is finished or stalled; implies --exit-code"
    )
    made.add_argument("--exit-code", action="store_true", help="tell the state of the run by the exit code")
    made.add_argument("-q", "--quiet", action="store_true", help="show nothing but errors, and data: --json, --csv")
    made.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours (auto: on a terminal)"
    )
    made.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    made.add_argument("--utc", action="store_true", help="show times in UTC")
    made.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    made.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_completion(made)
    add_settings(made, ["queue"])
    return made


def _add_views(to: argparse._MutuallyExclusiveGroup) -> None:
    to.add_argument("--json", action="store_true", help="print one JSON object, schema 1; with --watch one per line")
    to.add_argument("--csv", choices=CSV, metavar="TABLE", help=f"print a table: {', '.join(CSV)}")
    to.add_argument(
        "--failures",
        nargs="?",
        const=0,
        type=_number,
        metavar="N",
        help="groups of failures; with N: the params of that group, and the stderr of the newest",
    )
    to.add_argument("--in-flight", action="store_true", help="what runs now, oldest first")
    to.add_argument("--minions", action="store_true", help="the minions: alive, lost, ended")
    to.add_argument("--nodes", action="store_true", help="the hosts, those that fail most first")
    to.add_argument("--slow", nargs="?", const=10, type=_number, metavar="N", help="the N (10) longest executions")
    to.add_argument("--html", metavar="FILE", help="write the report of the run, one HTML file (-: standard output)")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _interval(text: str) -> float:
    try:
        seconds = duration(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no length of time (2, 0.5, 1m); REPORT_DIR goes before -w") from None
    return max(SHORTEST, seconds)


def _status(options: argparse.Namespace) -> int:
    from minionize.cli.status_look import Looker

    check(options)
    settings = load(flags_of(options))
    for warning in settings.warnings:
        print(f"{PROG}: {warning}", file=sys.stderr)
    looker = Looker(settings, report_directory(options.directory, settings))
    if sys.stdout is None:  # it was closed; the exit code is still an answer
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    try:
        if options.watch and not _is_silent(options):
            return _watch(options, looker)
        return _wait(options, looker) if options.wait else _once(options, looker)
    finally:
        looker.close()


def _once(options: argparse.Namespace, looker: Looker) -> int:
    status = looker.look()
    if status is None:
        if looker.unavailable:
            raise looker.unavailable
        return _nothing(looker)
    _print(options, status, looker)
    if looker.unavailable:  # the events were shown, but what they say of the queue is not known
        raise looker.unavailable
    return _exit_code(status) if options.exit_code or options.wait else 0


def _wait(options: argparse.Namespace, looker: Looker) -> int:
    """Look until the run is over. Where there is nothing to wait for, that is an answer too."""
    if looker.look() is None and not looker.unavailable:
        return _nothing(looker)
    wait(lambda: Look((), _is_over(looker.look(), looker)), options.watch or INTERVAL)
    return _once(options, looker)


def _watch(options: argparse.Namespace, looker: Looker) -> int:
    seen: list[Status | None] = [None]

    def look() -> Look:
        status = seen[0] = looker.look()
        over = _is_over(status, looker)
        if status is None:
            return Look([] if options.json else [str(looker.unavailable or _nothing_text(looker))], over)
        style = _style(options, sys.stdout)
        if options.json or is_list(options) or options.html or sys.stdout.isatty():
            return Look(lines(options, status, looker.events, style), over)
        from minionize.status.summary import summary

        return Look([summary(status, style)], over)

    ended = watch(look, options.watch, sys.stdout, in_place=not options.json, until_over=options.wait)
    if options.wait and not ended:
        return INTERRUPTED
    status = seen[0]
    if not (options.exit_code or options.wait):
        return 0
    return NO_DATA if status is None else _exit_code(status)


def _is_silent(options: argparse.Namespace) -> bool:
    """Tell whether nothing is to be shown. Data that were asked for are no noise."""
    return options.quiet and not (options.json or options.csv or options.html)


def _is_over(status: Status | None, looker: Looker) -> bool:
    """Tell whether there is nothing more to wait for. While the queue does not answer nobody knows."""
    return status is not None and looker.unavailable is None and status.run.state in ("finished", "stalled")


def _print(options: argparse.Namespace, status: Status, looker: Looker) -> None:
    if _is_silent(options):
        return
    style = _style(options, sys.stdout)
    if options.csv:
        write_csv(options, status, looker.events)
        return
    for line in lines(options, status, looker.events, style):
        print(line)


def _nothing(looker: Looker) -> int:
    print(
        f"{PROG}: {_nothing_text(looker)} Minions write there when MINION_REPORTER=json (the default).\n"
        "  Make a queue: minion-queue put seed=1..10     or look elsewhere: minion-status REPORT_DIR",
        file=sys.stderr,
    )
    return NO_DATA


def _nothing_text(looker: Looker) -> str:
    directory = looker.events.directory
    if directory in looker.events.refused:
        return f"no queue here, and {directory} may not be read."
    shown = directory if os.path.isabs(directory) or directory.startswith(".") else os.path.join(".", directory)
    return f"no queue here and no events in {shown}."


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
    return Style(
        columns=max(40, columns if is_list(options) else min(80, columns)),
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


if __name__ == "__main__":
    sys.exit(main())
