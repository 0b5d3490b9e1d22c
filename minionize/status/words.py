"""Numbers, times and params as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from minionize.masks import MASK, is_secret, mask

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOO_DEEP = "(objects within objects, too many to show)"


class Typed(float):
    """A number that keeps the digits its user typed: ``0.10``, ``1e-5``."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Self:
        """Read the number, keep the text."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def as_typed(text: str | bytes) -> Any:
    """Read JSON whose numbers are shown as they were typed; raises ValueError."""
    return _decode(text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text)


#: Made once: json.loads would make another one for each text.
_decode = json.JSONDecoder(parse_float=Typed).decode


def masked(value: Any) -> Any:
    """Hide what is secret in a JSON value: passwords in URLs, fields whose name says that they are."""
    try:
        return _masked(value)
    except RecursionError:
        return _TOO_DEEP


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {
            name: MASK if is_secret(name) and field is not None else _masked(field) for name, field in value.items()
        }
    return [_masked(item) for item in value] if isinstance(value, list) else value


def masked_command(argv: Sequence[str]) -> list[str]:
    """Hide in a command line what options and variables for secrets are given, and passwords in URLs."""
    shown = []
    for before, word in zip(["", *argv], argv, strict=False):
        name, equals, _ = word.partition("=")
        if equals and is_secret(name.lstrip("-")):
            shown.append(f"{name}={MASK}")
        elif before.startswith("-") and is_secret(before.lstrip("-")) and not word.startswith("-"):
            shown.append(MASK)
        else:
            shown.append(mask(word))
    return shown


def param_words(param: Any) -> str:
    """Write a param on one line: ``seed=4711 alpha=0.10`` for an object, a string as it is, else its JSON text.

    What is secret in it is masked.
    """
    param = masked(param)
    if isinstance(param, str):
        return param
    try:
        words = " ".join(f"{n}={_word(v)}" for n, v in param.items()) if isinstance(param, dict) else _word(param)
    except RecursionError:
        return _TOO_DEEP
    return mask(words)


def json_text(value: Any) -> str:
    """Write a JSON value as JSON, numbers as they were typed."""
    try:
        return _nested(value)
    except RecursionError:
        return _TOO_DEEP


def iso(t: float | None) -> str | None:
    """Write a time as ISO 8601 in UTC, to the millisecond; None where it is unknown, or beyond any calendar."""
    if t is None:
        return None
    try:
        return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def param_value(text: str) -> Any:
    """Read a param that is given as JSON text; what is no JSON is taken as it is."""
    try:
        return as_typed(text)
    except (ValueError, RecursionError):
        return text


def _word(value: Any) -> str:
    if isinstance(value, Typed):
        return value.text
    if isinstance(value, str):
        return value if value and not set(value) & set(" \t\n\"'=") else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_nested(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_nested(v) for v in value) + "]"
    return json.dumps(value)


def _nested(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _word(value)


def took(seconds: float) -> str:
    """Write a duration in six columns: ``4ms``, ``55.2s``, ``1m39``, ``3h04``, ``2d01h``."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    return _two_units(round(seconds))


def age(seconds: float) -> str:
    """Write how long ago something was, without tenths: ``8s``, ``12m``, ``1h44``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m" if whole < 3600 else _two_units(whole)


def _two_units(whole: int) -> str:
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h" if whole < 10 * 86400 else f"{whole // 86400}d"


def elapsed(seconds: float) -> str:
    """Write the length of a run: ``8.5s``, ``12:03``, ``1:45:03``, ``49:00:12``."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def about(seconds: float) -> str:
    """Write an estimate in at most two units: ``~48 minutes``, ``~3 hours and 20 minutes``."""
    from humanize import precisedelta

    # Rounded first, or 59.6 minutes would be "60 minutes".
    unit, size = next(row for row in _ROUNDING if seconds < row[2])[:2]
    rounded = max(1, round(seconds / size)) * size
    return "~" + precisedelta(rounded, minimum_unit=unit, suppress=["months", "years"], format="%.0f")


_ROUNDING = (("seconds", 1, 59.5), ("minutes", 60, 86370.0), ("hours", 3600, float("inf")))


def rate(per_second: float) -> tuple[float, str]:
    """Pick the unit in which a rate is at least 1 (per day at the longest): the factor, and ``/s``, ``/min``, ``/h``, ``/d``."""
    for factor, unit in ((1.0, "/s"), (60.0, "/min"), (3600.0, "/h")):
        if per_second * factor >= 0.995:  # shown as 1.00
            return factor, unit
    return 86400.0, "/d"


def percent(share: float) -> str:
    """Write a share with one decimal; what is not all is never shown as 100.0%, what is not none never as 0.0%."""
    value = share * 100
    if 0 < value < 0.05:
        return "<0.1%"
    return "99.9%" if 99.9 <= value < 100 else f"{value:.1f}%"
