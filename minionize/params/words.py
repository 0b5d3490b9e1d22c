"""Params as they are typed: words, ranges and products of named values.

``a b c``                     three params
``Dam001/Period01..16``       sixteen strings, padded as the low bound is
``0..10..2``                  the numbers 0, 2, 4, 6, 8, 10
``seed=1..3 alpha=0.1,0.5``   six objects, the last name varying fastest

A range is ``LOW..HIGH`` or ``LOW..HIGH..STEP``, in plain decimals, and counts down where HIGH is below LOW. It gives
numbers unless it is padded (``001..010``) or has text around it (``run1..3``, ``1..3.dat``); then it gives strings.
Text after it must not begin with a letter or a digit. A word may hold several ranges: their product. What only looks
a little like a range (``../data/x``, ``v1.2.3..v1.2.9``, ``2024-01..2024-12``) is a word like any other.

Values are separated by commas, except inside JSON (``[1,2]``, ``{"a":1}``, ``"a,b"``); a word without a name is one
value, commas and all. Nothing is expanded before it is asked for: a product of a billion params costs no memory.
"""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from minionize.errors import UsageError
from minionize.params.jsontext import encode, from_word, hint, scan, shorten
from minionize.params.template import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMED = re.compile(rf"({NAME})=(.*)", re.DOTALL)
#: No ``(...)?+``: Python before 3.11.5 steps over what such a group had only begun to match (its issue gh-106052).
_PLAIN = r"[0-9]{1,99}+(?:\.[0-9]{1,99}+)?"
_RANGE = re.compile(
    # A minus before the low bound is its sign at the start of a word, and a hyphen elsewhere: run-1..3.
    rf"(?<![0-9.])(?<![0-9][eE])(?<![0-9][eE][-+])(?P<low>(?:(?<![^\s=])-)?{_PLAIN})"
    rf"\.\.(?P<high>-?{_PLAIN})(?:\.\.(?P<step>-?{_PLAIN}))?"
    r"(?![0-9A-Za-z]|\.\.|[-.:+][0-9])"
)
_EXPONENTS = re.compile(
    r"(?=.*[0-9][eE])-?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?(?:\.\.-?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?){1,2}"
)


def expand(words: Sequence[str]) -> Iterator[str]:
    """Read words as params and give their JSON texts one by one; raises UsageError at once where a word is wrong."""
    axes = _axes(words)
    if axes is not None:
        return _objects(axes, 0, "{")
    return (text for word in words for text in _item(word).texts())


def count(words: Sequence[str]) -> int:
    """Say how many params these words are, without expanding them; raises UsageError."""
    axes = _axes(words)
    if axes is not None:
        return prod(sum(item.size() for item in items) for _, items in axes)
    return sum(_item(word).size() for word in words)


class _Range(NamedTuple):
    """Decimals as whole numbers of the last digit: ``first``, ``first + step``, ... ``steps`` times more.

    ``scale`` is how many digits stand after the point, ``kept`` how many of them even if zero, ``width`` is the
    width to pad to (0: none).
    """

    first: int
    step: int
    steps: int
    scale: int
    kept: int
    width: int

    def words(self) -> Iterator[str]:
        """Write each number."""
        for index in range(self.steps + 1):
            yield self._write(self.first + index * self.step)

    def _write(self, units: int) -> str:
        if not self.scale:
            return str(units).zfill(self.width)
        digits = str(abs(units)).zfill(self.scale + 1)
        whole, decimals = digits[: -self.scale], digits[-self.scale :]
        decimals = decimals[: self.kept] + decimals[self.kept :].rstrip("0")
        return (("-" if units < 0 else "") + whole + ("." + decimals if decimals else "")).zfill(self.width)


class _One(NamedTuple):
    """A single value."""

    text: str

    def size(self) -> int:
        return 1

    def texts(self) -> Iterator[str]:
        yield self.text


class _Pattern(NamedTuple):
    """A word with ranges in it: ``literals`` stand before, between and after the ``ranges``."""

    literals: tuple[str, ...]
    ranges: tuple[_Range, ...]

    def size(self) -> int:
        return prod(each.steps + 1 for each in self.ranges)

    def texts(self) -> Iterator[str]:
        if self.literals == ("", "") and not self.ranges[0].width:
            return self.ranges[0].words()
        return (encode(word) for word in self._words(0, self.literals[0]))

    def _words(self, index: int, head: str) -> Iterator[str]:
        if index == len(self.ranges):
            yield head
            return
        tail = self.literals[index + 1]
        for number in self.ranges[index].words():
            yield from self._words(index + 1, head + number + tail)


_Item = _One | _Pattern
_Axes = list[tuple[str, list[_Item]]]


def _axes(words: Sequence[str]) -> _Axes | None:
    """Read the words as named values; None where they are plain, whose ranges are checked then."""
    named = [_NAMED.fullmatch(word) for word in words]
    axes: dict[str, list[_Item]] = {}
    for word, match in zip(words, named, strict=True):
        if match is None:
            if any(named):
                raise _mixed(next(match[0] for match in named if match), word)
            _item(word)
            continue
        name, values = match.groups()
        if name in axes:
            raise UsageError(f"{name} is given twice\nGive all its values at once: {name}=1,2")
        axes[name] = list(_split(name, values))
    return list(axes.items()) if axes else None


def _mixed(named: str, plain: str) -> UsageError:
    named, plain = shorten(named), shorten(plain)
    return UsageError(
        f"{plain} has no name while {named} has one\n"
        f"Name every value to put their product: param={plain} {named}\n"
        f"or put {named} as a string by writing it as JSON: '{encode(named)}'"
    )


def _objects(axes: _Axes, index: int, head: str) -> Iterator[str]:
    name, items = axes[index]
    head += f"{encode(name)}:"
    last = index == len(axes) - 1
    for item in items:
        for text in item.texts():
            if last:
                yield f"{head}{text}}}"
            else:
                yield from _objects(axes, index + 1, f"{head}{text},")


def _split(name: str, values: str) -> Iterator[_Item]:
    """Split at commas, but not inside JSON."""
    start = 0
    while True:
        if values[start : start + 1] in ("{", "[", '"'):
            text, end = _scan(values, start)
            yield _One(text)
            if values[end : end + 1] not in ("", ","):
                raise UsageError(f"{name}: a comma was expected after {shorten(text)}, not {shorten(values[end:])}")
        else:
            end = values.find(",", start)
            end = len(values) if end < 0 else end
            yield _item(values[start:end])
        if end == len(values):
            return
        start = end + 1


def _scan(values: str, start: int) -> tuple[str, int]:
    try:
        return scan(values, start)
    except UsageError as error:
        raise type(error)(f"{error}\n{hint(values[start:])}") from error


def _item(word: str) -> _Item:
    matches = [] if word[:1] in ("{", "[", '"') or ".." not in word else list(_RANGE.finditer(word))
    if not matches:
        if _EXPONENTS.fullmatch(word):
            raise UsageError(f"{word}: a range has plain decimals and equal steps\nWrite the values: 1e-4,1e-3,1e-2")
        return _One(from_word(word))
    ends = [0, *(end for match in matches for end in match.span()), len(word)]
    literals = tuple(word[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True))
    return _Pattern(literals, tuple(_range(match) for match in matches))


def _range(match: re.Match[str]) -> _Range:
    low, high, step = match["low"], match["high"], match["step"]
    if _padded(high) and not _padded(low) and len(high) != len(low):
        raise UsageError(f"{match[0]}: padded at its end only\nPad the low bound: {low.zfill(len(high))}..{high}")
    scale = max(map(_decimals, (low, high, step or "0")))
    first, last = _units(low, scale), _units(high, scale)
    down = last < first
    by = _units(step, scale) if step else (-1 if down else 1) * 10**scale
    if by == 0:
        raise UsageError(f"{match[0]}: a range with step 0 has no end")
    if last != first and (by < 0) != down:
        right = step[1:] if by < 0 else f"-{step}"
        raise UsageError(f"{match[0]}: its step leads away from {high}\nWrite {low}..{high}..{right}")
    steps = (last - first) // by
    if not step and not steps and last != first:
        raise UsageError(f"{match[0]}: the step is 1 unless given\nWrite it: {match[0]}..{'-' if down else ''}0.1")
    return _Range(first, by, steps, scale, _decimals(low), len(low) if _padded(low) else 0)


def _padded(number: str) -> bool:
    number = number.removeprefix("-")
    return number[0] == "0" and number[1:2] not in ("", ".")


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])


def _units(number: str, scale: int) -> int:
    whole, _, decimals = number.partition(".")
    return int(whole + decimals.ljust(scale, "0"))
