"""Warnings: what is wrong, and the command that acts on it. The most urgent come last: the eye ends there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minionize.status.model import InFlight, Node, Run, Tally, Warning
from minionize.status.words import age, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minionize.status.books import Books


class Seen(NamedTuple):
    """What reading the events brought up; ``done`` counts tasks that were done, ``clock`` is ours.

    ``held`` and ``dead`` are tasks that the queue lists so, of which no event tells.
    """

    unreadable: int
    refused: tuple[str, ...]
    elsewhere: int
    done: int
    held: int
    dead: int
    future: int
    lost_minions: int
    clock: float


def warnings(
    run: Run, counts: Tally, nodes: Sequence[Node], held: Sequence[InFlight], books: Books | None, seen: Seen
) -> Iterator[Warning]:
    """List what deserves attention."""
    yield from _about_reading(run, seen)
    if books:
        for note in books.notes:
            yield Warning("note", note, "", {})
        yield from _about_books(run, books, seen)
    for node in nodes:
        if node.bad:
            text = f"{node.host.split('.')[0]} fails {percent(node.fail_rate)} of tasks (others {percent(node.others)})"
            facts = {"node": node.host, "fail_rate": node.fail_rate, "others": node.others}
            yield Warning("bad_node", text, "minion-status --nodes", facts)
    yield from _about_minions(run, counts, books, seen)
    stragglers = [task for task in held if task.state == "straggler"]
    if stragglers:
        oldest = max(task.age or 0.0 for task in stragglers)
        text = f"{_many(len(stragglers), 'straggler')}, in flight for up to {age(oldest)}"
        yield Warning("stragglers", text, "minion-status --in-flight", {"count": len(stragglers), "oldest_s": oldest})


def _about_reading(run: Run, seen: Seen) -> Iterator[Warning]:
    if seen.unreadable:
        text = f"{_many(seen.unreadable, 'unreadable line')} skipped in {run.directory}"
        yield Warning("unreadable", text, "", {"lines": seen.unreadable})
    if seen.refused:
        text = f"{_many(len(seen.refused), 'event file')} may not be read: {seen.refused[0]}"
        yield Warning("refused", text, "", {"files": list(seen.refused)})
    if seen.elsewhere:
        text = f"{_many(seen.elsewhere, 'event')} of another queue in {run.directory} ignored"
        yield Warning("other_queue", text, "", {"executions": seen.elsewhere})
    if seen.future:
        text = f"{_many(seen.future, 'event')} from the future: is the clock of a host, or ours, wrong?"
        yield Warning("future", text, "", {"executions": seen.future})


def _about_books(run: Run, books: Books, seen: Seen) -> Iterator[Warning]:
    """Compare what the queue says is done with the events. These were read later, and precede the settlement."""
    done = books.counts.done
    if books.drained:
        text = f"drained by {books.drained.who} {age(seen.clock - books.drained.at)} ago: minions leave"
        yield Warning("drained", text, "minion-queue resume", {"who": books.drained.who, "at": books.drained.at})
    untold = max(0, done - seen.done) if books.exact and done is not None else 0
    told = [f"{n} {what}" for n, what in ((untold, "done"), (seen.dead, "dead"), (seen.held, "held")) if n]
    if told:
        text = f"{', '.join(told)} in the queue, but in no event: some minions report elsewhere"
    elif books.exact and done is not None and seen.done > done and run.state == "finished":
        text = f"{seen.done} done in the events, {done} in the queue: it was changed since"
    else:
        return
    facts = {"queue_done": done, "events_done": seen.done, "dead_untold": seen.dead, "held_untold": seen.held}
    yield Warning("books", text, "", facts)


def _about_minions(run: Run, counts: Tally, books: Books | None, seen: Seen) -> Iterator[Warning]:
    if counts.lost:
        text = f"{_many(counts.lost, 'param')} held by lost minions"
        command = "minion-queue release --lost" if books and "release" in books.verbs else ""
        yield Warning("lost", text, command, {"params": counts.lost, "minions": seen.lost_minions})
    elif seen.lost_minions and run.state != "finished":
        facts = {"params": 0, "minions": seen.lost_minions}
        yield Warning("lost", f"{_many(seen.lost_minions, 'minion')} lost", "minion-status --minions", facts)


def _many(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
