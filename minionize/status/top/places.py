"""Where one is: the tab, the group behind it, and what each of them remembers: filter, order, marks, row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.status.top.listing import Wanted
from minionize.status.top.views import FAILED, FAILURES, TABS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from minionize.status.failures import Cause
    from minionize.status.top.views import View


class Place:
    """What a view remembers. ``row`` is None where the cursor stays at the end where new rows come in."""

    __slots__ = ("marks", "row", "sort", "where")

    def __init__(self) -> None:
        """Begin with everything, in the view's own order."""
        self.where = self.sort = ""
        self.row: Hashable = None
        self.marks: set[Hashable] = set()


class Places:
    """The views, and the one that is shown."""

    def __init__(self) -> None:
        """Begin at the first tab."""
        self.view: View = TABS[0]
        self.cause: Cause | None = None
        self._places = {view.name: Place() for view in (*TABS, FAILED)}

    @property
    def here(self) -> Place:
        """What the view that is shown remembers."""
        return self._places[self.view.name]

    @property
    def tab(self) -> View:
        """The tab that is shown, or whose row is."""
        return FAILURES if self.view is FAILED else self.view

    @property
    def wanted(self) -> Wanted:
        """What is to be listed."""
        return Wanted(self.view, self.cause if self.view is FAILED else None, self.here.where, self.here.sort)

    def go(self, view: View) -> None:
        """Show a tab; the failures as they were left, with a group open or not."""
        again = view is self.tab
        self.view = FAILED if view is FAILURES and self.cause and not again else view
        if self.view is not FAILED and again:
            self.cause = None

    def enter(self, cause: Cause) -> None:
        """Show the tasks of a group, those that the filter of the groups lets through."""
        where = self.here.where
        self.view, self.cause = FAILED, cause
        self._places[FAILED.name] = Place()
        self.here.where = where

    def back(self) -> bool:
        """Take the last step back: out of a group, marks off, filter off; False where there is none."""
        if self.view is FAILED:
            self.view, self.cause = FAILURES, None
        elif self.here.marks:
            self.here.marks.clear()
        elif self.here.where:
            self.here.where = ""
        else:
            return False
        return True
