"""``minionize [OPTIONS] [--] COMMAND [ARG...]``: run one minion."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from minionize import __version__
from minionize.cli import common
from minionize.settings.project import NAME

if TYPE_CHECKING:
    import argparse


_USAGE = "minionize [OPTIONS] [--] COMMAND [ARG...]"
_ABOUT = """\
Run COMMAND once per param of a queue. Words of COMMAND may hold {} (the whole param) or {name} (a field of it); where
none does, the param is appended. Start as many minions as you like; each one may be killed at any moment."""
_EXAMPLES = """\
  minion-queue put seed=1..1000 alpha=0.1,0.5     fill a queue
  minionize -j 8 ./simulate {seed} {alpha}        work on it, 8 at a time
  minion-status                                   look at it"""
_SHORT = f"""\
usage: {_USAGE}

{_ABOUT}

{_EXAMPLES}

A directory may keep its command and settings in {NAME}; then minionize alone is enough. minionize --help for all.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    namespace = _parser(arguments).parse_args(arguments)
    words = namespace.command[1:] if namespace.command[:1] == ["--"] else namespace.command
    return common.run("minionize", lambda: _main(namespace, words), namespace.verbose > 1)


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = common.parser(
        "minionize",
        usage=_USAGE,
        description=_ABOUT,
        epilog=f"examples:\n{_EXAMPLES}\n\nExit codes and variables: see the README.{_about_plug_ins(arguments)}",
    )
    parser.add_argument("--version", action="version", version=f"minionize {__version__}")
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="Say more; twice: show the traceback of an error"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="Say nothing but warnings and errors")
    parser.add_argument("--show-config", action="store_true", help="Print every setting and where it comes from")
    parser.add_argument(
        "--doctor", action="store_true", help="Check that the queue, the command and the reports are usable"
    )
    common.add_completion(parser)
    common.add_settings(parser)
    parser.add_argument("command", nargs="...", metavar="COMMAND [ARG...]", help="The program to run")
    return parser


def _about_plug_ins(arguments: list[str]) -> str:
    """Write what ``--help`` says of the chosen plug-ins; nothing is loaded where none can be chosen."""
    if not {"-h", "--help"}.intersection(arguments):
        return ""
    flags = common.choices(arguments)
    if (
        not flags
        and not any(map(os.path.exists, (".env", NAME)))
        and not any(os.environ.get(name) for name in common.CHOICES)
    ):
        return ""
    text = common.variables_of_plug_ins(flags)
    return text and f"\n\n{text}"


def _main(namespace: argparse.Namespace, words: list[str]) -> int:
    from minionize.cli.program import program
    from minionize.settings import load, table

    settings = load(common.flags_of(namespace))
    for warning in settings.warnings:
        sys.stderr.write(f"minionize: {warning}\n")
    if namespace.show_config:
        from minionize.settings.show import show

        print(show(settings, words), end="")
        return 0
    if namespace.doctor:
        from minionize.cli.doctor import examine

        return examine(settings, words)
    callback = program(settings, words)
    if callback is None:
        sys.stderr.write(_SHORT)
        if settings.project.exists:
            sys.stderr.write(f"{settings.project.path} is there, but names no command, python or image.\n")
        return 2
    if settings[table.DRY]:
        from minionize.cli.dry import show_commands

        return show_commands(settings, callback, everything=namespace.verbose > 0)
    from minionize.app import minionizer

    return minionizer(callback, settings, quiet=namespace.quiet).work()


def command() -> NoReturn:
    """Run the command as a process of its own, and end that at once: taking an interpreter down in order costs 7 ms."""
    code = main()
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    command()
