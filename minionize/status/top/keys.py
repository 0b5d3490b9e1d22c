"""The keys: what each does, for the screen, for its help and for what binds them."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """``keys`` as textual names them, ``label`` as people do.

    ``word`` is for the line at the bottom, where it has one; ``spare``: it is left out there first, where room is short.
    """

    keys: str
    label: str
    action: str
    help: str
    word: str = ""
    spare: bool = False


#: In the order of the help.
KEYS = (
    Key("question_mark,h,f1", "? h F1", "help", "this help", "Help"),
    Key("q", "q ^C", "quit", "quit", "Quit"),
    Key("slash", "/", "filter", "filter: node=p7  param.alpha>0.5  error~=Memory  since=1h", "Filter"),
    Key("s", "s", "sort", "sort: then the letter of a column", "Sort"),
    Key("S", "S", "reverse", "reverse the order"),
    Key("enter", "Enter", "open", "detail, again: all of it; on a group of failures: its params", "Detail"),
    Key("escape", "Esc", "leave", "back: detail, list, marks, filter"),
    Key("1,2,3,4,5,6,7", "1-7 Tab", "", "tabs"),
    Key("space", "Space", "mark", "mark: actions apply to marked rows, else to the one under >"),
    Key("z", "z", "freeze", "freeze what is shown; data keep coming", "Freeze", spare=True),
    Key("plus,equals_sign", "+ -", "pace(-1)", "look more often, less often (0.5 s to 30 s)"),
    Key("minus", "", "pace(1)", ""),
    Key("t", "t T", "span(1)", "time that the charts show: 15m, 1h, 6h, all"),
    Key("T", "", "span(-1)", ""),
    Key("e", "e", "export", "write the table to a .csv or .json file", "Export", spare=True),
    Key("o", "o", "pager", "stderr in $PAGER", "Stderr", spare=True),
    Key("y", "y x", "copy('command')", "copy the command line, the param (JSON)"),
    Key("x", "", "copy('param')", ""),
    Key("R", "R", "verb('R')", "retry: put dead tasks back as if new", "Retry"),
    Key("L", "L", "verb('L')", "release: give back what lost minions hold", "Release"),
    Key("C", "C", "verb('C')", "cancel: take tasks off the books", "Cancel"),
    Key("D", "D", "verb('D')", "drain: ask all minions to leave; resume", "Drain"),
)
#: Spans of the charts, in seconds; None is since the start. Seconds between two looks.
SPANS = (900.0, 3600.0, 21600.0, None)
PACES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
