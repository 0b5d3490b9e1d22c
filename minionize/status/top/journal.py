"""The log: who started, left or was lost, what was done from here, and every warning when it was first seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minionize.status import words
from minionize.status.rows import Column, Table

if TYPE_CHECKING:
    from minionize.status.model import Minion, Status, Warning


class Entry(NamedTuple):
    """A line of the log: seconds since the epoch, the minion (``mtop``: this program), what happened, its colour."""

    at: float
    who: str
    text: str
    color: str = ""


LOG_TABLE: Table[Entry] = Table(
    "log",
    "at",
    (
        Column("at", "time", lambda entry: entry.at),
        Column("minion", "id", lambda entry: entry.who),
        Column("what", "text", lambda entry: entry.text),
    ),
)


class Journal:
    """Keeps what no event file tells. What these tell is read off the status each time."""

    def __init__(self) -> None:
        """Begin with an empty page."""
        self._own: list[Entry] = []
        self._warned: dict[tuple[str, str], Entry] = {}

    def note(self, at: float, text: str, color: str = "") -> None:
        """Write down something that was done from here, or that went wrong here."""
        self._own.append(Entry(at, "mtop", text, color))

    def entries(self, status: Status, clock: float) -> list[Entry]:
        """List everything, newest last."""
        for warning in status.warnings:
            self._warn(warning, clock)
        told = [entry for minion in status.minions for entry in _life(minion)]
        return sorted([*told, *self._own, *self._warned.values()], key=lambda entry: entry.at)

    def _warn(self, warning: Warning, clock: float) -> None:
        """Keep the moment when it was first seen, with its newest words: most of them hold a count."""
        key = (warning.code, str(warning.facts.get("node", "")))
        at = warning.facts.get("at", clock)
        first = self._warned.get(key)
        self._warned[key] = Entry(first.at if first else at, "", warning.text, "yellow")


def _life(minion: Minion) -> list[Entry]:
    where = f"{minion.host}, pid {minion.pid}" if minion.pid else minion.host
    did = f"{minion.done} done, {minion.failed} failed"
    told = []
    if minion.started is not None:
        told.append(Entry(minion.started, minion.uid, f"started on {where}"))
    if minion.state == "lost":
        told.append(Entry(minion.seen, minion.uid, f"lost on {where}: no sign of it since; {did}", "red"))
    if minion.state == "ended":
        stayed = f" after {words.elapsed(minion.up)}" if minion.up is not None else ""
        at = minion.seen if minion.started is None or minion.up is None else minion.started + minion.up
        told.append(Entry(at, minion.uid, f"left{stayed}: {minion.reason or 'no reason given'}; {did}"))
    return told
