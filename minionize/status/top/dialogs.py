"""What stands over the screen for a moment: a question, the help, the columns to sort by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from minionize.status.top.bars import Bar, Word
from minionize.status.top.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from minionize.status.style import Style
    from minionize.status.top.cells import Cell
    from minionize.status.top.verbs import Plan


class _Dialog(ModalScreen[Any]):
    """A box in the middle: lines, and words to click at."""

    DEFAULT_CSS = """
    _Dialog { align: center middle; background: transparent; }
    _Dialog > VerticalScroll { width: 76; max-width: 100%; height: auto; max-height: 100%; background: ansi_default; border: round ansi_bright_black; padding: 0 1; }
    _Dialog VerticalScroll Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True),
    ]

    def lines(self) -> Sequence[Text]:
        """Return what stands in the box."""
        raise NotImplementedError

    def words(self) -> Sequence[Word]:
        """Return what can be clicked at."""
        return (Word("Esc", " back", action="screen.leave"),)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll():
            yield Static(Text("\n").join(self.lines()))
            yield Bar("words")

    def on_mount(self) -> None:
        """Show the words."""
        self.query_one("#words", Bar).show(self.words())

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)


class Question(_Dialog):
    """Asks before something is changed; only ``y`` is yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "yes", show=False), Binding("n", "leave", show=False)]

    def __init__(self, plan: Plan, style: Style) -> None:
        """Ask about a plan."""
        super().__init__()
        self._plan, self._style = plan, style

    def lines(self) -> list[Text]:
        """Show the question, what else is to be known, and the command that does the same."""
        plan, style = self._plan, self._style._replace(columns=1000)
        shown = [style.line((plan.question, "bold")), *(style.line(f"  {text}") for text in plan.remarks)]
        shown += ["", style.line(("  the same as  ", "dim"), plan.command), ""]
        return [Text.from_ansi(line) for line in shown]

    def words(self) -> list[Word]:
        """Yes, and no."""
        return [
            Word(" y ", "yes  ", "reverse bold", action="screen.yes"),
            Word(" n ", "no", "reverse bold", action="screen.leave"),
        ]

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)


class SortBy(_Dialog):
    """The columns of a view, each with a letter."""

    def __init__(self, cells: Sequence[Cell], sort: str) -> None:
        """Offer the columns that have a heading; ``sort`` is the one of now."""
        super().__init__()
        self._sort = sort.removeprefix("-")
        self._letters = letters([cell.heading for cell in cells])
        self._cells = cells

    def lines(self) -> list[Text]:
        """List them."""
        rows = [Text("sort by", "bold")]
        for letter, cell in zip(self._letters, self._cells, strict=True):
            now = "  (now; S reverses)" if cell.name == self._sort else ""
            rows.append(Text.assemble("  ", (letter, "bold"), f"  {cell.heading}", (now, "dim")))
        return [*rows, Text("")]

    def on_key(self, event: events.Key) -> None:
        """Choose the column of a letter."""
        if event.character and event.character.lower() in self._letters:
            event.stop()
            self.dismiss(self._cells[self._letters.index(event.character.lower())].name)


def letters(headings: Sequence[str]) -> list[str]:
    """Give each heading a letter of its own, one that is in it where that is possible; never ``q``, which leaves."""
    taken: list[str] = []
    for heading in headings:
        of_heading = [c for c in heading.lower() if c.isalnum() or c == "#"]
        rest = [c for c in "abcdefghijklmnoprstuvwxyz" if c not in taken]
        taken.append(next((c for c in [*of_heading, *rest] if c not in taken and c != "q"), "?"))
    return taken


class Help(_Dialog):
    """The keys."""

    def __init__(self, notes: Sequence[tuple[str, str]]) -> None:
        """Add notes of this moment: keys that do nothing now, and why."""
        super().__init__()
        self._notes = notes

    def lines(self) -> list[Text]:
        """List the keys."""
        rows = []
        rows += [Text.assemble((f"{key.label:>8}  ", "bold"), key.help) for key in KEYS if key.label]
        rows += [Text("")] * bool(self._notes) + [
            Text.assemble((f"{key:>8}  ", "bold"), (why, "yellow")) for key, why in self._notes
        ]
        return rows
