"""One row of the settings table, and the kinds of values that rows hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: What the variables of ``minion-launch`` begin with. They may stand in the same ``.env``: a minion leaves them alone.
LAUNCHING = "MINION_LAUNCH_"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"(?:\d+(?:\.\d+)?(?:ms|min|[smhd]))+"
_PART = r"(\d+(?:\.\d+)?)(ms|min|[smhd])"


class Kind(NamedTuple, Generic[T]):
    """How a value is read from text, what is allowed, in words for errors, and what stands for it in help."""

    parse: Callable[[str], T]
    allowed: str
    metavar: str


class Setting(Generic[T]):
    """A setting: the variable that holds it, its flags, its default and one sentence of help.

    ``flags`` are the option strings of ``minionize`` (empty: environment only). ``default`` is text, as a user would
    write it; None means unset, and the value is then None. A ``secret`` is never shown.
    """

    __slots__ = ("default", "flags", "group", "help", "kind", "name", "secret")

    def __init__(
        self,
        name: str,
        kind: Kind[T],
        default: str | None,
        help: str,
        *,
        flags: tuple[str, ...] = (),
        group: str = "minion",
        secret: bool = False,
    ) -> None:
        """Make a row of the table."""
        self.name, self.kind, self.default, self.help = name, kind, default, help
        self.flags, self.group, self.secret = flags, group, secret

    @property
    def is_switch(self) -> bool:
        """Whether its flag takes no value."""
        return self.kind is SWITCH

    @property
    def may_repeat(self) -> bool:
        """Whether its flag may be given more than once: commas join the values then."""
        return self.kind is MOUNT_LIST


def duration(text: str) -> float:
    """Read ``90``, ``90s``, ``1.5h`` or ``1h30m`` as seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(_DURATION, text):
        raise ValueError(text)
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))


def words(seconds: float) -> str:
    """Write seconds as :func:`duration` reads them: ``1h30m``, ``45s``, ``0.5s``."""
    if seconds < 60:
        return f"{seconds:g}s"
    whole, parts = int(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def _length(text: str) -> float:
    seconds = duration(text)
    if seconds <= 0:
        raise ValueError(text)
    return seconds


def _count(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < low:
            raise ValueError(text)
        return int(text)

    return parse


def _switch(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("", "0", "false", "no", "off"):
        return False
    raise ValueError(text)


def _slots(text: str) -> int | None:
    return None if text == "auto" else _count(1)(text)


def _codes(text: str) -> frozenset[int]:
    codes = frozenset(int(part) for part in text.split(",") if part.strip())
    if not all(1 <= code <= 255 for code in codes):
        raise ValueError(text)
    return codes


def one_of(*names: str) -> Kind[str]:
    """Allow one of these names."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return Kind(parse, " | ".join(names), "|".join(names))


def _text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _split(text: str) -> tuple[str, ...]:
    from shlex import split

    return tuple(split(text))


def _decoder(text: str) -> str:
    module, colon, name = text.partition(":")
    if text not in ("identity", "json") and not (colon and module and name):
        raise ValueError(text)
    return text


def _function(text: str) -> str:
    place, colon, name = text.rpartition(":")
    if not (colon and place and all(part.isidentifier() for part in name.split("."))):
        raise ValueError(text)
    return text


TEXT = Kind(_text, "text", "TEXT")
NAME = Kind(_text, "a name", "NAME")
WORDS = Kind(_split, "words, quoted as in a shell", "WORDS")
DESTINATION = Kind(_text, "live | grouped | none | a directory", "WHERE")
DECODER = Kind(_decoder, "identity | json | module:function", "DECODER")
FUNCTION = Kind(_function, "package.module:function | path/to/file.py:function", "MODULE:FUNCTION")
PATH = Kind(_text, "a path", "PATH")
MOUNT_LIST = Kind(_text, "HERE:THERE or HERE:THERE:ro, with commas between", "HERE:THERE")
LENGTH = Kind(_length, "a duration above 0: 90s, 5m, 1h30m", "TIME")
DURATION = Kind(duration, "a duration: 90s, 5m, 1h30m", "TIME")
COUNT = Kind(_count(0), "a whole number", "N")
POSITIVE = Kind(_count(1), "a whole number from 1", "N")
SWITCH = Kind(_switch, "1 or 0", "")
SLOTS = Kind(_slots, "a whole number from 1, or auto", "N")
CODES = Kind(_codes, "exit codes from 1 to 255, with commas: 64,65", "CODES")
