"""``minion-queue VERB``: fill and administer the queue."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, cast

from minionize import __version__
from minionize.cli import common, copy
from minionize.errors import UsageError
from minionize.model import STATES, Control

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.engines.base import Admin, Engine
    from minionize.model import Entry, Put, State
    from minionize.settings import Settings

#: Params that words may stand for in one put: more is a slip of the keyboard, and would fill the disk.
_MOST = 100_000_000

_VERBS = {
    "put": "add params",
    "show": "the books, or one task in full",
    "list": "tasks, one a line",
    "retry": "put dead tasks back as if new",
    "release": "give back tasks that lost minions hold",
    "cancel": "take tasks off the books",
    "drain": "ask all minions to leave",
    "resume": "take that back",
    "clear": "take everything off the books",
    "copy": "move what is pending and delayed to another queue",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    namespace = _parser().parse_args(arguments)
    return common.run(f"minion-queue {namespace.verb}", lambda: _main(namespace), namespace.verbose > 0)


def _parser() -> argparse.ArgumentParser:
    parser = common.parser("minion-queue", description="Fill and administer the queue that minions work on.")
    parser.add_argument("--version", action="version", version=f"minion-queue {__version__}")
    common.add_completion(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", title="verbs", parser_class=common.Parser)

    def verb(name: str, *, engine: bool = True) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=_VERBS[name], description=_VERBS[name].capitalize() + ".", allow_abbrev=False)
        if engine:
            sub.add_argument(
                "--engine", dest="MINION_ENGINE", default=argparse.SUPPRESS, metavar="NAME", help="The queue's engine"
            )
        sub.add_argument("-v", "--verbose", action="count", default=0, help="Show the traceback of an error")
        return sub

    put = verb("put")
    put.add_argument(
        "words", nargs="*", metavar="WORD", help="a param; a range 0..10..2; or name=values, which are multiplied"
    )
    put.add_argument("-f", "--file", metavar="FILE", help="read .csv, .jsonl, .json or lines; - is standard input")
    put.add_argument("--again", action="store_true", help="add copies of params that the queue knows")
    show = verb("show")
    show.add_argument("id", nargs="?", metavar="ID", help="a task's id, or the beginning of it")
    listing = verb("list")
    listing.add_argument("--state", choices=STATES, help="only these")
    listing.add_argument("--limit", type=_count, metavar="N", default=20, help="at most (default 20; 0: all)")
    retry = verb("retry")
    retry.add_argument("ids", nargs="*", metavar="ID")
    retry.add_argument("--all", action="store_true", help="all dead tasks")
    release = verb("release")
    release.add_argument("ids", nargs="*", metavar="ID")
    release.add_argument(
        "--lost",
        action="store_true",
        help="all that are held by minions which are lost; with execo, also what other programs left in progress",
    )
    verb("cancel").add_argument("ids", nargs="+", metavar="ID")
    verb("drain")
    verb("resume")
    verb("clear").add_argument("--yes", action="store_true", help="do it")
    copy.add_arguments(verb("copy", engine=False))
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is no whole number")
    return int(text)


def _main(namespace: argparse.Namespace) -> int:
    from minionize.app import open_engine
    from minionize.settings import load, table

    settings = load(common.flags_of(namespace))
    for warning in settings.warnings:
        print(f"minion-queue: {warning}", file=sys.stderr)
    if namespace.verb == "put":
        return _put(namespace, settings)
    if namespace.verb == "copy":
        return copy.copy(settings, namespace.source, namespace.target)
    namespace.output = settings[table.OUTPUT]
    engine = open_engine(settings)
    try:
        return _ACTIONS[namespace.verb](engine, namespace)
    finally:
        engine.close()


def _put(namespace: argparse.Namespace, settings: Settings) -> int:
    from minionize.app import open_engine
    from minionize.params import files, words
    from minionize.params.ids import number
    from minionize.place import here

    if namespace.file and namespace.words:
        raise UsageError(
            "words or a file, not both:\n  minion-queue put seed=1..10     or     minion-queue put -f params.csv"
        )
    if not namespace.file and not namespace.words:
        raise UsageError(
            "put what?\n  minion-queue put seed=1..1000 alpha=0.1,0.5     or     minion-queue put -f params.csv"
        )
    if namespace.file:
        if namespace.file != "-" and not os.path.exists(namespace.file):
            raise UsageError(f"there is no file {namespace.file} (in {here()}).")
        texts = files.read(namespace.file)
    else:
        count = words.count(namespace.words)  # so that a mistake makes no queue
        if count > _MOST:
            raise UsageError(f"that is {count} params, more than the {_MOST} that are put at once.")
        texts = words.expand(namespace.words)
    engine = open_engine(settings, create=True)
    try:
        put = engine.put(number(texts, again=namespace.again))
    finally:
        engine.close()
    for made in put.made:
        print(made, file=sys.stderr)
    print(_describe(put, engine.where))
    return 0


def _describe(put: Put, where: str) -> str:
    text = f"{where}: {put.added} added"
    if put.known:
        states = ", ".join(
            f"{count} {state}" for state, count in sorted(put.known.items(), key=lambda one: STATES.index(one[0]))
        )
        text += f", {sum(put.known.values())} known ({states}); --again runs them again"
    return text


def _show(engine: Engine, namespace: argparse.Namespace) -> int:
    if namespace.id is None:
        counts = engine.counts()
        print(f"{engine.where}")
        for name, value in zip(counts._fields, counts, strict=True):
            print(f"{name:9}{'unknown' if value is None else value}")
        drain = _admin(engine, "control").drained() if "control" in engine.traits.admin else None
        if drain:
            print(f"draining since {_when(drain.at)}, asked by {drain.who}; take it back:  minion-queue resume")
        for note in engine.notes:
            print(note)
        return 0
    entry = _admin(engine, "get").get(namespace.id)
    if entry is None:
        raise UsageError(f"there is no task {namespace.id} in {engine.where}.\n  See them:  minion-queue list")
    _print_entry(entry, namespace.output)
    return 0


def _print_entry(entry: Entry, directory: str) -> None:
    from minionize.slots.output import safe_name
    from minionize.status.safe import safe

    rows: list[tuple[str, object]] = [
        ("id", safe(entry.id)),
        ("param", safe(entry.param)),
        ("state", entry.state if entry.due is None else f"{entry.state} until {_when(entry.due)}"),
        ("attempt", entry.attempt),
        ("delivery", entry.delivery),
        ("crashes", entry.crashes or None),
        ("minion", entry.minion and safe(f"{entry.minion} on {entry.host}")),
        ("since", entry.since and _when(entry.since)),
        ("ended", entry.ended and _when(entry.ended)),
        ("result", entry.result and safe(entry.result)),
    ]
    failure = None if entry.state == "done" else entry.failure  # what became of an earlier attempt is history
    if failure:
        rows.append(("failure", _lines(failure.reason, f", on {failure.host} {_when(failure.at)}")))
    if directory not in ("live", "grouped", "none"):
        rows.append(("output", f"{os.path.join(directory, safe_name(entry.id))}.{entry.delivery}.out and .err"))
    for name, value in rows:
        if value is not None:
            print(f"{name:9}{value}")
    if failure and failure.stderr:
        print("stderr")
        for line in failure.stderr.splitlines():
            print(f"  {safe(line)}")


def _list(engine: Engine, namespace: argparse.Namespace) -> int:
    from minionize.status.safe import safe

    admin = _admin(engine, "list")
    if namespace.state and namespace.state not in engine.traits.listed:
        others = " or ".join(state for state in STATES if state in engine.traits.listed)
        raise UsageError(
            f"the engine of {engine.where} can list {others} tasks only.\n  minion-queue list --state {others}"
        )
    limit = namespace.limit or None
    entries = admin.list(cast("State | None", namespace.state), None if limit is None else limit + 1)
    for shown, entry in enumerate(entries):
        if shown == limit:
            print(f"... more than {limit}; --limit 0 lists all", file=sys.stderr)
            break
        why = (
            f"  {safe(entry.failure.reason.partition(chr(10))[0])}"
            if entry.failure and entry.state in ("dead", "delayed")
            else ""
        )
        print(f"{safe(entry.id)}  {entry.state:8} {entry.attempt:3}  {safe(entry.param)}{why}")
    return 0


def _retry(engine: Engine, namespace: argparse.Namespace) -> int:
    if bool(namespace.ids) == namespace.all:
        raise UsageError("which?\n  minion-queue retry ID...     or     minion-queue retry --all")
    count = _admin(engine, "retry").retry(None if namespace.all else namespace.ids)
    print(f"{_tasks(count)} put back{_others(engine, namespace.ids, count, 'dead')}")
    return 0


def _release(engine: Engine, namespace: argparse.Namespace) -> int:
    if bool(namespace.ids) == namespace.lost:
        raise UsageError("which?\n  minion-queue release ID...     or     minion-queue release --lost")
    count = _admin(engine, "release").release(None if namespace.lost else namespace.ids)
    print(f"{_tasks(count)} given back{_others(engine, namespace.ids, count, 'leased')}")
    return 0


def _cancel(engine: Engine, namespace: argparse.Namespace) -> int:
    count = _admin(engine, "remove").remove(namespace.ids)
    print(f"{_tasks(count)} cancelled; a minion that runs one stops it at its next renewal")
    return 0


def _drain(engine: Engine, namespace: argparse.Namespace) -> int:
    from minionize.place import identity, user

    who = f"{user()}@{identity().host}"
    _admin(engine, "control").control(Control(who, time.time()))
    print("all minions of this queue leave when their tasks end; for a day, or until:  minion-queue resume")
    return 0


def _resume(engine: Engine, namespace: argparse.Namespace) -> int:
    before = _admin(engine, "control").drained()
    _admin(engine, "control").control(None)
    print(f"resumed: {before.who} had drained it {_when(before.at)}" if before else "it was not drained")
    return 0


def _clear(engine: Engine, namespace: argparse.Namespace) -> int:
    admin = _admin(engine, "clear" if "clear" in engine.traits.admin else "remove")
    if not namespace.yes:
        counts = [count for count in engine.counts() if count is not None]
        tasks = _tasks(sum(counts)) if counts else "all tasks"
        raise UsageError(f"this takes {tasks} off the books of {engine.where}, for good.\n  minion-queue clear --yes")
    count = admin.clear() if "clear" in engine.traits.admin else admin.remove(None)
    print("all tasks removed" if count is None else f"{_tasks(count)} removed")
    return 0


def _admin(engine: Engine, verb: str) -> Admin:
    if verb not in engine.traits.admin:
        verbs = ["put", "show", "copy", *sorted(_VERBS_OF.get(name, name) for name in engine.traits.admin)]
        raise UsageError(f"the engine of {engine.where} cannot do that; it can: {', '.join(verbs)}.")
    return cast("Admin", engine)


def _others(engine: Engine, ids: list[str], count: int, state: str) -> str:
    """Say in which state the tasks are that were named but not changed."""
    if count >= len(ids) or "get" not in engine.traits.admin:
        return ""
    entries = [_admin(engine, "get").get(id) for id in ids]
    told = [f"{one.id} is {one.state}" for one in entries if one is not None]
    return f"; only {state} ones can be ({', '.join(told)})"


def _lines(text: str, where: str) -> str:
    """Make a text of several lines safe to show, ``where`` behind the first, the others below it."""
    from minionize.status.safe import safe

    first, *others = [safe(line.strip()) for line in text.splitlines()] or [""]
    return f"\n{'':9}".join([first.rstrip(".") + where, *others])


def _tasks(count: int) -> str:
    return f"{count} task" if count == 1 else f"{count} tasks"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


#: The verbs behind the names in ``Traits.admin``, where they are not the same.
_VERBS_OF = {"control": "drain, resume", "get": "show ID", "remove": "cancel, clear"}

_ACTIONS: dict[str, Callable[[Engine, argparse.Namespace], int]] = {
    "show": _show,
    "list": _list,
    "retry": _retry,
    "release": _release,
    "cancel": _cancel,
    "drain": _drain,
    "resume": _resume,
    "clear": _clear,
}

if __name__ == "__main__":
    sys.exit(main())
