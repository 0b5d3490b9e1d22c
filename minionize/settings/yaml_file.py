"""The text of ``.minionize.yml``: read with PyYAML, which is imported only where there is such a file.

Keys come with their lines, and values as they were typed: ``no``, ``007``, ``1e-5`` and ``5m`` are what they look like, and
what they mean their setting says. So nothing of YAML's types is used, and no value is ever made an object.
"""

from __future__ import annotations

import os
from stat import S_ISREG, S_IWOTH
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.errors import UsageError
from minionize.settings.trust import STRANGE, is_strange

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes that the file, and any value of it, may have: more is something else by mistake, or malice.
LIMIT = 64 * 1024
#: What the types of YAML are called; any other is a program's own.
_TYPES = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map", "int", "float", "bool", "null"))
_QUOTES = "\n  A value that YAML reads as something else needs quotes:  command: 'echo {}'"


class Entry(NamedTuple):
    """A key as it was typed, the line it stands in, and its value: text, or a list of texts.

    ``wrong`` says why the value is neither. That is an error only where somebody asks for it: the key may be none of ours.
    """

    key: str
    line: int
    value: str | tuple[str, ...]
    wrong: str = ""


class _Shapeless(Exception):
    """A value is neither text nor a list of texts."""


class Text(NamedTuple):
    """What a file holds, and what its readers should hear about it."""

    text: str
    warnings: tuple[str, ...] = ()


def read_text(path: str) -> Text | None:
    """Read the file; None where there is none. Raises UsageError where it cannot be, or should not be, relied on."""
    try:
        with open(path, "rb", opener=_open) as stream:
            found = os.fstat(stream.fileno())
            if not S_ISREG(found.st_mode):
                raise _unreadable(path, "it is not a file")
            if is_strange(path, found):
                raise _unreadable(path, STRANGE)
            data = stream.read(LIMIT + 1)
    except FileNotFoundError:
        if os.path.islink(path):
            raise _unreadable(path, "it is a symbolic link to nothing") from None
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or "") from error
    if len(data) > LIMIT:
        raise _unreadable(path, f"it is larger than {LIMIT // 1024} KiB")
    warnings = (f"{path} can be changed by anybody:  chmod o-w {path}",) if found.st_mode & S_IWOTH else ()
    try:
        # utf-8-sig: editors of other systems put a mark in front, which would become part of the first key.
        return Text(data.decode("utf-8-sig"), warnings)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _unreadable(path, f"it is not UTF-8 ({error.reason}, in line {line})") from error


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO of that name would keep us waiting


def _unreadable(path: str, why: str) -> UsageError:
    return UsageError(
        f"cannot read {path}: {why}\n  It says what minions here run. Repair it, or move it away, or go elsewhere"
    )


def parse(text: str, path: str) -> list[Entry]:
    """Read the keys of a file; raises UsageError where it is no YAML, or no list of keys with values."""
    import yaml

    try:
        root = yaml.compose(text, yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        raise UsageError(
            _told(error, path, text.rstrip().count("\n") + 1)
        ) from None  # from None: what a parser says may hold a secret
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UsageError(f"{path}:{line}: a character that no text holds: {error.character:#x}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else "an escape names no character"
        raise UsageError(f"{path} cannot be read as YAML: {why}") from None
    if root is None or root.value == "":
        return []
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(
            f"{path}:{_line(root)}: it is to hold a key and its value on each line, as in  slots: 4{_QUOTES}"
        )
    return list(_entries(root, path))


def _told(error: Any, path: str, last: int) -> str:
    """Say in our form what PyYAML found, in a file whose last line has this number."""
    problem, mark, cure = str(error.problem), error.problem_mark, _QUOTES
    if (
        "end of stream" in problem or "stream end" in problem
    ) and error.context_mark:  # what is not closed began elsewhere
        problem, mark = f"it is not closed ({error.context})", error.context_mark
    elif "expected ':'" in problem and error.context_mark:  # which is missed in the line below
        problem, mark, cure = "no colon stands behind a key", error.context_mark, "\n  As in  slots: 4"
    elif "mapping values" in problem:
        problem, cure = "a colon stands in a value, or the line above has none", "\n  Quote that value, as in  'a: b'"
    elif "another document" in problem:
        problem, cure = "a second document begins", "\n  One directory has one:  take the line away"
    elif "alias" in f"{problem} {error.context}":
        problem = "* begins the name of an anchor, and there is none of that name"
    elif "\\t" in problem:
        problem, cure = "YAML takes no tabs here", "\n  Indent with spaces"
    elif "found undefined tag" in problem:  # whose name may be a password that begins with !
        problem = "! begins a type, and there is none of that name"
    return f"{path}:{min(mark.line + 1, last)}: {problem}{cure}"


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _entries(root: Any, path: str) -> Iterator[Entry]:
    import yaml

    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in _TYPES:
            raise UsageError(f"{path}:{_line(key)}: a key is a word, as in  slots: 4{_QUOTES}")
        if key.value == "<<":
            raise UsageError(f"{path}:{_line(key)}: keys of elsewhere are not merged (<<): write them out")
        entry = Entry(key.value, _line(key), "")
        try:
            yield entry._replace(value=_value(value))
        except _Shapeless as error:
            yield entry._replace(wrong=str(error))


def _value(node: Any) -> str | tuple[str, ...]:
    """Return the text of a node, or those of its items; raises _Shapeless where it has none."""
    import yaml

    if not isinstance(node, yaml.SequenceNode):
        return _text(node)
    texts, left = [], LIMIT
    for item in node.value:
        texts.append(_text(item))
        left -= len(texts[-1]) + 1
        if left < 0:  # anchors can make a small file a large list
            raise _Shapeless(f"takes no list of more than {LIMIT // 1024} KiB")
    return tuple(texts)


def _text(node: Any) -> str:
    """Return the text of a node. What is wrong is said without it: the text may be a secret."""
    import yaml

    if node.tag not in _TYPES or (node.value == "" and not node.style and node.start_mark.index < node.end_mark.index):
        raise _Shapeless("takes no type and no anchor alone: what begins with ! or & needs quotes")
    if isinstance(node, yaml.MappingNode):
        raise _Shapeless("takes no keys of its own; braces need quotes, as in  '{seed}'")
    if not isinstance(node, yaml.ScalarNode):
        raise _Shapeless("takes no list inside a list")
    text = str(node.value)
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise _Shapeless("holds a character that no argument can hold")
    return text
