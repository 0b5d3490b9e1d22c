"""Looking without touching: the books, every task, and whether all is settled."""

from __future__ import annotations

import os
from collections import Counter
from json import loads
from typing import TYPE_CHECKING

from minionize.engines.spool import files
from minionize.engines.spool.chunk import decode
from minionize.engines.spool.history import History, done, log_of
from minionize.engines.spool.holder import ME
from minionize.engines.spool.market import IDS, Offer, offers
from minionize.engines.spool.names import Token, parse_chunk, parse_taken, parse_token, uid_of
from minionize.model import Counts, Entry, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from minionize.engines.spool.chunk import Line
    from minionize.engines.spool.names import Chunk
    from minionize.engines.spool.tree import Tree
    from minionize.model import State


def tokens(tree: Tree, folder: str = "alive") -> list[Token]:
    """List the tokens of minions that are there (``alive``), or were (``ended``)."""
    return [token for name in files.names(tree[folder]) if (token := parse_token(name))]


def taken(tree: Tree) -> list[tuple[str, Token]]:
    """List the tokens that were taken away from lost minions, each with who took it: their tasks are not given back yet."""
    return [found for name in files.names(tree["taken"]) if (found := parse_taken(name))]


def counts(tree: Tree, now: float) -> Counts:
    """Read the books from names alone; while chunks move, one may be seen twice or not at all."""
    pending = delayed = leased = done = 0
    for token in _holders(tree):
        leased, pending, done = leased + token.held, pending + token.backlog, done + token.done
    for _, chunk in waiting(tree):
        if chunk.is_due(now):
            pending += chunk.tasks
        else:
            delayed += chunk.tasks
    done += sum(token.done for token in tokens(tree, "ended"))
    dead = sum(offer.chunk.tasks for offer in offers(tree["dead"]))
    return Counts(pending, delayed, leased, done, dead)


def _holders(tree: Tree) -> list[Token]:
    """List the tokens of all that may hold tasks: those that were taken away first, as they were there before."""
    return [token for _, token in taken(tree)] + tokens(tree)


def waiting(tree: Tree) -> Iterator[Offer]:
    """Go through the chunks that nobody holds."""
    for put in sorted(files.names(tree["puts"])):
        if put.isdigit():
            yield from offers(tree.at("puts", put))
    yield from offers(tree["open"])


def is_settled(tree: Tree, stir: Callable[[], object] = bool) -> bool:
    """Tell whether nothing is pending, delayed or held: two looks have to agree, since chunks may move meanwhile.

    ``stir`` changes the folder of tokens before each, so that no cache answers for the file server.
    """
    stir()
    before = _unsettled(tree)
    if before is None:
        return False
    stir()
    return before == _unsettled(tree)


def _unsettled(tree: Tree) -> frozenset[tuple[str, int, int]] | None:
    """Look whether a chunk is anywhere; returns what the tokens say of logs, None where there is one."""
    alive = _holders(tree)
    if any(token.held or token.backlog for token in alive):
        return None
    if next(waiting(tree), None):
        return None
    for minion in files.names(tree["minions"]):
        if any(parse_chunk(name.lstrip("+")) for name in files.names(tree.at("minions", minion))):
            return None
    return frozenset((token.minion, token.size, token.done) for token in alive)


# ---------------------------------------------------------------------- every task


def entries(tree: Tree, now: float, state: State | None = None) -> Iterator[Entry]:
    """Go through the tasks of one state or of all, fresh ones in the order in which they were put."""
    if state in (None, "pending", "delayed"):
        for path, chunk in waiting(tree):
            due = None if chunk.is_due(now) else chunk.due / 1000
            found: State = "pending" if due is None else "delayed"
            if state in (None, found):
                yield from (_entry(line, found, due=due) for line in lines(path, chunk))
    if state in (None, "pending", "leased"):
        for token in _holders(tree):
            if token.held or token.backlog:
                yield from (entry for entry in _held(tree, token) if state in (None, entry.state))
    if state in (None, "dead"):
        for path, chunk in offers(tree["dead"]):
            yield from (_entry(line, "dead", ended=chunk.due / 1000) for line in lines(path, chunk))
    if state in (None, "done"):
        gone = forgotten(tree, "d")
        for token in (*tokens(tree, "ended"), *_holders(tree)):
            for entry in _done(tree, token) if token.done else ():
                if gone[entry.id]:
                    gone[entry.id] -= 1
                else:
                    yield entry


def lines(path: str, chunk: Chunk) -> list[Line]:
    """Read a chunk; none where it was moved meanwhile."""
    data = files.read(path)
    return [] if data is None else decode(data, chunk)


def _held(tree: Tree, token: Token) -> Iterator[Entry]:
    chunks = [(chunk, lines(path, chunk)) for path, chunk in offers(tree.at("minions", token.minion))]
    past = History(log_of(tree, token), {line.id for _, found in chunks for line in found})
    who = loads(files.read(tree.at("minions", token.minion, ME)) or b"{}")
    for chunk, found in chunks:
        for line, handed in past.remains(chunk, found):
            if handed is None:
                yield _entry(line, "pending")
            else:
                held = _entry(line, "leased", minion=uid_of(token.minion), host=who.get("host"), since=handed[1])
                yield held._replace(delivery=handed[0])


def _done(tree: Tree, token: Token) -> Iterator[Entry]:
    for one in done(log_of(tree, token)):
        yield Entry(
            id=one.id,
            param=one.param or '"(too large to be kept)"',
            state="done",
            attempt=one.attempt,
            delivery=one.delivery,
            crashes=one.crashes,
            minion=uid_of(token.minion),
            host=token.host,
            ended=one.ended,
            result=one.result or None,
        )


def _entry(
    line: Line,
    state: State,
    *,
    due: float | None = None,
    minion: str | None = None,
    host: str | None = None,
    since: float | None = None,
    ended: float | None = None,
) -> Entry:
    failure = Failure(**loads(line.failure)) if line.failure else None
    if failure and minion is None:
        minion, host = failure.minion or None, failure.host or None
    return Entry(
        line.id, line.param, state, line.attempt, line.delivery, line.crashes, due, minion, host, since, ended, failure
    )


def ids(tree: Tree) -> set[str]:
    """Read the ids that were put, and not taken off the books since."""
    gone = forgotten(tree)
    known: set[str] = set()
    times: Counter[str] = Counter()
    for folder in ("puts", "known"):
        for put in files.names(tree[folder]):
            new = (files.read(os.path.join(tree[folder], put, IDS)) or b"").decode().split("\n")
            known.update(new)
            if gone:
                times.update(id for id in new if id in gone)
    return known - {id for id, count in gone.items() if times[id] <= count}


def forgotten(tree: Tree, kind: str = "") -> Counter[str]:
    """Count how often each id was taken off the books; with ``kind`` d, only those that were done then."""
    gone: Counter[str] = Counter()
    for name in files.names(tree["forgot"]):
        for text in (files.read(tree.at("forgot", name)) or b"").decode().splitlines():
            what, _, id = text.partition("\t")
            gone[id] += kind in ("", what)
    return gone


def forget(tree: Tree, removed: Iterable[tuple[State, str]]) -> None:
    """Note that tasks were taken off the books."""
    text = "".join(f"{'d' if state == 'done' else '-'}\t{id}\n" for state, id in removed)
    name = os.urandom(6).hex()
    files.write(tree.at("tmp", name), text.encode())
    os.rename(tree.at("tmp", name), tree.at("forgot", name))
