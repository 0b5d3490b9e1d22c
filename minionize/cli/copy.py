"""``minion-queue copy --from ENGINE --to ENGINE``: move what waits in one queue to another."""

from __future__ import annotations

import signal
import sys
from shlex import join
from typing import TYPE_CHECKING

from minionize.errors import MinionizeError, UsageError
from minionize.masks import mask
from minionize.settings import table
from minionize.settings.setting import PATH

if TYPE_CHECKING:
    import argparse
    from types import FrameType
    from typing import Any, Self

    from minionize.engines.base import Engine
    from minionize.mover import Mover
    from minionize.settings import Setting, Settings

#: The setting that says where the queue of each engine is. A plug-in's is the first that it declares.
ADDRESSES: dict[str, Setting[Any]] = {
    "sqlite": table.SQLITE_PATH,
    "spool": table.SPOOL_DIR,
    "file": table.FILE_PATH,
    "execo": table.EXECO_DIRECTORY,
    "redis": table.REDIS_URL,
    "google": table.GOOGLE_TOPIC,
    "pulsar": table.PULSAR_TOPIC,
}
#: Those whose server is a URL that begins with the engine's name.
SERVERS: dict[str, Setting[Any]] = {"redis": table.REDIS_URL, "pulsar": table.PULSAR_CONNECTION}
#: Refused tasks that are named; the others are counted.
SHOWN = 10


def add_arguments(to: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    to.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="ENGINE",
        help="the queue to take from: an engine, or engine:address as in sqlite:old.db or redis://host:6379/0",
    )
    to.add_argument(
        "--to", dest="target", required=True, metavar="ENGINE", help="the queue to put into; made if needed"
    )


def copy(settings: Settings, source: str, target: str) -> int:
    """Move all that is pending or delayed; returns 0, 1 where tasks were refused, 128 + n where signal n stopped it."""
    from minionize import place
    from minionize.app import open_engine

    # Nobody's task is to blame if we vanish: a copy may be killed at any moment.
    me = place.identity(preemptible=True)
    ends = _side(settings, source, "--from"), _side(settings, target, "--to")
    giver = open_engine(ends[0], me)
    try:
        taker = open_engine(ends[1], place.identity(preemptible=True), create=True)
        try:
            if giver.queue == taker.queue:
                raise UsageError(f"{mask(source)} and {mask(target)} are the same queue: {giver.where}")
            return _move(giver, taker, join(["minion-queue", "copy", "--from", source, "--to", target]))
        finally:
            taker.close()
    finally:
        giver.close()


def _side(settings: Settings, text: str, flag: str) -> Settings:
    """Return the settings under which one of the two queues is opened."""
    name, colon, address = text.partition(":")
    if not name or (colon and not address):
        raise UsageError(f'{flag} "{text}" is not an engine, nor engine:address as in sqlite:old.db')
    row, rows = _address_of(name, f'{flag} "{name}"')
    settings = settings.with_rows(rows)
    if not colon:
        return settings.with_(MINION_ENGINE=name)
    if row is None:
        raise UsageError(f"{flag}: the engine {name} has no setting that could be an address.\n  {flag} {name}")
    if row.kind is not PATH and address.startswith("//"):
        row, address = SERVERS.get(name, row), text
    return settings.with_(**{"MINION_ENGINE": name, row.name: address})


def _address_of(name: str, said: str) -> tuple[Setting[Any] | None, tuple[Setting[Any], ...]]:
    """Find the setting that holds the address of an engine, and all that the engine declares."""
    from minionize import plugins
    from minionize.settings.declared import rows_of

    if name in ADDRESSES:
        return ADDRESSES[name], ()
    rows = rows_of(plugins.find("engine", name, said))
    return (rows[0] if rows else None), rows


def _move(giver: Engine, taker: Engine, again: str) -> int:
    from minionize.mover import Mover

    with _Stop() as stop:
        mover = Mover(giver, taker, stop)
        try:
            mover.run()
        except MinionizeError:
            print(f"{giver.where} -> {taker.where}: {_moved(mover)} before this:", file=sys.stderr)
            raise
        for made in mover.made:
            print(made, file=sys.stderr)
        print(f"{giver.where} -> {taker.where}: {_summary(mover, giver)}")
        _name_refused(mover)
        if stop.number:
            print(f"minion-queue copy: stopped. Nothing is lost; go on with:\n  {mask(again)}", file=sys.stderr)
            return 128 + stop.number
        return 1 if mover.refused else 0


class _Stop:
    """Whether a signal asked us to stop. The first one lets the batch at hand be finished, a second Ctrl-C does not."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self.number = 0

    def __call__(self) -> bool:
        """Say whether to stop."""
        return self.number > 0

    def __enter__(self) -> Self:
        """Listen."""
        self._before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) != signal.SIG_IGN
        }
        return self

    def __exit__(self, *exception: object) -> None:
        """Listen no more."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number


def _summary(mover: Mover, giver: Engine) -> str:
    counts = giver.counts()
    words = {
        "pending": "pending",
        "delayed": "delayed",
        "leased": "held by minions (run it again later)",
        "done": "done",
        "dead": "dead",
    }
    left = [f"{count} {words[state]}" for state, count in counts._asdict().items() if count]
    text = _moved(mover)
    if mover.moved and giver.traits.dedup and "remove" not in giver.traits.admin:
        text += " (and done there: that engine forgets no task)"
    if not giver.traits.finite:
        text += " (whether that was all, the source cannot tell; what it delays comes later: run it again)"
    if mover.taken:
        text += f", {len(mover.taken)} were taken by others meanwhile and are in both"
    return f"{text}; {', '.join(left)} stay" if left else text


def _moved(mover: Mover) -> str:
    text = f"{mover.moved} moved"
    if mover.known:
        known = ", ".join(f"{count} {state}" for state, count in mover.known.items())
        text += f", of which {sum(mover.known.values())} were there already ({known})"
    return text


def _name_refused(mover: Mover) -> None:
    for shown, (id, reason) in enumerate(mover.refused.items()):
        if shown == SHOWN:
            print(f"... and {len(mover.refused) - SHOWN} more", file=sys.stderr)
            break
        print(f"minion-queue copy: task {id} stays: {reason}", file=sys.stderr)
