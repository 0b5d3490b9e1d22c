"""HTML by construction: what is put into an element is escaped unless it is HTML that was made here."""

from __future__ import annotations

from html import escape
from shlex import quote
from typing import TYPE_CHECKING, Any

from minionize.masks import MASK, mask
from minionize.status.safe import safe
from minionize.status.words import masked_command, param_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Characters of a text that are looked at, and that are shown.
_LOOKED_AT, LONGEST = 4000, 240
#: Characters of a stderr that are shown: its end.
STDERR = 4096
_EMPTY = frozenset(("br", "meta", "rect", "line", "path", "circle"))


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


#: What can be put into an element; None is nothing.
Child = str | None


def el(tag: str, *children: Child, **attributes: Any) -> Html:
    """Make an element. In names of attributes ``_`` stands for ``-``, a last one is left out; one that is None too."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY and not children:
        return Html(f"<{tag}{given}/>")
    return Html(f"<{tag}{given}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Put pieces one after the other."""
    return Html("".join(child if isinstance(child, Html) else text(child) for child in children if child is not None))


def text(words: str, longest: int = LONGEST) -> Html:
    """Escape a text: passwords in addresses are hidden, control and bidirectional characters are shown as what they are."""
    # Hidden before it is cut, or half an address would keep its password; cut before that, or a megabyte would be searched.
    shown = mask(words[:_LOOKED_AT])
    return Html(escape(safe(shown[:longest])) + ("…" if max(len(shown), len(words)) > longest else ""))


def output(lines: str) -> Html:
    """Escape the end of what a program wrote, line by line."""
    shown = mask(lines[-STDERR:]).splitlines()
    return Html("\n".join(escape(safe(line)) for line in shown))


def param(value: Any) -> Html:
    """Write a param on one line; what is secret in it is masked."""
    return text(param_words(value))


def command(argv: Sequence[str]) -> Html:
    """Write a command line as it would be typed, without what options and variables for secrets are given."""
    shown = masked_command(argv)
    return text(" ".join(word if word.endswith(MASK) else quote(word) for word in shown), LONGEST * 2)


def number(n: float) -> Html:
    """Write a count, its digits in groups of three."""
    return Html(f"{n:,.0f}".replace(",", "\u202f"))


def many(n: int, noun: str) -> Html:
    """Write a count of something."""
    return Html(f"{number(n)} {noun if n == 1 else noun + 's'}")


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else safe(mask(str(value)[:_LOOKED_AT]))
