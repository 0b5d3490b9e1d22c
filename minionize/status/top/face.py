"""How the program looks: its parts, and what is drawn in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import App
from textual.containers import VerticalScroll
from textual.widgets import Static

from minionize.status.top.bars import Bar
from minionize.status.top.detail import Detail
from minionize.status.top.grid import Grid
from minionize.status.top.head import Screen, head
from minionize.status.top.lines import SILENT, key_words, note_line, tab_words, trouble_line, troubles
from minionize.status.top.places import Places
from minionize.status.top.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.screen import Screen as TextualScreen

    from minionize.status.style import Style
    from minionize.status.top.looker import Scene


class Face(App[BaseException]):
    """Everything but the keys. ``scene`` is what is shown, ``detail`` describes the row under the cursor."""

    TITLE = "mtop"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #_default { layout: vertical; background: ansi_default; color: ansi_default; }
    #head { height: 4; }
    #trouble { height: 1; }
    #grid { height: 1fr; }
    #detail { height: 42%; display: none; border-top: solid ansi_bright_black; scrollbar-size-vertical: 1; padding: 0 1;
        border-title-color: ansi_bright_black; }
    .detail #detail { display: block; }
    .all #detail { height: 1fr; }
    .all #grid { display: none; }
    #text { height: auto; }
    #note { height: 1; }
    ModalScreen { background: transparent; }
    #keys { height: 1; }
    """

    def __init__(self, clock: Callable[[], float], style: Style, pace: float) -> None:
        """Show nothing yet; ``pace`` is the seconds between two looks."""
        super().__init__(ansi_color=True)
        self.clock, self._style, self.pace = clock, style, pace
        self.places, self.frozen = Places(), False
        self.scene: Scene | None = None
        self.detail = Detail()
        self.looking: float | None = None
        self._message = ("", "")

    def refused(self, key: str) -> str:
        """Say why a key can do nothing here and now; empty where it can."""
        return ""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="head")
        yield Static(id="trouble")
        yield Bar("tabs")
        yield Grid(self._style)
        with VerticalScroll(id="detail", can_focus=True) as detail:
            detail.border_title = "Enter: all of it   o: $PAGER   y: copy command   x: copy param   Esc: back"
            yield Static(id="text")
        yield Static(id="note")
        yield Prompt()
        yield Bar("keys")

    @property
    def main(self) -> TextualScreen[object]:
        """The screen below all dialogs."""
        return self.screen_stack[0]

    @property
    def grid(self) -> Grid:
        """The table."""
        return self.main.query_one(Grid)

    @property
    def prompt(self) -> Prompt:
        """The line that is typed into."""
        return self.main.query_one(Prompt)

    @property
    def style(self) -> Style:
        """How lines are drawn, as wide as the screen is."""
        return self._style._replace(columns=self.size.width)

    def shows(self, name: str) -> bool:
        """Tell whether the detail, or all of it, is shown."""
        return self.main.has_class(name)

    # ------------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Draw everything but the grid, which draws itself."""
        if self.scene is None or not self.is_running:
            return
        style, now = self.style, self.clock()
        self.draw_head()
        trouble = trouble_line(troubles(self.scene, now), style)
        self.main.query_one("#trouble", Static).update(Text.from_ansi(trouble))
        self.main.query_one("#tabs", Bar).show(tab_words(self.scene, self.places, style))
        self.main.query_one("#text", Static).update(Text.from_ansi("\n".join(self.detail.lines)))
        self.main.query_one("#note", Static).update(Text.from_ansi(self._note(self.scene)))
        books = self.scene.shot.answer.books
        drained = books is not None and books.drained is not None
        self.main.query_one("#keys", Bar).show(key_words(self.refused, style.columns, drained=drained))

    def _note(self, scene: Scene) -> str:
        text, color = self._message
        if text:
            return self.style.line((f" {text}", color))
        if self.prompt.asks:
            return self.style.line((f" {self.prompt.hint(self.places.view, scene.shot)}", "dim"))
        return note_line(scene, self.places, self.style)

    def draw_head(self) -> None:
        """Draw the lines above the tabs. The clock in them goes on when nothing else does."""
        if self.scene is None:
            return
        now = self.clock()
        waited = now - self.looking if self.looking is not None else 0.0
        notes = (f"reading for {waited:.0f}s",) * (waited > SILENT)
        screen = Screen(self.pace, self.scene.shot.now if self.frozen else now, self.frozen, notes)
        lines = head(self.scene.shot.status, self.scene.charts, screen, self.style)
        self.main.query_one("#head", Static).update(Text.from_ansi("\n".join(lines)))

    def say(self, text: str, color: str = "yellow") -> None:
        """Show a message, until the next key."""
        self._message = (text, color)
        self.draw()

    def on_key(self) -> None:
        """Take the message away."""
        if self._message[0]:
            self._message = ("", "")
            self.draw()
