"""From a param to a command line, without a shell.

Words may hold ``{}`` (the whole param), ``{name}`` (a field of an object param; ``{opt.lr}`` is the field ``opt.lr``,
or else the field ``lr`` of the object ``opt``), ``{slot}`` and ``{id}`` (where the param has no such field). ``{{`` and
``}}`` are literal braces; ``${...}`` and braces around anything that is not a name are left alone, and so are the ones
that close them: in ``{"a": {"b": {seed}}}`` only ``{seed}`` is ours. Where no word takes the param or a field of it,
the param is appended: a string split like a command line, a list item by item, an object as ``--key=value``.
"""

from __future__ import annotations

import re
import sys
from json import loads
from typing import TYPE_CHECKING, Any

from minionize.errors import BadParam, Misfit, UsageError
from minionize.params.jsontext import decode_keeping_digits, encode_keeping_digits, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What a field must be called to be written in braces.
NAME = r"[^\W\d]\w*(?:[-.]\w+)*"

_MARK = re.compile(
    rf"(?P<left>\$\{{[^{{}}]*\}})|(?P<double>\{{\{{)|\{{(?P<name>{NAME})?\}}|(?P<open>\{{)|(?P<close>\}})",
)
_QUOTING = re.compile(r"""['"\\]""")
_SPLIT = re.compile(r"[^ \t\r\n]+").findall
_SHELL_SAFE = r"[A-Za-z0-9_@%+=:,./-]+"
_ENCODING = sys.getfilesystemencoding()
#: The names that the minion fills in where the param has no such field.
_OURS = frozenset(("slot", "id"))
_WHOLE = ""
#: A word: bytes as they are, or text and names in turn, beginning and ending with text.
_Word = bytes | list[str]


class MissingField(Misfit):
    """A ``{name}`` that the param cannot fill: ``name`` is it, ``fields`` are those there are."""

    def __init__(self, message: str, name: str, fields: tuple[str, ...]) -> None:
        """Keep what was asked for and what there is."""
        super().__init__(message)
        self.name, self.fields = name, fields


class Template:
    """A command with places for a param.

    ``fields`` are the names it takes from the param (not ``slot`` and ``id``); ``program`` is its first word, None where
    that is for the param to say.
    """

    __slots__ = ("_appends", "_names", "_words", "fields", "program")

    def __init__(self, words: Sequence[str], enabled: bool = True) -> None:
        """Read the command once; not ``enabled``: braces mean nothing and the param is appended."""
        for word in words:
            if "\0" in word:
                raise UsageError(f"the command holds a NUL byte, which no argument can: {shorten(word)}")
        read = [_parse(word) if enabled else [word] for word in words]
        names = dict.fromkeys(name for word in read for name in word[1::2])
        self._words: list[_Word] = [_encode(word[0]) if len(word) == 1 else word for word in read]
        self.fields: tuple[str, ...] = tuple(name for name in names if name not in _OURS and name != _WHOLE)
        self._names = tuple(name for name in names if name != _WHOLE)
        self._appends = not self.fields and _WHOLE not in names
        first = self._words[0] if self._words else None
        self.program = first if isinstance(first, bytes) else None

    def render(self, param_text: str, slot: int, id: str) -> list[bytes]:
        """Make the arguments for a param; raises MissingField, or BadParam where it makes no command line."""
        whole = _string(param_text) if param_text[0] == '"' else param_text
        try:
            if not self._names:
                argv = self._fill({_WHOLE: whole})
                if self._appends:
                    argv += [_encode(word) for word in _appended(param_text, whole)]
            else:
                argv = self._render_names(param_text, whole, slot, id)
        except UnicodeEncodeError as error:
            raise BadParam(f"an argument cannot be written in {_ENCODING}: {shorten(error.object)}") from error
        # Only this escape brings a NUL into a JSON string.
        if "\\u0000" in param_text and any(b"\0" in word for word in argv):
            raise BadParam(
                "an argument would hold a NUL byte, which no argument can\n"
                "Let the command read the param from the variable MINION_PARAM, where it is JSON",
            )
        return argv

    def _render_names(self, param_text: str, whole: str, slot: int, id: str) -> list[bytes]:
        fields = decode_keeping_digits(param_text) if param_text[0] == "{" else {}
        values = {_WHOLE: whole, "slot": str(slot), "id": id}
        appends = self._appends
        for name in self._names:
            value = _field(fields, name)
            if value is not _MISSING:
                values[name] = _text(value)
                appends = False
            elif name not in _OURS:
                raise _missing(name, param_text, fields)
        argv = self._fill(values)
        return argv + [_encode(word) for word in _appended(param_text, whole)] if appends else argv

    def _fill(self, values: dict[str, str]) -> list[bytes]:
        argv = []
        for word in self._words:
            if type(word) is bytes:
                argv.append(word)
                continue
            parts = [*word]
            for index in range(1, len(parts), 2):
                parts[index] = values[parts[index]]
            argv.append("".join(parts).encode(_ENCODING, "surrogateescape"))
        return argv


def display(argv: Sequence[bytes]) -> str:
    """Write a command line for people: quoted for a shell, what cannot be printed as escapes in ``$'...'``."""
    return " ".join([_show(word.decode("utf-8", "surrogateescape")) for word in argv])


def _parse(word: str) -> list[str]:
    """Split a word into text and names in turn.

    ``closing`` says what closes the braces that are open: ``}}`` for those written ``{{``, ``}`` for those left alone.
    """
    parts, text, at = [], "", 0
    closing: list[str] = []
    while match := _MARK.search(word, at):
        text += word[at : match.start()]
        at = match.end()
        mark = match[0]
        if match["left"]:
            text += mark
        elif match["double"]:
            text += "{"
            closing.append("}}")
        elif match["open"]:
            text += "{"
            closing.append("}")
        elif not match["close"]:
            parts += [text, match["name"] or _WHOLE]
            text = ""
        else:
            text += "}"
            if closing and closing[-1] == "}":
                closing.pop()
            elif word.startswith("}", at):
                at += 1
                del closing[-1:]
    return [*parts, text + word[at:]]


_MISSING = object()


def _field(fields: dict[str, Any], name: str) -> Any:
    value = fields.get(name, _MISSING)
    if value is _MISSING and "." in name:
        value = fields
        for key in name.split("."):
            value = value.get(key, _MISSING) if type(value) is dict else _MISSING
    return value


def _missing(name: str, param_text: str, fields: dict[str, Any]) -> MissingField:
    braces = f"write {{{{{name}}}}} for these characters themselves"
    if param_text[0] != "{":
        why = f"{{{name}}} is a field of an object, and this param is none: {shorten(param_text)}"
        return MissingField(f"{why}\nWrite {{}} for the whole param; {braces}", name, ())
    shown = ", ".join([shorten(field) for field in fields]) or "none"
    return MissingField(
        f"the param has no field {name}; its fields: {shown}\nTo pass braces on, {braces}",
        name,
        tuple(fields),
    )


def _string(text: str) -> str:
    if "\\" in text:
        value: str = loads(text)
        return value
    return text[1:-1]


def _text(value: Any) -> str:
    """Write a field or an item as an argument: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else encode_keeping_digits(value)


def _encode(word: str) -> bytes:
    return word.encode(_ENCODING, "surrogateescape")


def _appended(param_text: str, whole: str) -> Iterator[str] | list[str]:
    first = param_text[0]
    if first == '"':
        return _split(whole)
    if first == "[":
        return map(_text, decode_keeping_digits(param_text))
    if first == "{":
        return _options(decode_keeping_digits(param_text))
    return [param_text]


def _options(fields: dict[str, Any]) -> Iterator[str]:
    for key, value in fields.items():
        if value is True:
            yield f"--{key}"
        elif value is not False and value is not None:
            yield f"--{key}={_text(value)}"


def _split(text: str) -> list[str]:
    if not _QUOTING.search(text):
        return _SPLIT(text)
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        reason = str(error).lower()
        raise BadParam(
            f"the string is no command line ({reason}): {shorten(text)}\nWrite {{}} in the command to get it as one argument",
        ) from error


def _show(word: str) -> str:
    if re.fullmatch(_SHELL_SAFE, word):
        return word
    if word.isprintable():
        return "'" + word.replace("'", "'\\''") + "'"
    return "$'" + "".join([_escape(char) for char in word]) + "'"


def _escape(char: str) -> str:
    if char in "\\'":
        return "\\" + char
    if char.isprintable():
        return char
    return _ESCAPES.get(char) or "".join([f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape")])


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e"}
