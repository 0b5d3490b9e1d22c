"""What is in a sweep, as JSON, and what goes into one.

A param that we put stands in the sweep as the Python value that anybody would expect (a list as a tuple, an object as
a HashableDict), so that other programs can use the same ParamSweeper. Where that value would not give the text back
(``0.10``, ``1E+400``, a key twice) or is equal to one that is there (``1``, ``1.0`` and ``true`` are, to Python), a
*wrapper* stands there instead: a HashableDict with the text in it.
"""

from __future__ import annotations

import operator
import os
import pickle
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from minionize.errors import BadParam
from minionize.params.jsontext import decode, encode, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a wrapper has: the task's id, what makes it different from one that was there before, and the param.
_WRAPPER = frozenset(("minionize", "copy", "json"))


def wrap(id: str, text: str) -> dict[str, str]:
    """Make the fields of a wrapper, equal to no other one."""
    return {"minionize": id, "copy": os.urandom(6).hex(), "json": text}


def unwrap(item: Any) -> tuple[str, str] | None:
    """Read the id and the param of a wrapper; None where it is none."""
    if not isinstance(item, dict) or item.keys() != _WRAPPER or not all(type(field) is str for field in item.values()):
        return None
    return item["minionize"], item["json"]


def natural(text: str, hashable_dict: Callable[[dict[str, Any]], Any]) -> Any:
    """Return the Python value that stands for a param in a sweep; None where it would not give the text back."""
    try:
        value = decode(text)
        if encode(value) != text:
            return None
    except (BadParam, ValueError):
        return None
    return _hashable(value, hashable_dict)


def text_of(item: Any) -> str:
    """Write what is in a sweep as the JSON text of a param; raises BadParam for what is no JSON value."""
    kind = type(item)
    return encode(item if kind is str or kind is int else _plain(item))


def key_of(item: Any) -> str:
    """Name what is in a sweep so that every process gives it the same name, and different ones different names.

    Where nothing is lost in JSON that is its text, the keys of objects sorted.
    """
    if item is None or type(item) in (bool, int, float, str):
        return encode(item) if item == item else "NaN"  # noqa: PLR0124 - only NaN is not equal to itself
    if type(item) is tuple:
        return "[" + ",".join(map(key_of, item)) + "]"
    if isinstance(item, frozenset):
        return "set[" + ",".join(sorted(map(key_of, item))) + "]"
    if isinstance(item, dict):
        mark = "" if all(type(key) is str for key in item) else "map"
        return mark + "{" + ",".join(sorted(f"{key_of(key)}:{key_of(value)}" for key, value in item.items())) + "}"
    kind = type(item)
    return f"{kind.__module__}.{kind.__qualname__} {_digest(item)}"


def describe(item: Any) -> tuple[str, str]:
    """Return the param, and why it is none: then the param is what Python shows of it, as a string."""
    try:
        return text_of(item), ""
    except BadParam as error:
        shown = f"{error}"
    except RecursionError:
        shown = "it is nested too deep"
    return encode(shorten(_shown(item), 1000)), f"what is in the sweep is no JSON value: {shown}"


def order(item: Any) -> tuple[Any, ...]:
    """Sort what is in a sweep, which has no order of its own, as people would: numbers by value, objects by field."""
    if describe(item)[1]:
        return (1, (), _shown(item))
    return (0, _order(_plain(item)), "")


def _order(value: Any) -> tuple[Any, ...]:
    if value is None or isinstance(value, bool):
        return (0, str(value))
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if isinstance(value, list):
        return (3, tuple(map(_order, value)))
    return (4, tuple((key, _order(field)) for key, field in value.items()))


def _hashable(value: Any, hashable_dict: Callable[[dict[str, Any]], Any]) -> Any:
    if type(value) is list:
        return tuple(_hashable(one, hashable_dict) for one in value)
    if type(value) is dict:
        return hashable_dict({key: _hashable(one, hashable_dict) for key, one in value.items()})
    return value


def _plain(item: Any) -> Any:
    if item is None or type(item) in (bool, int, float, str):
        return item
    if isinstance(item, str):
        return str.__str__(item)
    if isinstance(item, float):
        return float(item)
    if isinstance(item, dict):
        return {_field(key): _plain(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(one) for one in item]
    if isinstance(item, set | frozenset):
        return sorted(map(_plain, item), key=_order)
    if type(item).__module__.partition(".")[0] == "numpy" and hasattr(item, "tolist"):
        return _plain(item.tolist())
    try:
        return operator.index(item)
    except TypeError:
        raise BadParam(f"a {type(item).__qualname__} ({shorten(_shown(item))})") from None


def _field(key: Any) -> str:
    """Name a field as Python's json does: only simple keys have a name."""
    plain = _plain(key)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, list | dict):
        raise BadParam(f"a key that is a {type(key).__qualname__} ({shorten(_shown(key))})")
    return encode(plain)


def _shown(item: Any) -> str:
    try:
        return repr(item)
    except Exception as error:  # noqa: BLE001 - somebody else's __repr__
        return f"<{type(item).__qualname__} whose repr raises {type(error).__name__}>"


def _digest(item: Any) -> str:
    try:
        content = pickle.dumps(item, 4)
    except Exception:  # noqa: BLE001 - somebody else's __reduce__
        content = _shown(item).encode("utf-8", "backslashreplace")
    return blake2b(content, digest_size=8).hexdigest()
