"""The filter expression: ``outcome=failed node=paravance-7 param.alpha>0.5 error~=MemoryError since=1h``.

Words are conditions, and all must hold: ``NAME OP VALUE`` without spaces (quotes keep spaces together), with a ``!`` before
it where it must not hold. A word without an operator is looked for in every column of text. It knows nothing of what it filters:
columns are given by name and kind, a row is a function from names to values.

``=``, ``!=``            the same text, number or truth; of an id, or of a host's name, the beginning of it is enough
``<``, ``<=``, ``>``, ``>=``   numbers, durations (``5m``, ``1h30m``), times (``2025-11-21T10:00``, or how long ago: ``2h``)
``~=``, ``!~=``          the text matches a regular expression somewhere
``since=``, ``until=``   of the row's time: a time, or how long ago
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from minionize.errors import UsageError
from minionize.settings.setting import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: How a column is compared. ``json``: a JSON value of any kind, whose fields are columns too (``param.alpha``).
Kind = Literal["text", "id", "host", "number", "seconds", "time", "flag", "json"]
#: Where a word without an operator is looked for: what people read as text.
_READABLE = ("text", "id", "host", "json")

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
_CONDITION = re.compile(r"(!?)([A-Za-z_][^\s=<>!~]*)(!~=|~=|!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_WITHIN = {"since": ">=", "until": "<="}


class Columns(NamedTuple):
    """What a table has: kinds by name, and the column that ``since`` and ``until`` ask for."""

    kinds: Mapping[str, Kind]
    time: str

    def kind(self, name: str) -> Kind | None:
        """Find the kind of a column; fields of a JSON column are JSON."""
        if name in self.kinds:
            return self.kinds[name]
        head, dot, _ = name.partition(".")
        return "json" if dot and self.kinds.get(head) == "json" else None

    @property
    def readable(self) -> list[str]:
        """The columns that a word without an operator is looked for in."""
        return [name for name, kind in self.kinds.items() if kind in _READABLE]

    def listed(self) -> str:
        """List the names for people."""
        names = [f"{name} ({name}.FIELD)" if kind == "json" else name for name, kind in self.kinds.items()]
        return ", ".join(names)

    def find(self, name: str) -> Kind:
        """Find the kind of a column; raises UsageError, which names those there are."""
        kind = self.kind(name)
        if kind is None:
            raise UsageError(f"there is no column {name!r}\n  Columns: {self.listed()}")
        return kind


class Condition(NamedTuple):
    """One word of an expression. ``name`` is empty where every column is looked at."""

    name: str
    holds: Callable[[Any], bool]
    inverted: bool = False


class Where(NamedTuple):
    """Conditions that must all hold."""

    conditions: tuple[Condition, ...]
    columns: Columns

    @property
    def names(self) -> set[str]:
        """Which columns are asked for; all of them where a word is looked for everywhere."""
        named = {condition.name for condition in self.conditions}
        return named - {""} | (set(self.columns.readable) if "" in named else set())

    @property
    def fields(self) -> set[str]:
        """Which fields of JSON columns are asked for, as ``param.alpha``."""
        return {name for name in self.names if name not in self.columns.kinds}

    def __call__(self, value: Callable[[str], Any]) -> bool:
        """Tell whether a row, given by a function from column names to values, fulfils them."""
        return all(self._holds(condition, value) != condition.inverted for condition in self.conditions)

    def _holds(self, condition: Condition, value: Callable[[str], Any]) -> bool:
        if condition.name:
            return condition.holds(value(condition.name))
        return any(condition.holds(value(name)) for name in self.columns.readable)


def parse(expressions: Sequence[str], columns: Columns, now: float) -> Where:
    """Read expressions, all of which must hold; raises UsageError. ``now`` is what "1h ago" is counted from, in seconds."""
    words = [word for text in expressions for word in _split(text)]
    return Where(tuple(_condition(word, columns, now) for word in words), columns)


def _split(text: str) -> list[str]:
    if _WORD.sub("", text).strip():
        raise UsageError(f"a quote is not closed in {text!r}")
    return _WORD.findall(text)


def _condition(word: str, columns: Columns, now: float) -> Condition:
    found = _CONDITION.fullmatch(word)
    if found is None:
        inverted, sought = word.startswith("!"), _unquoted(word.removeprefix("!")).casefold()
        if not sought:
            raise UsageError(
                f"{word!r} is no condition\n  As in: node=paravance-7  took>5m  error~=MemoryError  !dead=true"
            )
        return Condition("", lambda value: sought in _text(value).casefold(), inverted)
    bang, name, operator, value = found[1], found[2], found[3], _unquoted(found[4])
    if name in _WITHIN and name not in columns.kinds:
        if operator != "=":
            raise UsageError(
                f"{word!r}: {name} takes a time or how long ago\n  As in: {name}=1h  {name}=2025-11-21T10:00"
            )
        name, operator = columns.time, _WITHIN[name]
    kind = columns.find(name)
    inverted = bool(bang) != operator.startswith("!")
    return Condition(name, _comparison(word, kind, operator.removeprefix("!"), value, now), inverted)


def _unquoted(text: str) -> str:
    return re.sub(r"""\"([^"]*)"|'([^']*)'""", lambda found: found[1] if found[1] is not None else found[2], text)


def _comparison(word: str, kind: Kind, operator: str, value: str, now: float) -> Callable[[Any], bool]:
    """Make the test that a column's value is put to; raises UsageError for a value that the kind does not have."""
    if operator == "~=":
        return _matches(word, value)
    if kind == "json":
        return _like_json(operator, value)
    if value == "" and operator == "=":
        return lambda found: found is None or found == ""
    if kind == "flag":
        return _is_flag(word, operator, value)
    if kind in ("number", "seconds", "time"):
        wanted = _measure(word, kind, value, now)
        return lambda found: found is not None and _ordered(found, operator, wanted)
    if operator == "=":
        return _is_text(kind, value)
    return lambda found: found is not None and _ordered(str(found), operator, value)


def _matches(word: str, pattern: str) -> Callable[[Any], bool]:
    try:
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"{word!r}: {pattern!r} is no regular expression: {error}") from None
    return lambda found: found is not None and expression.search(_text(found)) is not None


def _is_text(kind: Kind, value: str) -> Callable[[Any], bool]:
    if kind == "id":
        return lambda found: found is not None and str(found).startswith(value)
    if kind == "host":
        return lambda found: found is not None and (found == value or str(found).startswith(value + "."))
    return lambda found: found is not None and str(found) == value


def _is_flag(word: str, operator: str, value: str) -> Callable[[Any], bool]:
    wanted = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(value.lower())
    if wanted is None or operator != "=":
        raise UsageError(f"{word!r}: that column is true or false")
    return lambda found: bool(found) == wanted


def _measure(word: str, kind: Kind, value: str, now: float) -> float:
    try:
        if kind == "number":
            return float(value)
        return duration(value) if kind == "seconds" else _time(value, now)
    except (ValueError, OverflowError):
        allowed = {
            "number": "a number",
            "seconds": "a duration: 90s, 5m, 1h30m",
            "time": "a time (2025-11-21T10:00, UTC where it ends in Z) or how long ago (90s, 5m, 1h30m)",
        }
        raise UsageError(f"{word!r}: {value!r} is not {allowed[kind]}") from None


def _time(text: str, now: float) -> float:
    """Read a time, local where it names no zone, or how long before ``now``; raises ValueError."""
    try:
        return now - duration(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def _like_json(operator: str, value: str) -> Callable[[Any], bool]:
    """Compare as numbers where both are, lists and objects as JSON, else as texts; ``null`` is also what is not there."""
    number, parsed = _number(value), _parsed(value)

    def holds(found: Any) -> bool:
        if found is None:
            return operator == "=" and value in ("", "null")
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return number is not None and _ordered(found, operator, number)
        if isinstance(found, (list, dict)):
            return operator == "=" and bool(found == parsed)
        if operator != "=" and (number is not None or not isinstance(found, str)):
            return False  # neither a number nor a text has a place in that order
        return _ordered(_text(found), operator, value)

    return holds


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _ordered(found: Any, operator: str, wanted: Any) -> bool:
    if operator == "=":
        return bool(found == wanted)
    if operator in ("<", "<="):
        return bool(found < wanted or (operator == "<=" and found == wanted))
    return bool(found > wanted or (operator == ">=" and found == wanted))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return ""
