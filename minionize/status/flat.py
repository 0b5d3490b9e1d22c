"""JSON objects as columns: ``{"a": {"b": 1}}`` is 1 in the column ``param.a.b``; what is no object is in ``param`` itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minionize.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minionize.status.where import Where

#: Objects within objects are taken apart so deep; what is deeper stays whole.
DEEPEST = 8
#: A column of JSON values with more different fields than this stays whole: each param may have names of its own.
MOST = 1000


def leaves(name: str, value: Any, deep: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """Yield the columns that a value fills, with what is in them; an empty object is one value."""
    if isinstance(value, dict) and value and deep:
        for field, within in value.items():
            yield from leaves(f"{name}.{field}", within, deep - 1)
    else:
        yield name, value


class Fields:
    """The columns that the values of some JSON columns fill, in the order in which they were first seen."""

    def __init__(self, columns: Iterable[str]) -> None:
        """Name the JSON columns."""
        self._names: dict[str, dict[str, None]] = {column: {} for column in columns}
        #: Those with so many fields that they stay whole.
        self.whole: set[str] = set()

    def add(self, column: str, value: Any) -> None:
        """Look at one value."""
        if value is None or column in self.whole:
            return
        names = self._names[column]
        for name, _ in leaves(column, value):
            names[name] = None
        if len(names) > MOST:
            self.whole.add(column)
            self._names[column] = {column: None}

    def of(self, column: str) -> list[str]:
        """List the columns; the one itself where nothing was ever in it."""
        return list(self._names[column]) or [column]

    def cells(self, column: str, value: Any) -> dict[str, Any]:
        """Spread a value over these columns."""
        return {column: value} if column in self.whole else dict(leaves(column, value))

    def check(self, where: Where) -> None:
        """Raise UsageError where a filter asks for a field that no row has."""
        for asked in sorted(where.fields):
            column = asked.partition(".")[0]
            names = self.of(column)
            if column in self.whole or any(name == asked or name.startswith(asked + ".") for name in names):
                continue
            listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            raise UsageError(f"no {column} has the field {asked.partition('.')[2]!r}\n  Columns: {listed}")
