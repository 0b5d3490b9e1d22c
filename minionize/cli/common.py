"""What the commands share: options made from the settings table, and how a command ends, well or badly."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from minionize.errors import HostUnfit, MinionizeError, UsageError
from minionize.settings.document import title
from minionize.settings.table import ENGINE, REPORT_DIRECTORY, REPORTER, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from minionize.settings import Settings
    from minionize.settings.setting import Setting

#: Exit codes of a command that was stopped by Ctrl-C, whose reader has gone, or that met an error nobody foresaw.
INTERRUPTED, NOBODY_READS, UNEXPECTED = 130, 141, 70
#: What writing to a full disk, or to one that is broken, ends with.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
#: The variables that choose a plug-in.
CHOICES = (ENGINE.name, REPORTER.name)


class Parser(argparse.ArgumentParser):
    """An argument parser that says errors in our form, and survives ``--help | head``."""

    def error(self, message: str) -> NoReturn:
        """Leave with 2: what is wrong, and what to type."""
        self.exit(2, f"{self.prog}: {message}\n  try: {self.prog} --help\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave with the status, or with 141 if what was printed could not be read any more."""
        if message:
            _say(message)
        sys.exit(_flushed(self.prog, status))


def parser(prog: str, *, usage: str | None = None, description: str = "", epilog: str = "") -> Parser:
    """Make a command's parser; description and epilog are printed as they are written."""
    return Parser(
        prog=prog,
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=_formatter,
        allow_abbrev=False,
    )


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Make help as wide as the terminal. Left to itself argparse asks shutil, for every option it is told of."""
    try:
        width = os.get_terminal_size(1).columns
    except (OSError, ValueError):
        width = 80
    return argparse.RawDescriptionHelpFormatter(prog, width=max(40, width - 2))


class _PrintCompletion(argparse.Action):
    """Prints what a shell reads to complete the command, and leaves, as ``--version`` does."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        """Print it."""
        from minionize.cli.completion import script

        print(script(parser, values), end="")
        parser.exit()


def add_report_directory(to: argparse.ArgumentParser) -> None:
    """Add the directory of event files, which may be left out."""
    to.add_argument(
        "directory",
        nargs="?",
        metavar="REPORT_DIR",
        help="event files (REPORTER_JSON_DIRECTORY, default: minion-report)",
    )


def report_directory(given: str | None, settings: Settings) -> str:
    """Say where the event files are: as it was given, else as the settings say; raises UsageError where that is no directory."""
    if given and not os.path.isdir(given):
        raise UsageError(f"there is no directory {given}\n  Event files are in REPORTER_JSON_DIRECTORY (minion-report)")
    return given or settings[REPORT_DIRECTORY] or ""


def add_completion(to: argparse.ArgumentParser) -> None:
    """Add ``--print-completion SHELL``."""
    to.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=("bash", "zsh", "fish"),
        metavar="SHELL",
        default=argparse.SUPPRESS,
        help="Print what bash, zsh or fish reads to complete this command, and leave",
    )


def add_settings(to: argparse.ArgumentParser, groups: Iterable[str] | None = None) -> None:
    """Add an option for every setting that has flags, of these groups of the table (None: of all)."""
    wanted = dict.fromkeys(row.group for row in TABLE if row.flags) if groups is None else groups
    for group in wanted:
        section = to.add_argument_group(title(group))
        for row in TABLE:
            if row.group == group and row.flags:
                add_setting(section, row)


def add_setting(to: argparse._ActionsContainer, row: Setting[Any], **options: Any) -> None:
    """Add an option for one setting; ``options`` are further ones for argparse."""
    to.add_argument(*row.flags, dest=row.name, default=argparse.SUPPRESS, **{**_option(row), **options})


def flags_of(namespace: argparse.Namespace, rows: Iterable[Setting[Any]] = TABLE) -> dict[str, str]:
    """Return the settings that were given as flags, by name, as :func:`minionize.settings.load` takes them."""
    given = vars(namespace)
    return {
        row.name: ",".join(given[row.name]) if row.may_repeat else given[row.name] for row in rows if row.name in given
    }


def choices(arguments: Sequence[str]) -> dict[str, str]:
    """Find the flags that choose plug-ins in a command line that is not parsed yet, as it is when help is asked for."""
    found = {}
    for row in (ENGINE, REPORTER):
        for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
            flag, equals, value = word.partition("=")
            if flag in row.flags and (value or following):
                found[row.name] = value if equals else following
    return found


def variables_of_plug_ins(flags: dict[str, str]) -> str:
    """Describe the variables that the chosen plug-ins declare; empty where there are none, or where these are broken."""
    from minionize.settings import load
    from minionize.settings.declared import declared

    try:
        rows = declared(load(flags))
    except MinionizeError:
        return ""
    lines = [f"  {row.name}\n{'':24}{row.help} ({row.kind.allowed}; default: {row.default or 'unset'})" for row in rows]
    return "\n".join(["variables of the chosen plug-in:", *lines]) if rows else ""


def run(prog: str, body: Callable[[], int], verbose: bool = False) -> int:
    """Run a command and return its exit code, with every error said on standard error in our form.

    ``verbose`` shows the traceback of an error. Without it, that of an unexpected one goes to a file, which is named.
    """
    if os.getpid() == 1:  # of a container
        from minionize.signals import end_as_others

        end_as_others()
    try:
        return _flushed(prog, body())
    except BrokenPipeError:
        _silence()
        return NOBODY_READS
    except KeyboardInterrupt:
        return INTERRUPTED
    except MinionizeError as error:
        if verbose:
            _say(_traceback(error))
        _say(f"{prog}: {error}\n")
        return _flushed(prog, error.exit_code)
    except OSError as error:
        if error.filename is None and error.errno in _NO_ROOM:
            return _unwritten(prog, "cannot write", error, 1)  # mostly to standard output; it does not say
        return _unforeseen(prog, error, verbose)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _unforeseen(prog, error, verbose)


def _is_crowded(error: Exception) -> bool:
    """Tell whether the system grants no further process or thread."""
    if isinstance(error, RuntimeError):
        return "start new thread" in str(error)
    # Those of a write that would have to wait have the same number.
    return isinstance(error, BlockingIOError) and not hasattr(error, "characters_written")


def _option(row: Setting[Any]) -> dict[str, Any]:
    # argparse reads its own placeholders into help texts.
    words = row.help.replace("%", "%%")
    if row.is_switch:
        return {"action": "store_const", "const": "1", "help": f"{words} ({row.name})"}
    default = f", default: {row.default}".replace("%", "%%") if row.default else ""
    return {
        **({"action": "append"} if row.may_repeat else {}),
        "metavar": row.kind.metavar,
        "help": f"{words} ({row.name}{default})",
    }


def _flushed(prog: str, code: int) -> int:
    """Write out what was printed while an error can still be told, and return the code, or that of the error."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return NOBODY_READS
    except OSError as error:
        return _unwritten(prog, "cannot write to standard output", error, code or 1)
    return code


def _unwritten(prog: str, what: str, error: OSError, code: int) -> int:
    """Say that what was printed is lost."""
    _silence()
    _say(f"{prog}: {what}: {error.strerror}\n")
    return code


def _silence() -> None:
    """Point standard output at nothing, or the interpreter would fail on it once more when it ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def _say(text: str) -> None:
    """Write to standard error, where there is one."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
    except OSError:
        pass


def _traceback(error: BaseException) -> str:
    import traceback

    from minionize.masks import mask

    return mask("".join(traceback.format_exception(error)))


def _unforeseen(prog: str, error: Exception, verbose: bool) -> int:
    """Say an error that is a fault of ours, or of nobody but the host, and return the code for it."""
    _say(_traceback(error) if verbose else "")
    if _is_crowded(error):
        _say(
            f"{prog}: no process or thread can be started here: {error}\n  See  ulimit -u, or --pids-limit of a container\n"
        )
        return HostUnfit.exit_code
    _say(_unexpected(prog, error, verbose))
    return UNEXPECTED


def _unexpected(prog: str, error: Exception, shown: bool) -> str:
    from minionize.masks import mask

    text = f"{prog}: unexpected error: {mask(f'{type(error).__name__}: {error}')}\n"
    if shown:
        return text
    try:
        return f"{text}  That is a fault of minionize. The traceback to report is in {_kept(prog, error)}\n"
    except OSError:
        return _traceback(error) + text


def _kept(prog: str, error: Exception) -> str:
    """Keep the traceback in a file of its own in ``$TMPDIR`` and return its path."""
    import tempfile

    handle, path = tempfile.mkstemp(prefix=f"{prog.partition(' ')[0]}-", suffix=".traceback", text=True)
    with open(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(_traceback(error))
    return path
