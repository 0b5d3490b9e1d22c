"""The single lines: what is wrong, the tabs, what is listed, the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.status import words
from minionize.status.failures import describe
from minionize.status.safe import width
from minionize.status.top.bars import Word
from minionize.status.top.keys import KEYS, Key
from minionize.status.top.views import FAILED, TABS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.status.model import Warning
    from minionize.status.style import Span, Style
    from minionize.status.top.looker import Scene
    from minionize.status.top.places import Places

#: Seconds after which it is shown that somebody has not answered.
SILENT = 2.0
#: What a key does about a warning; for others it is the command to type.
_CURES = {
    "lost": "L gives them back",
    "drained": "D resumes",
    "bad_node": "4 shows the nodes",
    "stragglers": "1 shows them",
}


def troubles(scene: Scene, clock: float) -> list[tuple[str, str]]:
    """List what is wrong, worst first: a text, and what to do about it."""
    found, answer = [], scene.shot.answer
    if scene.trouble:
        found.append((scene.trouble, ""))
    if answer.asked is not None and clock - answer.asked > SILENT:
        found.append((f"the queue has not answered for {words.age(clock - answer.asked)}", _old(scene)))
    elif answer.trouble:
        found.append((answer.trouble, _old(scene)))
    # What a queue has to say of itself is true all the time: it must not stand before what has just happened.
    warned = sorted(scene.shot.status.warnings, key=lambda warning: warning.code == "note")
    return found + [(warning.text, _cure(warning)) for warning in warned]


def _cure(warning: Warning) -> str:
    if warning.code == "lost":  # what a minion held may long be with others
        return "L gives them back" if warning.facts.get("params") else "3 shows the minions"
    return _CURES.get(warning.code, warning.command)


def _old(scene: Scene) -> str:
    return "its books are older" if scene.shot.answer.books else "shown is what events tell"


def trouble_line(found: Sequence[tuple[str, str]], style: Style) -> str:
    """Show the worst of what is wrong, and how much more there is; empty where all is well."""
    if not found:
        return ""
    text, cure = found[0]
    more = f"   +{len(found) - 1} more: 7" if len(found) > 1 else ""
    room = style.columns - 4 - width(more) - (width(cure) + 3 if cure else 0)
    return style.line(
        (" ! ", "yellow"), style.cut(text, max(20, room)), ("   " + cure if cure else "", "bold"), (more, "dim")
    )


def tab_words(scene: Scene | None, places: Places, style: Style) -> list[Word]:
    """Name the tabs, with how much is in each; short names where they do not fit."""
    for short in (False, True):
        shown = []
        for number, view in enumerate(TABS, 1):
            count = view.count(scene.shot) if scene else None
            title = view.title.split(" ")[-1].capitalize() if short else view.title
            text = f" {title}" + (f" {style.number(count)}" if count is not None else "")
            color = "reverse bold" if view is places.tab else ""
            shown.append(Word(f"{number}", text, color or "bold", color, f"app.tab({number})"))
        if sum(word.columns for word in shown) <= style.columns:
            break
    return shown


def note_line(scene: Scene, places: Places, style: Style) -> str:
    """Say what is listed: which group, filter, order, marks, and how much is not shown."""
    listing, here = scene.listing, places.here
    if listing.error:
        return style.line((" " + listing.error.replace("\n", " "), "red"))
    spans: list[Span] = []
    group = next((g for g in scene.shot.status.failures if g.cause == places.cause), None)
    if places.view is FAILED and group is not None:
        about = f": {describe(group.cause)}" if not here.where else ""
        spans += [style.cut(f"group {group.number}{about}", style.columns // 2), ("   Esc: groups   ", "dim")]
    shown, total = len(listing.keys), listing.total
    if here.where:
        among = " of the first 10 000" if listing.partly else ""
        spans += [f"{style.number(total)}{among}", (" with ", "dim"), style.cut(here.where, style.columns // 2), "   "]
    if here.marks:
        spans.append((f"{len(here.marks)} marked   ", "bold"))
    if total > shown:
        spans.append((f"+ {style.number(total - shown)} more, filter with /", "yellow"))
    return style.line(" ", *spans) if spans else ""


def key_words(refused: Callable[[str], str], room: int, *, drained: bool) -> list[Word]:
    """Name the keys; those that do nothing now are grey. A queue that is ``drained`` is resumed by the same key."""
    keys = [key._replace(word="Resume") if drained and key.keys == "D" else key for key in KEYS]
    named = [(key, _key_word(key, refused(key.keys))) for key in keys if key.word]
    while sum(word.columns for _, word in named) > room and any(key.spare for key, _ in named):
        named.remove(next(pair for pair in reversed(named) if pair[0].spare))
    return [word for _, word in named]


def _key_word(key: Key, why_not: str) -> Word:
    grey = "dim" if why_not else ""
    return Word(key.label.partition(" ")[0], f" {key.word}", grey or "bold", grey, f"app.{key.action}")
