"""The Lua scripts: put together from their parts, and known to the server by a hash.

The server runs a script as one transaction. ``allow-oom``: what settles and claims must work on a server that is full, or
nothing would ever leave it; only a put is refused there.
"""

from __future__ import annotations

import os
from hashlib import sha1
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lua")

#: By name: its flags, and the parts that come before it.
_PARTS = {
    "open": ("allow-oom", ()),
    "arrive": ("allow-oom", ("known",)),
    "restore": ("allow-oom", ("known", "books", "minions")),
    "exchange": ("allow-oom", ("known", "books", "minions", "claim", "records", "delete", "settle")),
    "renew": ("allow-oom", ("known", "books", "minions")),
    "leave": ("allow-oom", ("known", "books", "minions")),
    "put": ("", ("known", "books", "records", "rows")),
    "retry": ("allow-oom", ("known", "books")),
    "release": ("allow-oom", ("known", "books", "minions")),
    "strays": ("allow-oom", ("known", "books")),
    "remove": ("allow-oom", ("known", "books", "records")),
    "clear": ("allow-oom", ("known", "books")),
    "control": ("allow-oom", ("known", "books")),
    "describe": ("no-writes,allow-oom", ("known", "books", "records", "rows")),
    "walk": ("no-writes,allow-oom", ("known", "books", "records", "rows")),
    "done": ("no-writes,allow-oom", ("known", "records")),
    "count": ("no-writes,allow-oom", ("known",)),
    "drained": ("no-writes,allow-oom", ("known", "books")),
}


class Script(NamedTuple):
    """A script: its name, its text and the hash by which a server that has it knows it."""

    name: str
    text: bytes
    sha: str


_made: dict[str, Script] = {}


def script(name: str) -> Script:
    """Return the script of that name."""
    if name not in _made:
        flags, parts = _PARTS[name]
        text = f"#!lua flags={flags}\n" if flags else "#!lua\n"
        text += _nested([_read(part) for part in ("head", *parts, name)])
        _made[name] = Script(name, text.encode(), sha1(text.encode(), usedforsecurity=False).hexdigest())
    return _made[name]


def _nested(parts: Sequence[str]) -> str:
    """Put each part into a function within the part before it.

    All is defined anew in every call. Lua finds the names of functions further out at once, and those of the same one by
    going through all that are in use there: one after the other, the parts would take half as long again to define.
    """
    return "return (function()\n".join(parts) + "end)()\n" * (len(parts) - 1)


def _read(part: str) -> str:
    with open(os.path.join(_FOLDER, f"{part}.lua"), encoding="utf-8") as file:
        return file.read()
