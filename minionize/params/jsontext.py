r"""A param as JSON text: one line, no blanks outside strings, numbers with the digits that were typed.

The text can always be encoded as UTF-8: a lone surrogate, which is how Python carries a byte that is no UTF-8, is
written as an escape (``\udcff``); every other character stays as it is.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder, JSONEncoder, loads
from json.encoder import encode_basestring
from typing import Any

from minionize.errors import BadParam

#: Deeper texts are refused, wherever they are read, so that none is met later that overflows somebody's stack.
MAX_DEPTH = 100

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = frozenset(("true", "false", "null"))
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BLANK = re.compile(r"[ \t\r\n]")
# The fields of an object without escapes, lists or objects in it: what nearly every object param is.
_FIELDS = re.compile(r'"([^"]*)":("[^"]*"|[^,}]+)').findall
_STRING_OR_BLANK = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+')
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]')


class Number(str):
    """A JSON number, with the digits that were typed."""

    __slots__ = ()


def from_word(word: str) -> str:
    """Read a word as a user types it: a number, ``true``, ``false``, ``null``, or what starts with ``{``, ``[`` or ``"``.

    Anything else is a string, also ``007``, ``+1``, ``.5`` and ``NaN``. Raises BadParam where such a start is no JSON.
    """
    first = word[:1]
    if first in _PLAIN_STARTS:
        return _quote(word)
    if first in _JSON_STARTS:
        try:
            return parse(word)
        except BadParam as error:
            raise BadParam(f"{error}\n{hint(word)}") from error
    if word in _WORDS or _NUMBER.fullmatch(word):
        return word
    return _quote(word)


def hint(word: str) -> str:
    """Say how to type a string that would be read as something else."""
    text = _quote(word)
    if len(text) > 60 or "'" in text:
        return 'What starts with {, [ or " is read as JSON; to have it as a string, write it as a JSON string'
    return f"What starts with {{, [ or \" is read as JSON; to have it as a string, write {text} (in a shell '{text}')"


def parse(text: str) -> str:
    """Check a JSON text and make it one line without blanks; raises BadParam."""
    start = _skip_blanks(text, 0)
    value, end = scan(text, start)
    _expect_end(text, end)
    return value


def scan(text: str, start: int = 0) -> tuple[str, int]:
    """Read the JSON value that begins at ``start``: its compact text and where it ends; raises BadParam."""
    _, end = _read(text, start)
    value = text[start:end]
    if _BLANK.search(value):
        value = _STRING_OR_BLANK.sub(r"\1", value)
    return _encodable(value), end


def encode(value: Any) -> str:
    """Write a Python value as JSON text; raises BadParam for what JSON cannot say (NaN, a set) or nobody could read."""
    if type(value) is str:
        return _quote(value)
    try:
        text = _dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadParam(f"this value cannot be written as JSON: {error}") from error
    _check_depth(text)
    return _encodable(text)


def decode(text: str) -> Any:
    """Read a JSON text as Python values; raises BadParam where it is none."""
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise BadParam(f"not valid JSON: {error}: {shorten(text)}") from error


def value(param: str) -> Any:
    """Read a param as a Python value; raises BadParam for one that is JSON, but too deep or too long a number for Python."""
    try:
        return loads(param)
    except (ValueError, RecursionError) as error:
        raise BadParam(f"Python cannot read the param: {error}") from None


def decode_keeping_digits(text: str) -> Any:
    """Read a JSON text with every number as a :class:`Number`; raises BadParam where it is none, or ambiguous."""
    value, end = _read(text, _skip_blanks(text, 0))
    _expect_end(text, end)
    return value


def encode_keeping_digits(value: Any, *, sort: bool = False) -> str:
    """Write what :func:`decode_keeping_digits` gave, the keys in their order or sorted."""
    kind = type(value)
    if kind is Number:
        return str(value)
    if kind is str:
        return _quote(value)
    if kind is dict:
        items = sorted(value.items()) if sort else value.items()
        return "{" + ",".join([f"{_quote(key)}:{encode_keeping_digits(item, sort=sort)}" for key, item in items]) + "}"
    if kind is list:
        return "[" + ",".join([encode_keeping_digits(item, sort=sort) for item in value]) + "]"
    return "null" if value is None else "true" if value else "false"


def canonical(text: str) -> str:
    """Write a param's text so that equal params have equal texts: keys sorted, strings one way, digits as typed."""
    first = text[0]
    if "\\" not in text:
        if first not in "{[":
            return text
        if first == "{" and "[" not in text and text.count("{") == 1:
            return "{" + ",".join([f'"{key}":{value}' for key, value in sorted(_FIELDS(text))]) + "}"
    elif first == '"':
        return _quote(loads(text))
    return encode_keeping_digits(decode_keeping_digits(text), sort=True)


def shorten(text: str, width: int = 40) -> str:
    """Cut a text for a message of one line, its control characters made visible."""
    shown = text[: width + 1]
    if not shown.isprintable():
        shown = "".join([char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown])
    return shown if len(shown) <= width else shown[: width - 3] + "..."


class _RefusedError(Exception):
    """What Python's decoder takes and we do not."""


def _quote(text: str) -> str:
    quoted = encode_basestring(text)
    return quoted if quoted.isascii() else _encodable(quoted)


def _encodable(text: str) -> str:
    return text if text.isascii() else _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _refuse(name: str) -> Any:
    raise _RefusedError(f"JSON has no {name}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _RefusedError(f"the key {shorten(_quote(name))} stands twice in one object")
            seen.add(name)
    return fields


def _read(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = _strict.raw_decode(text, start)
    except JSONDecodeError as error:
        raise _bad(text, error.msg.removesuffix(" at"), error.pos) from error
    except _RefusedError as error:
        raise _bad(text, str(error), start) from None
    except RecursionError:
        raise BadParam(_TOO_DEEP) from None
    _check_depth(text[start:end])
    return value, end


def _check_depth(text: str) -> None:
    """Refuse a valid text that is nested too deep; counting brackets settles it for nearly every text."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadParam(_TOO_DEEP)
        elif bracket in "]}":
            depth -= 1


def _skip_blanks(text: str, start: int) -> int:
    while text[start : start + 1] in _BLANKS:
        start += 1
    return start


def _expect_end(text: str, end: int) -> None:
    rest = _skip_blanks(text, end)
    if rest < len(text):
        raise _bad(text, "nothing more was expected", rest)


def _bad(text: str, why: str, at: int) -> BadParam:
    shown = text if at <= 20 else "..." + text[at - 17 : at + 40]
    return BadParam(f"not valid JSON: {why} at column {at + 1}: {shorten(shown)}")


_TOO_DEEP = f"not a valid param: nested more than {MAX_DEPTH} levels deep"
_BLANKS = frozenset(" \t\r\n")
_JSON_STARTS = frozenset('{["')
_PLAIN_STARTS = frozenset(map(chr, range(128))) - frozenset('{["-0123456789tfn')
_dumps = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_strict = JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refuse, object_pairs_hook=_unique)
