"""The line that is typed into: a filter, or the name of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from textual.widgets import Input

if TYPE_CHECKING:
    from minionize.status.top.snapshot import Snapshot
    from minionize.status.top.views import View

Asked = Literal["", "filter", "export"]


class Prompt(Input):
    """Seen only while something is asked for."""

    DEFAULT_CSS = "Prompt { height: 1; display: none; } Prompt.asking { display: block; }"

    def __init__(self) -> None:
        """Ask for nothing yet."""
        super().__init__(id="prompt", compact=True, select_on_focus=False)
        self.asks: Asked = ""

    def open(self, what: Asked, text: str) -> None:
        """Ask, with something to begin from."""
        self.asks, self.value = what, text
        self.cursor_position = len(text)
        self.add_class("asking")
        self.focus()

    def close(self) -> None:
        """Ask no more."""
        self.asks = ""
        self.remove_class("asking")

    def hint(self, view: View, shot: Snapshot) -> str:
        """Say what can be typed."""
        if self.asks == "export":
            return "a new file: .csv or .json   Esc: back"
        return f"Esc: back   columns: {view.filtered(shot).filter.listed()}"
