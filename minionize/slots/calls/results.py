"""Params and results of calls: JSON text outside, values inside."""

from __future__ import annotations

from json import JSONEncoder, loads
from typing import TYPE_CHECKING, Any

from minionize.errors import BadParam, Misfit
from minionize.params import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a result that are kept, as of a program's.
LARGEST = 1 << 16

#: What no JSON text holds.
_BETWEEN = "\0"
#: Elements up to which an array is a result; more would not fit in any case.
_MANY = LARGEST // 2
#: Characters of what an exception says that are a reason.
_REASON = 2000
#: How deep a result that is not JSON as it stands is made so.
_DEEP = 20
#: What a call returns that has not begun to run, and how it is run.
_IDLE = {
    "coroutine": "asyncio.run(...) around it runs it",
    "async_generator": "asyncio.run(...) around what reads it runs it",
    "generator": "list(...) around it runs it",
}

#: Bits of an integer from which on Python may refuse to write it in decimals (it does from 4300 digits on).
_BITS = 14_000

_encode = JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Unreadable:
    """Stands for a param that Python cannot read."""

    __slots__ = ("error",)

    def __init__(self, error: BadParam) -> None:
        """Keep why."""
        self.error = error


def params(texts: bytes) -> list[Any]:
    """Read a batch of params, with NULs between; one that Python cannot read does not spoil the others."""
    text = texts.decode("utf-8", "surrogateescape")
    try:
        found: list[Any] = loads(f"[{text.replace(_BETWEEN, ',')}]")
    except (ValueError, RecursionError):
        found = []
    if len(found) == text.count(_BETWEEN) + 1:
        return found
    return [_param(one) for one in text.split(_BETWEEN)]


def _param(text: str) -> Any:
    try:
        return jsontext.value(text)
    except BadParam as error:
        return Unreadable(error)


def encode(value: Any) -> bytes:
    """Write what a function returned as JSON, or else as text; a longer one than is kept is left out.

    Raises Misfit where it returned what has not run yet, so that nothing was done.
    """
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError):
        if cure := _IDLE.get(type(value).__name__):
            raise Misfit(f"the function returned a {type(value).__name__}, which has not run: {cure}.") from None
        text = _encode(_plain(value))
    data = text.encode()
    if len(data) > LARGEST:
        return _encode(f"a result of over {LARGEST} bytes was left out").encode()
    return data


def body(*what: Any) -> bytes:
    """Write the body of a record."""
    return _encode([_plain(one) for one in what]).encode()


def reason(error: BaseException) -> str:
    """Write an exception in a line."""
    said = text_of(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def text_of(error: BaseException) -> str:
    """Write what an exception says, or the beginning of it; nothing where it cannot be written."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - anything may be in there
        return ""
    return text if len(text) <= _REASON else f"{text[:_REASON]}..."


def _plain(value: Any, around: tuple[Any, ...] = ()) -> Any:
    """Make a value one that JSON has: numpy's become numbers and lists, others the text that Python shows of them.

    ``around`` is what it is inside of: one that holds itself has an end all the same.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < _BITS else hex(value)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # nan and infinity are no JSON
    if len(around) < _DEEP and not any(value is one for one in around):
        inside = (*around, value)
        if isinstance(value, dict):
            return {_shown(key, str): _plain(one, inside) for key, one in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [_plain(one, inside) for one in value]
        if hasattr(value, "tolist") and _size(value) <= _MANY:  # numpy, pandas, torch
            return _plain(value.tolist(), inside)
    return _shown(value, repr)


def _shown(value: Any, show: Callable[[Any], str]) -> str:
    try:
        return show(value)
    except Exception:  # noqa: BLE001 - a result that cannot be shown is no reason to call it again
        return object.__repr__(value)


def _size(array: Any) -> int:
    size = getattr(array, "size", 1)
    return size if isinstance(size, int) else 1
