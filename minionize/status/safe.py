"""Text that strangers wrote, made safe for a terminal: params, stderr, names of hosts and files."""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def safe(text: str) -> str:
    r"""Show control characters, escapes, bidirectional marks and lone surrogates as ``\x1b``, ``\n``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def width(text: str) -> int:
    """Count the columns that a terminal needs for a safe text: wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(_columns(c) for c in text)


def cut(text: str, columns: int, mark: str = "…") -> str:
    """Make a text safe and at most so many columns wide, with ``mark`` where something was left out."""
    # A param may be megabytes: what cannot be shown is not looked at.
    text = safe(text[: columns + 1]) if columns > 0 else ""
    if width(text) <= columns:
        return text
    room, kept = columns - width(mark), []
    for c in text:
        room -= _columns(c)
        if room < 0:
            break
        kept.append(c)
    return "".join(kept) + mark


def pad(text: str, columns: int) -> str:
    """Fill a safe text up with spaces on its right."""
    return text + " " * (columns - width(text))


def _columns(c: str) -> int:
    if combining(c):
        return 0
    return 2 if east_asian_width(c) in "WF" else 1
