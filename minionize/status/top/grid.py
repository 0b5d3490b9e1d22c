"""The table on the screen. It draws the lines that are seen from texts, and keeps no cells: a refresh costs a redraw."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style as Look
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from minionize.status.safe import pad, width
from minionize.status.top.layout import GAP, fit, natural

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from textual import events

    from minionize.status.style import Style
    from minionize.status.top.listing import Listing

#: The cursor and the mark of a row stand before it.
GUTTER = 2
_WHEEL = 3


@cache
def look(color: str) -> Look:
    """Return how text of one of our colours is drawn, by the terminal's own colours."""
    return Look.parse(color) if color else Look()


class Grid(ScrollView, can_focus=True):
    """Rows with a cursor. What is shown is text, never markup."""

    DEFAULT_CSS = "Grid { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(-1)", show=False),
        Binding("end", "edge(1)", show=False),
    ]

    class Moved(Message):
        """The cursor was moved by its user."""

    class Opened(Message):
        """The row under the cursor was clicked at."""

    class Sorted(Message):
        """The heading of a column was clicked at."""

        def __init__(self, column: int) -> None:
            """Say which."""
            super().__init__()
            self.column = column

    def __init__(self, style: Style) -> None:
        """Show nothing yet."""
        super().__init__(id="grid")
        self._style = style
        self._listing: Listing | None = None
        self._wanted: list[int] = []
        self._marks: Collection[Hashable] = ()
        self.cursor = 0

    def show(self, listing: Listing, cursor: int, marks: Collection[Hashable]) -> None:
        """Show other rows, with the cursor there. Columns do not become narrower while it is the same view."""
        before = self._listing
        same = before is not None and before.wanted.view is listing.wanted.view
        sort = listing.wanted.sort or listing.wanted.view.order
        wanted = natural(listing.wanted.view.cells, listing.texts, sort)
        self._wanted = [max(pair) for pair in zip(wanted, self._wanted, strict=True)] if same else wanted
        self._listing, self._marks = listing, marks
        self.virtual_size = Size(1, len(listing.keys) + 1)
        self.put(cursor)

    @property
    def key(self) -> Hashable:
        """The row under the cursor; None where there are no rows."""
        if self._listing is None or not self._listing.keys:
            return None
        return self._listing.keys[self.cursor]

    def put(self, cursor: int) -> None:
        """Move the cursor to a row, or the nearest there is, and show it."""
        rows = len(self._listing.keys) if self._listing else 0
        self.cursor = max(0, min(cursor, rows - 1))
        height = max(1, self.size.height - 1)
        top = round(self.scroll_offset.y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)
        self.refresh()

    # ------------------------------------------------------------------ keys and mouse

    def action_move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self.put(self.cursor + rows)
        self.post_message(self.Moved())

    def action_page(self, pages: int) -> None:
        """Move the cursor by a screenful."""
        self.action_move(pages * max(1, self.size.height - 2))

    def action_edge(self, side: int) -> None:
        """Move the cursor to the first row, or the last."""
        self.action_move(side * 1_000_000)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to where the mouse is; a second time there opens the row, the heading sorts."""
        if event.y == 0:
            column = self._column_at(event.x)
            if column is not None:
                self.post_message(self.Sorted(column))
            return
        row = round(self.scroll_offset.y) + event.y - 1
        if self._listing is None or row >= len(self._listing.keys):
            return
        again = row == self.cursor
        self.put(row)
        self.post_message(self.Opened() if again else self.Moved())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Let the wheel move the cursor: it is always in sight."""
        event.stop()
        self.action_move(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Let the wheel move the cursor."""
        event.stop()
        self.action_move(-_WHEEL)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.put(self.cursor)

    # ------------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        """Draw the headings, or a row."""
        room = self.size.width
        if self._listing is None:
            return Strip.blank(room, self.rich_style)
        row = round(self.scroll_offset.y) + y - 1
        listing = self._listing
        segments = self._headings(listing) if y == 0 else self._row(listing, row) if row < len(listing.keys) else []
        if not self._listing.keys and y == 1:
            segments = [Segment("  " + self._style.cut(_why_empty(self._listing), room - 2), look("dim"))]
        strip = Strip(segments).adjust_cell_length(room, look("reverse") if self._is_under_cursor(y, row) else None)
        return strip.apply_style(self.rich_style)

    def _is_under_cursor(self, y: int, row: int) -> bool:
        return y > 0 and row == self.cursor and self._listing is not None and bool(self._listing.keys)

    def _columns(self) -> list[tuple[int, int]]:
        if self._listing is None:
            return []
        return fit(self._listing.wanted.view.cells, self._wanted, self.size.width - GUTTER)

    def _headings(self, listing: Listing) -> list[Segment]:
        wanted, cells = listing.wanted, listing.wanted.view.cells
        sort = wanted.sort or wanted.view.order
        marks = ("▲", "▼") if self._style.unicode else ("^", "v")
        segments = [Segment(" " * GUTTER)]
        for place, (i, columns) in enumerate(self._columns()):
            sorts = bool(sort) and sort.removeprefix("-") == cells[i].name
            text = cells[i].heading + (marks[not sort.startswith("-")] if sorts else "")
            text = text.rjust(columns) if cells[i].right else text.ljust(columns)
            segments.append(Segment((" " * GAP if place else "") + text, look("bold")))
        return segments

    def _row(self, listing: Listing, row: int) -> list[Segment]:
        cells, texts, colors = listing.wanted.view.cells, listing.texts[row], listing.colors[row]
        here, marked = row == self.cursor, listing.keys[row] in self._marks
        base = look("reverse") if here else look("")
        segments = [Segment((">" if here else " ") + ("*" if marked else " "), base + look("bold"))]
        for place, (i, columns) in enumerate(self._columns()):
            text = self._style.cut(texts[i], columns)
            text = " " * (columns - width(text)) + text if cells[i].right else pad(text, columns)
            style = base + look(colors[i]) if not here else base
            segments.append(Segment((" " * GAP if place else "") + text, style + look("bold") if marked else style))
        return segments

    def _column_at(self, x: int) -> int | None:
        left = GUTTER
        for i, columns in self._columns():
            if left <= x < left + columns + GAP:
                return i
            left += columns + GAP
        return None


def _why_empty(listing: Listing) -> str:
    if listing.error:
        return listing.error.partition("\n")[0]
    return "nothing matches the filter" if listing.wanted.where else listing.wanted.view.empty
