"""Which values of the params fail, and which are slow: executions counted by each field that takes few values.

Params are not in the ledger: every event is read once more, which takes as long as the first time.
"""

from __future__ import annotations

from array import array
from json import JSONDecoder
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.masks import is_secret
from minionize.status.statistics import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: A field of more values says nothing in a table; and so many fields are looked at.
MOST_VALUES, MOST_FIELDS = 50, 200
#: The name that stands for a param that is no object.
WHOLE = "param"
_LONGEST = 120


class Value(NamedTuple):
    """A value of a field as it was typed: executions, how many of them failed, the median duration of those done."""

    text: str
    n: int
    failed: int
    p50: float | None

    @property
    def fail_rate(self) -> float:
        """Failed executions / all of them."""
        return self.failed / self.n


class Field(NamedTuple):
    """A field and its values in order: numbers by size, words by letter."""

    name: str
    values: tuple[Value, ...]

    @property
    def tells(self) -> float:
        """Say how much of the variance of failures the field explains, from 0 to 1: the adjusted R squared.

        Adjusted (Ezekiel, 1930), or a field of many values would explain much by chance alone.
        """
        n, failed, k = sum(v.n for v in self.values), sum(v.failed for v in self.values), len(self.values)
        mean = failed / n
        if not 0 < mean < 1 or n <= k:
            return 0.0
        explained = sum(v.n * (v.fail_rate - mean) ** 2 for v in self.values) / (n * mean * (1 - mean))
        return max(0.0, 1 - (1 - explained) * (n - 1) / (n - k))


class Typed(str):
    """A number as it was typed."""

    __slots__ = ()


_decoder = JSONDecoder(parse_float=Typed, parse_int=Typed, parse_constant=Typed)


def decode(line: bytes) -> Any:
    """Read JSON; numbers need not be understood here, only told apart. Raises ValueError."""
    return _decoder.decode(line.decode("utf-8", "surrogatepass"))


class _Count:
    __slots__ = ("failed", "took")

    def __init__(self) -> None:
        self.failed, self.took = 0, array("f")


class Fields:
    """Counts executions by the fields of their params."""

    def __init__(self) -> None:
        """Start with none."""
        self._fields: dict[str, dict[str, _Count] | None] = {}  # None: it takes too many values
        self._are_numbers: dict[str, bool] = {}

    def add(self, param: Any, took: float, *, done: bool) -> None:
        """Count an execution."""
        for name, value in _scalars(param):
            counts = self._fields.get(name)
            if counts is None:
                if name in self._fields or len(self._fields) >= MOST_FIELDS:
                    continue
                counts = self._fields[name] = {}
            key = _text(value)
            count = counts.get(key)
            if count is None:
                if len(counts) == MOST_VALUES:
                    self._fields[name] = None
                    continue
                count = counts[key] = _Count()
                is_number = isinstance(value, Typed) and len(value) <= _LONGEST
                self._are_numbers[name] = self._are_numbers.get(name, True) and is_number
            if done:
                count.took.append(took)
            else:
                count.failed += 1

    def found(self) -> list[Field]:
        """List the fields with 2 to MOST_VALUES values, those that tell most about failures first.

        One of which every value ran once is a name, not a setting.
        """
        few = {name: counts for name, counts in self._fields.items() if counts and len(counts) > 1}
        fields = [self._field(name, counts) for name, counts in few.items()]
        fields = [field for field in fields if any(value.n > 1 for value in field.values)]
        return sorted(fields, key=lambda field: (-round(field.tells, 6), field.name))

    def _field(self, name: str, counts: dict[str, _Count]) -> Field:
        order: Any = float if self._are_numbers[name] else None
        return Field(name, tuple(_value(text, counts[text]) for text in sorted(counts, key=order)))


def _value(text: str, count: _Count) -> Value:
    p50 = Sample(count.took).percentile(0.5) if count.took else None
    return Value(text, count.failed + len(count.took), count.failed, p50)


def _scalars(param: Any) -> Iterable[tuple[str, Any]]:
    """Yield the fields of a param that are no lists, those of objects in it as ``outer.inner``."""
    if not isinstance(param, dict):
        return () if isinstance(param, list) else ((WHOLE, param),)
    return _inner("", param, 4)


def _inner(prefix: str, fields: dict[str, Any], deep: int) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            if deep:
                yield from _inner(f"{prefix}{name}.", value, deep - 1)
        elif not isinstance(value, list) and not is_secret(name):
            yield prefix + name, value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:_LONGEST]
    return "null" if value is None else "true" if value is True else "false"
