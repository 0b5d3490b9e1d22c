"""Columns as they are shown: how values are written, and which go first where room is short."""

from __future__ import annotations

from time import strftime
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.status import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.status.style import Style

_STATES = {"straggler": "yellow", "lost": "red", "busy": "green", "ended": "dim", "held": "dim"}


class Moment(NamedTuple):
    """What a cell is written with: the time its numbers are for, and how the terminal shows things."""

    now: float
    style: Style


def no_color(value: Any) -> str:
    """Return the colour of what is as usual."""
    return ""


class Cell(NamedTuple):
    """A column as it is shown: ``name`` is that of the table's. ``spare``: the highest goes first where room is short."""

    heading: str
    name: str
    text: Callable[[Any, Moment], str]
    right: bool = False
    grows: bool = False
    spare: int = 0
    color: Callable[[Any], str] = no_color


def plain(value: Any, moment: Moment) -> str:
    """Write a text as it is."""
    return "-" if value is None else str(value)


def whole(value: float | None, moment: Moment) -> str:
    """Write a count."""
    return "-" if value is None else moment.style.number(round(value))


def took(value: float | None, moment: Moment) -> str:
    """Write a duration."""
    return "-" if value is None else words.took(value)


def length(value: float | None, moment: Moment) -> str:
    """Write a duration without tenths."""
    return "-" if value is None else words.age(value)


def ago(value: float | None, moment: Moment) -> str:
    """Write how long ago a time was."""
    return "-" if value is None else words.age(moment.now - value)


def time(value: float | None, moment: Moment) -> str:
    """Write a time of day, to the second; of another day its date."""
    if value is None:
        return "-"
    then, today = moment.style.clock(value), moment.style.clock(moment.now)
    return strftime("%H:%M:%S" if then[:3] == today[:3] else "%m-%d %H:%M", then)


def times(value: float | None, moment: Moment) -> str:
    """Write a factor."""
    return "-" if value is None else f"{value:.1f}"


def percent(value: float | None, moment: Moment) -> str:
    """Write a share with one decimal."""
    return "-" if value is None else words.percent(value)


def rounded(value: float | None, moment: Moment) -> str:
    """Write a share without decimals."""
    return "-" if value is None else f"{value:.0%}"


def host(value: str | None, moment: Moment) -> str:
    """Write the first part of a host's name."""
    return (value or "-").split(".")[0]


def short(value: str | None, moment: Moment) -> str:
    """Write the beginning of an id."""
    return (value or "-")[:8]


def param(value: Any, moment: Moment) -> str:
    """Write a param, or a result, on one line."""
    return "-" if value is None else words.param_words(value)


def dead(value: bool, moment: Moment) -> str:
    """Write what became of a task that failed."""
    return "dead" if value else "delayed"


def bad(value: bool, moment: Moment) -> str:
    """Mark a host that fails far more than others."""
    return "bad" if value else ""


def state_color(value: str) -> str:
    """Return the colour of a state."""
    return _STATES.get(value.partition(" ")[0].rstrip(":"), "")


def red(value: Any) -> str:
    """Return the colour of what there should not be."""
    return "red" if value else ""


MINION = Cell("MINION", "minion", short)
NODE = Cell("NODE", "node", host)
PARAM = Cell("PARAM", "param", param, grows=True)
TRY = Cell("TRY", "attempt", whole, right=True, spare=3)
JOB = Cell("JOB", "job", plain, spare=5)
