"""Lines of words that can be clicked at: the tabs, and the keys at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from minionize.status.safe import width
from minionize.status.top.grid import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events


class Word(NamedTuple):
    """A word: the styles of its key and of its text, and the action that a click at it is."""

    key: str
    text: str
    key_color: str = "bold"
    color: str = ""
    action: str = ""

    @property
    def columns(self) -> int:
        """How wide it is."""
        return width(self.key) + width(self.text) + 1


class Bar(Widget):
    """One line. Words that do not fit are left out, the last ones first."""

    DEFAULT_CSS = "Bar { height: 1; }"

    def __init__(self, id: str) -> None:
        """Show nothing yet."""
        super().__init__(id=id)
        self._words: Sequence[Word] = ()

    def show(self, words: Sequence[Word]) -> None:
        """Show other words."""
        self._words = words
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw them."""
        segments = [Segment(" ")]
        for word in self._fitting():
            segments += [Segment(word.key, look(word.key_color)), Segment(word.text, look(word.color)), Segment(" ")]
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(self.rich_style)

    async def on_click(self, event: events.Click) -> None:
        """Do what the word under the mouse says."""
        left = 1
        for word in self._fitting():
            if left <= event.x < left + word.columns and word.action:
                await self.app.run_action(word.action)
                return
            left += word.columns

    def _fitting(self) -> list[Word]:
        room, fitting = self.size.width - 1, []
        for word in self._words:
            room -= word.columns
            if room < -1:  # the space behind the last one is not needed
                break
            fitting.append(word)
        return fitting
