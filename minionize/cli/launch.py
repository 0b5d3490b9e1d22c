"""``minion-launch LAUNCHER [OPTIONS] [--] COMMAND [ARG...]``: start many minions; ``minion-launch VERB``: ask after them."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from minionize import __version__, plugins
from minionize.cli import common
from minionize.errors import UsageError
from minionize.settings import launching
from minionize.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.launchers.base import Launcher
    from minionize.settings.setting import Setting

_ABOUT = """\
Start many minions at once, all alike: they share the work of one queue, and none is special. COMMAND, and every option of
minionize, are as for minionize. What is said first is where: a launcher, or --to with several in order of preference."""
_EXAMPLES = """\
  minion-launch local -c 4 -- ./simulate {seed}                      four minions on this machine, detached
  minion-launch slurm -c 10 -j 4 --walltime 1h -- ./simulate {seed}  an array job of Slurm
  minion-launch --to slurm,oar -c 10 -- ./simulate {seed}            the first of them that takes it
  minion-launch list                                                 what was launched, and what it is called
  minion-launch status ID                                            what has become of each minion"""
_SHORT = f"""\
usage: minion-launch LAUNCHER [OPTIONS] [--] COMMAND [ARG...]

{_ABOUT}

{_EXAMPLES}

minion-launch --help for all.
"""
_VERBS = {
    "list": "what was launched, newest first",
    "status": "what has become of each minion of a launch",
    "stop": "end minions; they give their tasks back",
    "drain": "let minions finish what they run, and leave",
}
#: The groups of settings of minions that are options here too; --dry-run is one of our own.
_GROUPS = tuple(dict.fromkeys(row.group for row in TABLE if row.flags and row.group != "looking"))


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    first = arguments[0] if arguments else ""
    if not first:
        sys.stderr.write(_SHORT)
        return 2
    if first == "--to" or first.startswith("--to="):
        return _to(arguments)
    if first in _VERBS:
        return _look(first, arguments)
    if first in plugins.BUILT_IN["launcher"] or (first and not first.startswith("-")):
        return common.run("minion-launch", lambda: _launch(first, [first], arguments[1:]))
    _parser().parse_args(arguments)
    return 2


class _Together(argparse.Action):
    """Puts the values of an option that is repeated together, as its variable holds them."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        """Add one."""
        before = getattr(namespace, self.dest, None)
        between = launching.BETWEEN[self.dest]
        setattr(namespace, self.dest, values if before is None else f"{before}{between}{values}")


def _parser() -> argparse.ArgumentParser:
    """Make the parser that help and completion are made from: launchers and verbs are alike there."""
    parser = common.parser(
        "minion-launch",
        usage="minion-launch LAUNCHER|--to A,B [OPTIONS] [--] COMMAND [ARG...]\n       minion-launch VERB [OPTIONS] [ID...]",
        description=_ABOUT,
        epilog=f"examples:\n{_EXAMPLES}\n\nminion-launch LAUNCHER --help lists the options of one.",
    )
    parser.add_argument("--version", action="version", version=f"minion-launch {__version__}")
    parser.add_argument(
        "--to", metavar="A,B", help="Launchers, the preferred one first: the first that takes it gets it"
    )
    common.add_completion(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", title="verbs", parser_class=common.Parser)
    for name in plugins.BUILT_IN["launcher"]:
        found = plugins.find("launcher", name)
        sub = verbs.add_parser(
            name, prog=f"minion-launch {name}", help=f"start minions {found.help}", allow_abbrev=False
        )
        _add_launch(sub, found.settings)
    for verb, help in _VERBS.items():
        sub = verbs.add_parser(
            verb,
            prog=f"minion-launch {verb}",
            help=help,
            description=f"{help.capitalize()}.",
            allow_abbrev=False,
        )
        _add_verb(sub, verb)
    return parser


def _add_launch(to: argparse.ArgumentParser, rows: Sequence[Setting[Any]]) -> None:
    """Add the options of a launch; ``rows`` are what the chosen launchers declare."""
    section = to.add_argument_group("Launching")
    for row in (*launching.COMMON, *rows):
        more = {"action": _Together} if row.name in launching.BETWEEN else {}
        common.add_setting(section, row, **more)
    section.add_argument("--script", action="store_true", help="Print what would be submitted, and submit nothing")
    section.add_argument(
        "-n", "--dry-run", action="store_true", help="Show the commands that would be run, and run nothing"
    )
    section.add_argument(
        "--apply", action="store_true", help="Do it, where the launcher spends money and else only shows"
    )
    section.add_argument("-v", "--verbose", action="count", default=0, help="Show the traceback of an error")
    common.add_settings(to, _GROUPS)
    to.add_argument("command", nargs="...", metavar="COMMAND [ARG...]", help="The program that minions run")


def _add_verb(to: argparse.ArgumentParser, verb: str) -> None:
    if verb == "list":
        to.add_argument("--limit", type=int, metavar="N", default=20, help="At most (default 20; 0: all)")
        to.add_argument("--json", action="store_true", help="Print them as JSON")
    elif verb == "status":
        to.add_argument(
            "id", nargs="?", metavar="ID", help="A launch: its id, the beginning of it, its name or its job"
        )
        to.add_argument("--json", action="store_true", help="Print it as JSON")
    else:
        to.add_argument("ids", nargs="+", metavar="ID", help="Launches: ids, beginnings of them, names or jobs")
    if verb == "stop":
        to.add_argument(
            "--kill", action="store_true", help="At once: what they hold is given to others when leases end"
        )
    to.add_argument("-v", "--verbose", action="count", default=0, help="Show the traceback of an error")


def _to(arguments: list[str]) -> int:
    """Read ``--to A,B`` or ``--to=A,B`` at the beginning of a command line."""
    first, equals, value = arguments[0].partition("=")
    rest = arguments[1:] if equals else arguments[2:]
    value = value if equals else next(iter(arguments[1:]), "")
    names = [name for name in value.split(",") if name]

    def body() -> int:
        if not names:
            raise UsageError("--to what?\n  minion-launch --to slurm,oar ...")
        return _launch(f"{first} {value}", names, rest)

    return common.run("minion-launch", body)


def _find(name: str) -> type[Launcher]:
    try:
        found: type[Launcher] = plugins.find("launcher", name)
    except UsageError as error:
        raise UsageError(f"{error}\n  Verbs: {', '.join(_VERBS)}") from error
    return found


def _launch(said: str, names: list[str], arguments: list[str]) -> int:
    known: dict[str, type[Launcher]] = {name: _find(name) for name in dict.fromkeys(names)}
    parser = common.parser(
        f"minion-launch {said}",
        usage=f"minion-launch {said} [OPTIONS] [--] COMMAND [ARG...]",
        description=f"Start minions {', else '.join(launcher.help or name for name, launcher in known.items())}.",
    )
    from minionize.settings.declared import rows_of

    rows = tuple(dict.fromkeys(row for launcher in known.values() for row in rows_of(launcher)))
    _add_launch(parser, rows)
    namespace = parser.parse_args(_joined(parser, arguments))
    from minionize.cli import launch_start

    return common.run(
        "minion-launch", lambda: launch_start.start(known, namespace, (*launching.COMMON, *rows)), namespace.verbose > 0
    )


def _joined(parser: argparse.ArgumentParser, arguments: list[str]) -> list[str]:
    """Write ``--extra '--constraint=x'`` as one word: argparse takes a value that begins with a dash for an option."""
    joined, rest = [], list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        action = parser._option_string_actions.get(word)  # noqa: SLF001 - argparse has no public way to ask
        if action and action.nargs is None and rest:
            value = rest.pop(0)
            joined += [f"{word}={value}"] if action.dest in launching.BETWEEN else [word, value]
        else:
            joined.append(word)
    return joined + rest


def _look(verb: str, arguments: list[str]) -> int:
    from minionize.cli import launch_look

    namespace = _parser().parse_args(arguments)
    action = {
        "list": launch_look.show_list,
        "status": launch_look.show_status,
        "stop": launch_look.stop,
        "drain": launch_look.drain,
    }[verb]
    return common.run(f"minion-launch {verb}", lambda: action(namespace), namespace.verbose > 0)


if __name__ == "__main__":
    sys.exit(main())
