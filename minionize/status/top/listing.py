"""The rows of a view at one moment: filtered, sorted, cut, and written as texts."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.errors import UsageError
from minionize.status import where
from minionize.status.failed import regrouped
from minionize.status.rows import arranged, chosen
from minionize.status.top.cells import Moment
from minionize.status.top.views import FAILURES, LOOKED_AT, failed_tasks

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from minionize.status.failures import Cause
    from minionize.status.style import Style
    from minionize.status.top.snapshot import Snapshot
    from minionize.status.top.views import View

#: Rows of a table on the screen, at most: more are found by a filter.
LONGEST = 500


class Wanted(NamedTuple):
    """What is to be listed: a view, of which group of failures, which rows, in which order (``-`` before it reverses)."""

    view: View
    cause: Cause | None = None
    where: str = ""
    sort: str = ""


class Listing(NamedTuple):
    """Rows as they are shown. ``items`` are what they stand for, ``total`` how many there are without the cut.

    ``partly``: not everything was looked at. ``error``: why nothing could be listed.
    """

    wanted: Wanted
    keys: tuple[Hashable, ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()
    colors: tuple[tuple[str, ...], ...] = ()
    items: tuple[Any, ...] = ()
    total: int = 0
    partly: bool = False
    error: str = ""

    def find(self, key: Hashable) -> int | None:
        """Find a row by its key, the one that a view begins with for None; None where there is none such."""
        if key in self.keys:
            return self.keys.index(key)
        if key is not None or not self.keys:
            return None
        return len(self.keys) - 1 if self.wanted.view.tail else 0


def listed(shot: Snapshot, wanted: Wanted, style: Style) -> Listing:
    """List a view; a filter that cannot be applied is the listing's error."""
    view, table = wanted.view, wanted.view.table(shot)
    try:
        found = _filtered(shot, wanted) if wanted.where else view.items(shot, wanted.cause, _enough(wanted))
        items = arranged(table, list(found), wanted.sort or view.order) if wanted.sort or view.order else list(found)
    except UsageError as error:
        return Listing(wanted, error=str(error))
    total = len(items) if wanted.where else view.total(shot, wanted.cause)
    partly = bool(wanted.where) and view.looked_through(shot, wanted.cause) > LOOKED_AT
    items = items[-LONGEST:] if view.tail else items[:LONGEST]
    moment, texts, colors = Moment(shot.now, style), [], []
    for item in items:
        value = table.of(item)
        values = [value(cell.name) for cell in view.cells]
        texts.append(tuple(cell.text(v, moment) for cell, v in zip(view.cells, values, strict=True)))
        colors.append(tuple(cell.color(v) for cell, v in zip(view.cells, values, strict=True)))
    keys = tuple(view.key(item) for item in items)
    return Listing(wanted, keys, tuple(texts), tuple(colors), tuple(items), total, partly)


def _enough(wanted: Wanted) -> int:
    """Say how many rows to look at: in a view's own order the first are all that is shown."""
    return LONGEST if wanted.sort in ("", wanted.view.order) else LOOKED_AT


def _filtered(shot: Snapshot, wanted: Wanted) -> Iterable[Any]:
    view = wanted.view
    condition = where.parse([wanted.where], view.filtered(shot).filter, shot.status.run.now)
    if view is FAILURES:
        return regrouped(chosen(view.filtered(shot), failed_tasks(shot), condition))
    return chosen(view.filtered(shot), islice(view.items(shot, wanted.cause, LOOKED_AT), LOOKED_AT), condition)
