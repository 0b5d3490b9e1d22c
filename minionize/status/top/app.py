"""The program: what it shows, and what its keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from minionize.errors import NoQueue, UsageError
from minionize.status.top.dialogs import Help, SortBy
from minionize.status.top.face import Face
from minionize.status.top.hands import Errand, Hands
from minionize.status.top.keys import KEYS, PACES, SPANS
from minionize.status.top.looker import Scene, Wish
from minionize.status.top.verbs import VERBS
from minionize.status.top.views import FAILURES, TABS
from minionize.status.where import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.widgets import Input

    from minionize.status.style import Style
    from minionize.status.top.clerk import Clerk
    from minionize.status.top.grid import Grid
    from minionize.status.top.looker import Looker
    from minionize.status.top.prompt import Asked

#: Seconds between two drawings of the clock.
PULSE = 1.0


class NothingThere(Exception):
    """Neither a queue nor events, at the first look."""


class Seen(Message):
    """A scene has come, or what went wrong where it is made."""

    def __init__(self, scene: Scene | Exception) -> None:
        """Carry it."""
        super().__init__()
        self.scene = scene


class Acted(Message):
    """The engine has done something, or has not."""

    def __init__(self, errand: Errand, outcome: str | Exception) -> None:
        """Carry what came of it."""
        super().__init__()
        self.errand, self.outcome = errand, outcome


class Top(Face):
    """The dashboard. It returns an exception where it could not go on.

    ``readonly`` says why nothing may be changed, empty where it may; ``pace`` is the seconds between two looks, 0 where
    somebody else decides when to look.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.keys, key.action, key.help, show=False) for key in KEYS if key.action),
        *(Binding(str(number), f"tab({number})", show=False) for number in range(1, len(TABS) + 1)),
        Binding("tab", "turn(1)", show=False, priority=True),
        Binding("shift+tab", "turn(-1)", show=False, priority=True),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
    ]

    def __init__(
        self,
        looker: Looker,
        clerk: Clerk,
        clock: Callable[[], float],
        style: Style,
        *,
        readonly: str = "",
        pace: float = 2.0,
    ) -> None:
        """Put it together; nothing is read before it runs."""
        super().__init__(clock, style, pace or 2.0)
        self.looker, self.clerk = looker, clerk
        self.readonly, self._ticks = readonly, pace > 0
        self._span, self._number, self._has_seen = len(SPANS) - 1, 0, False
        self._deferred: list[Callable[[], None]] = []
        self.hands = Hands(self)

    def on_mount(self) -> None:
        """Begin to look."""
        self.grid.focus()
        self.looker.start(lambda scene: self._post(Seen(scene)))
        self.look()
        if self._ticks:
            self.set_interval(PULSE, self.draw_head)

    def _handle_exception(self, error: Exception) -> None:
        """Leave with a fault of ours. Textual would print it with all variables, passwords among them."""
        self.exit(error)

    def on_unmount(self) -> None:
        """Leave, whatever others still wait for."""
        self.looker.close()
        self.clerk.close()

    def refused(self, key: str) -> str:
        """Say why a key can do nothing here and now."""
        return self.hands.refused(key)

    def on_resize(self) -> None:
        """Draw everything for the new size."""
        self.call_after_refresh(self.draw)

    def _post(self, message: Message) -> None:
        if self.is_running:
            self.post_message(message)

    # ------------------------------------------------------------------ looking

    def look(self) -> None:
        """Ask for a scene of this moment."""
        self.looking = self.clock()
        self.looker.ask(self._wish(), look=True)

    def ask(self) -> None:
        """Ask for a scene of what is known: another list, another row."""
        self.looker.ask(self._wish())

    def _wish(self) -> Wish:
        return Wish(self.places.wanted, self.places.here.row, SPANS[self._span], self.frozen)

    def on_seen(self, message: Seen) -> None:
        """Show a scene, unless another was asked for since."""
        scene = message.scene
        if isinstance(scene, Exception):
            self.exit(scene)
            return
        if scene.number != self._number:
            self._number, self.looking = scene.number, None
            if self._is_nothing(scene):
                return
            if self._ticks:
                self.set_timer(self.pace, self.look)
        if scene.wish.wanted != self.places.wanted:
            self.scene = self.scene or scene
            return
        self.scene = scene
        here, listing = self.places.here, scene.listing
        here.marks &= set(listing.keys)
        found = listing.find(here.row)
        grid = self.grid
        grid.show(listing, grid.cursor if found is None else found, here.marks)
        if grid.key == scene.row:
            self.detail = scene.detail
            here.row = grid.key if self.shows("detail") else here.row
        elif grid.key is not None:
            here.row = grid.key  # the row that was here is gone: its neighbour takes its place
            self.ask()
        self.draw()
        while self._deferred and self.is_settled and len(self.screen_stack) == 1:
            self._deferred.pop(0)()

    @property
    def is_listed(self) -> bool:
        """Tell whether the rows on the screen are those of the view that is shown: another one may still be read."""
        return self.scene is not None and self.scene.wish.wanted == self.places.wanted

    @property
    def is_settled(self) -> bool:
        """Tell whether what is known is of the row under the cursor."""
        return self.is_listed and self.scene is not None and self.scene.row == self.grid.key

    def _when_settled(self, act: Callable[[], None]) -> None:
        """Do it now, or when what was asked for before is there: keys may be faster than the looker."""
        if self.is_settled and not self._deferred:
            act()
        else:
            self._deferred.append(act)

    def _is_nothing(self, scene: Scene) -> bool:
        """Leave where there is nothing to show at all, or nothing that could ever be."""
        answer = scene.shot.answer
        self._has_seen = self._has_seen or answer.books is not None or bool(scene.shot.minions)
        if answer.books is None and isinstance(answer.error, UsageError):
            self.exit(answer.error)
        elif isinstance(answer.error, NoQueue) and not self._has_seen:
            self.exit(NothingThere())
        else:
            return False
        return True

    # ------------------------------------------------------------------ moving about

    def on_grid_moved(self) -> None:
        """Remember the row, and ask for its detail. At the end where rows come in, the cursor stays there."""
        grid, here, view = self.grid, self.places.here, self.places.view
        rows = len(self.scene.listing.keys) if self.scene else 0
        at_end = grid.cursor == (rows - 1 if view.tail else 0)
        here.row = None if at_end and not self.shows("detail") else grid.key
        self.ask()

    def on_grid_opened(self) -> None:
        """Open the row that was clicked at."""
        self.action_open()

    def on_grid_sorted(self, message: Grid.Sorted) -> None:
        """Sort by the column that was clicked at."""
        self._sort(self.places.view.cells[message.column].name)

    def action_tab(self, number: int) -> None:
        """Show a tab."""
        self._deferred.clear()
        self._close_detail()
        self.places.go(TABS[number - 1])
        self._arrive()

    def action_turn(self, step: int) -> None:
        """Show the next tab, or the one before."""
        if len(self.screen_stack) == 1 and not self.prompt.asks:
            self.action_tab((TABS.index(self.places.tab) + step) % len(TABS) + 1)

    def _arrive(self) -> None:
        self.grid.cursor = 0
        self.ask()
        self.draw()

    def action_open(self) -> None:
        """Open a group of failures, the detail of a row, or all of it."""
        self._when_settled(self._open)

    def _open(self) -> None:
        if self.scene is None or self.grid.key is None:
            return
        if self.places.view is FAILURES:
            self.places.enter(self.scene.listing.items[self.grid.cursor].cause)
            self._arrive()
            self._open_detail()
        elif not self.shows("detail"):
            self._open_detail()
        else:
            self.main.add_class("all")
            self.main.query_one("#detail").focus()

    def _open_detail(self) -> None:
        self.main.add_class("detail")
        self.places.here.row = self.grid.key if self.is_listed else None
        self.main.query_one("#detail").scroll_home(animate=False)
        self.draw()

    def _close_detail(self) -> bool:
        was_open = self.shows("detail")
        self.main.remove_class("all", "detail")
        self.grid.focus()
        return was_open

    def action_leave(self) -> None:
        """Take the last step back."""
        self._deferred.clear()
        if self.prompt.asks:
            self._close_prompt()
        elif self.shows("all"):
            self.main.remove_class("all")
            self.grid.focus()
        elif not self._close_detail() and self.places.back():
            self._arrive()

    # ------------------------------------------------------------------ what is listed

    def action_sort(self) -> None:
        """Ask for a column to sort by."""
        view, here = self.places.view, self.places.here
        cells = [cell for cell in view.cells if cell.heading]
        self.push_screen(SortBy(cells, here.sort or view.order), lambda name: self._sort(name) if name else None)

    def _sort(self, name: str) -> None:
        here = self.places.here
        here.sort = f"-{name}" if here.sort == name or (not here.sort and self.places.view.order == name) else name
        self._arrive()

    def action_reverse(self) -> None:
        """Reverse the order."""
        here = self.places.here
        sort = here.sort or self.places.view.order or self.places.view.cells[0].name
        here.sort = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
        self._arrive()

    def action_mark(self) -> None:
        """Mark the row, or take its mark off, and go to the next."""
        key = self.grid.key
        if key is not None and self.is_listed:
            self.places.here.marks ^= {key}
            self.grid.action_move(1)

    def action_freeze(self) -> None:
        """Freeze what is shown, or show what has come since."""
        self.frozen = not self.frozen
        self.ask() if self.frozen else self.look()
        self.draw()

    def action_pace(self, step: int) -> None:
        """Look more often, or less."""
        others = [pace for pace in PACES if (pace > self.pace if step > 0 else pace < self.pace)]
        self.pace = (others[0] if step > 0 else others[-1]) if others else self.pace
        self.draw()

    def action_span(self, step: int) -> None:
        """Change the time that the charts show."""
        self._span = (self._span + step) % len(SPANS)
        self.ask()

    # ------------------------------------------------------------------ the line that is typed into

    def action_filter(self) -> None:
        """Ask for a filter."""
        self._prompt("filter", self.places.here.where)

    def action_export(self) -> None:
        """Ask for a file."""
        self._prompt("export", f"{self.places.view.name}.csv")

    def _prompt(self, what: Asked, text: str) -> None:
        def open() -> None:
            self.prompt.open(what, text)
            self.draw()

        self._when_settled(open)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Take what was typed; what is wrong with it is shown, and it stays."""
        text, self._message = message.value.strip(), ("", "")
        if self.prompt.asks == "export":
            if not text or self.hands.export(text):
                self._close_prompt()
        elif self.scene is not None:
            self._filter(text, self.scene)

    def _filter(self, text: str, scene: Scene) -> None:
        view, here = self.places.view, self.places.here
        try:
            parse([text], view.filtered(scene.shot).filter, self.clock())
        except UsageError as error:
            self.say(str(error).replace("\n", " "), "red")
            return
        here.where, here.row = text, None
        self._close_prompt()
        self._arrive()

    def _close_prompt(self) -> None:
        self.prompt.close()
        self.grid.focus()
        self.draw()

    # ------------------------------------------------------------------ what is done elsewhere

    def action_help(self) -> None:
        """Show the keys, and why some do nothing now."""
        refused = [(verb.key, self.hands.refused(verb.key)) for verb in VERBS]
        self.push_screen(Help([(key, why) for key, why in refused if why]))

    def action_verb(self, key: str) -> None:
        """Do something to the queue, after a question."""
        self._when_settled(lambda: self.hands.verb(key, lambda errand, outcome: self._post(Acted(errand, outcome))))

    def on_acted(self, message: Acted) -> None:
        """Show what came of it."""
        self.hands.acted(message.errand, message.outcome)

    def action_pager(self) -> None:
        """Show stderr in $PAGER."""
        self._when_settled(self.hands.page)

    def action_copy(self, what: str) -> None:
        """Copy the command, or the param."""
        self._when_settled(lambda: self.hands.copy(what))
