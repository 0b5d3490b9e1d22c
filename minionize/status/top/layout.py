"""How wide columns are, and which are left out where a terminal is narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.status.safe import cut, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.status.top.cells import Cell

#: Columns between two columns, the widest that does not grow, the least and the most that the growing one gets.
GAP, WIDEST, LEAST, LONGEST = 2, 24, 16, 500
_NOTHING = ("", "-")


def natural(cells: Sequence[Cell], texts: Sequence[Sequence[str]], sort: str) -> list[int]:
    """Measure what each column would like to have: the sorted one a place for its mark, one that says nothing none."""
    widths = []
    for i, cell in enumerate(cells):
        if cell.spare and texts and all(row[i] in _NOTHING for row in texts):
            widths.append(0)
            continue
        heading = width(cell.heading) + (cell.name == sort.removeprefix("-"))
        widest = LONGEST if cell.grows else WIDEST
        widths.append(max([heading, *(width(cut(row[i], widest)) for row in texts)]))
    return widths


def fit(cells: Sequence[Cell], wanted: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Choose the columns that fit: their numbers, and how wide each is."""
    kept = [i for i in range(len(cells)) if wanted[i]]

    def needed() -> int:
        least = [min(wanted[i], LEAST) if cells[i].grows else wanted[i] for i in kept]
        return sum(least) + GAP * (len(kept) - 1)

    while needed() > room and any(cells[i].spare for i in kept):
        kept.remove(max(kept, key=lambda i: cells[i].spare))
    others = sum(wanted[i] for i in kept if not cells[i].grows) + GAP * (len(kept) - 1)
    return [(i, min(wanted[i], max(4, room - others)) if cells[i].grows else wanted[i]) for i in kept]
