"""Measuring in turn: every round runs all variants back to back, and ratios are taken within a round."""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


class Spread(NamedTuple):
    """The values of one figure, one per round."""

    values: tuple[float, ...]

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)


def spread(values: Sequence[float]) -> Spread:
    return Spread(tuple(values))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Divide round by round."""
    return Spread(tuple(one / other for one, other in zip(over, under, strict=True)))


def rounds_of(count: int) -> str:
    return f"{count} round{'s' * (count > 1)}"


def in_turn(rounds: int, variants: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Run every variant once per round; each round begins with another one, so that none has a place of its own."""
    results: dict[str, list[T]] = {name: [] for name in variants}
    names = list(variants)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            _tell(f"round {number + 1} of {rounds}: {name}")
            results[name].append(variants[name]())
    _tell("")
    return results


def _tell(what: str) -> None:
    """Show on a terminal what is being measured."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}")
        sys.stderr.flush()
