"""How lines are drawn: columns, colour, characters, and whose clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from minionize.status.safe import cut, width

if TYPE_CHECKING:
    from collections.abc import Callable

_CODES = {"": "", "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

#: A piece of a line: text, or text and the name of its colour.
Span = str | tuple[str, str]


class Style(NamedTuple):
    """What the terminal can show. ``separator`` stands between groups of three digits; ``clock`` is localtime or gmtime."""

    columns: int = 80
    rows: int = 23
    color: bool = False
    unicode: bool = True
    separator: str = ""
    clock: Callable[[float], time.struct_time] = time.localtime

    def number(self, n: int) -> str:
        """Write a count."""
        return f"{n:,}".replace(",", self.separator)

    def cut(self, text: str, columns: int) -> str:
        """Make text safe and so many columns wide at most."""
        return cut(text, columns, "…" if self.unicode else "~")

    def line(self, *spans: Span) -> str:
        """Join spans to a line that fits, each made safe."""
        room, drawn = self.columns, []
        for span in spans:
            text, color = (span, "") if isinstance(span, str) else span
            text = self.cut(text, room)
            room -= width(text)
            drawn.append(f"\x1b[{_CODES[color]}m{text}\x1b[0m" if self.color and color and text else text)
        return "".join(drawn).rstrip()

    def bar(self, share: float, columns: int) -> tuple[str, str]:
        """Draw a bar as two texts: the full part and the empty part. Only what is complete is full."""
        full = columns if share >= 1 else min(columns - 1, round(share * columns))
        return ("█" if self.unicode else "#") * full, ("░" if self.unicode else ".") * (columns - full)

    def time(self, t: float, now: float) -> str:
        """Write a time of day, with its date unless that is the day of ``now``."""
        then, today = self.clock(t), self.clock(now)
        return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)
