"""Taking over what lost minions hold: a sweep that is repeated, and that anybody may finish for anybody.

Who takes a lost minion's token away into its own folder takes over. What was handed out and not settled has crashed with
its minion; what only lay in its chunks is not blamed. All goes back in one transaction of the taker, and then the folder of
the lost one goes. A taker that dies meanwhile is lost itself: whoever takes it over finds the token, and goes on.
"""

from __future__ import annotations

import os
import time
from json import dumps, loads
from typing import TYPE_CHECKING, Any

from minionize import processes
from minionize.engines.spool import files, look
from minionize.engines.spool.history import History
from minionize.engines.spool.holder import LOG, MAIL, ME, PREPARED, Change, read
from minionize.engines.spool.market import offers
from minionize.engines.spool.names import Chunk, Token, parse_chunk, plain, taken, uid_of
from minionize.model import Failure, Identity
from minionize.policy import ALONE, uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.engines.spool.chunk import Line
    from minionize.engines.spool.holder import Holder

#: Minions whose heartbeat one sweep looks at: so a crowd of them asks the file server no more than a few would.
_SAMPLE = 20


class Recovery:
    """Watches the other minions for one of them."""

    def __init__(self, holder: Holder, max_crashes: int) -> None:
        """Work for this minion."""
        self._holder, self._tree, self._max_crashes = holder, holder.tree, max_crashes
        self._known: dict[str, Identity] = {}
        self.found = False  # whether the last sweep took over anybody

    def sweep(self, *, thorough: bool = False) -> int:
        """Take over minions of this host that are gone, and some (``thorough``: all) whose lease is over; says how many tasks."""
        before = len(self._holder.took_over)
        others = [token for token in look.tokens(self._tree) if token.minion != self._holder.name]
        lost = [token for token in others if self._is_gone(token)]
        watched = [token for token in others if token not in lost]
        if not thorough and len(watched) > _SAMPLE:
            first = int(uniform() * len(watched))
            watched = (watched + watched)[first : first + _SAMPLE]
        if watched:
            lost += self._silent(watched)
        count = sum(self._take_over(token) for token in lost) + self.resume()
        self.found = len(self._holder.took_over) > before
        return count

    def _silent(self, tokens: Sequence[Token]) -> list[Token]:
        """Choose those that have not touched their token for longer than their lease.

        Nobody is, where we could not touch ours for long: the file server was away, and the others come back with us.
        """
        self._holder.register()
        if self._holder.was_away():
            return []
        now = self._holder.touch()
        return [
            token for token in tokens if self._is_silent(self._tree.at("alive", token.name), now - token.lease / 1000)
        ]

    def _is_silent(self, path: str, since: float) -> bool:
        try:
            if os.stat(path).st_mtime >= since:
                return False
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # asks the file server; a cache may have answered before
        except FileNotFoundError:
            return False  # it has another name by now, so it lives
        try:
            return os.fstat(fd).st_mtime < since
        finally:
            os.close(fd)

    def _is_gone(self, token: Token) -> bool:
        """Tell whether we can see that its process is gone; what it left running here is ended then."""
        if token.host != plain(self._holder.me.host):
            return False
        who = self._identity(token.minion)
        if who is None or not processes.is_gone(who, self._holder.me):
            return False
        processes.kill_all(who.uid)
        return True

    def _identity(self, minion: str) -> Identity | None:
        if minion not in self._known:
            who = _json(files.read(self._tree.at("minions", minion, ME)))
            if not who:
                return None
            self._known[minion] = Identity(**who)
        return self._known[minion]

    # ------------------------------------------------------------------ taking over

    def _take_over(self, token: Token) -> int:
        """Take a lost minion's token away, if nobody else does and it does not wake up first; says how many tasks it held."""
        self._holder.register()
        if not files.take(self._tree.at("alive", token.name), self._taken(self._holder.name, token)):
            return 0
        self._inherit(token)
        return token.held

    def resume(self) -> int:
        """Go on with what was interrupted by an error: tokens that we took away, and that are still there."""
        if self._holder.token is None:
            return 0
        left = self._taken_by(self._holder.name)
        for token in left:
            self._inherit(token)
        return len(left)

    def _inherit(self, lost: Token) -> None:
        """Give back what a lost minion held, and put away what is left of it."""
        if lost.minion not in self._holder.took_over:
            folder = self._tree.at("minions", lost.minion)
            listing = files.names_again(folder)
            found = [(chunk, read(path, chunk)) for path, chunk in offers(folder, listing)]
            past = self._history(lost, listing, {line.id for _, lines in found for line in lines})
            for heir in self._taken_by(lost.minion):
                self._inherit_from(lost, heir, past)
            moved = self._publish(folder, listing, past)
            found = [(chunk, lines) for chunk, lines in found if chunk.name not in moved]
            give = self._remains(lost, past, found)
            names = frozenset(chunk.name for chunk, _ in found)
            self._holder.commit(Change(give=give, took_over={lost.minion: names}))
        self._put_away(lost, self._holder.took_over[lost.minion])

    def _history(self, lost: Token, listing: Sequence[str], wanted: set[str]) -> History:
        """Read its log, waiting where a cache gives less of it than the token says there is."""
        path = self._tree.at("minions", lost.minion, LOG)
        if not files.is_there(path):
            if not any(parse_chunk(name.removeprefix(PREPARED)) for name in listing):
                return History((), wanted)  # it died when it had all but left
            if LOG not in listing:
                path = self._tree.at("logs", lost.minion)
        try:
            return History(files.lines(path, lost.size, patient=True), wanted)
        except FileNotFoundError:
            if LOG in listing:
                raise
            return History((), wanted)  # it is lost: better that something is done twice than nobody can go on

    def _inherit_from(self, lost: Token, heir: Token, past: History) -> None:
        """Go on with a takeover that the lost minion was at."""
        source = self._taken(lost.minion, heir)
        if heir.minion in past.took_over:
            self._put_away(heir, past.took_over[heir.minion], source)
        elif files.take(source, self._taken(self._holder.name, heir)):
            self._inherit(heir)

    def _publish(self, folder: str, listing: Sequence[str], past: History) -> set[str]:
        """Move chunks where they belong that it gave away, or took and had not begun; returns their names."""
        moved = set()
        for name in listing:
            chunk = parse_chunk(name.removeprefix(PREPARED))
            if chunk and (chunk.name in past.gave if name.startswith(PREPARED) else chunk.name not in past.took):
                files.move(os.path.join(folder, name), self._tree.home(chunk.name))
                moved.add(name)
        return moved

    def _remains(
        self, lost: Token, past: History, found: Sequence[tuple[Chunk, list[Line]]]
    ) -> list[tuple[Chunk, list[Line]]]:
        """Divide what it held: what is not to blame, what has to run alone from now on, what has crashed too often."""
        me = _json(files.read(self._tree.at("minions", lost.minion, ME)))
        who = Identity(**me) if me else Identity(uid_of(lost.minion), lost.host, 0, 0, "", "")
        calm: list[Line] = []
        alone: list[Line] = []
        dead: list[Line] = []
        gone = self._cancelled(lost)
        for chunk, lines in found:
            for line, handed in past.remains(chunk, lines):
                if line.id in gone:
                    continue
                kept = line if handed is None else self._blamed(line, handed[0], who)
                kind = (
                    dead if kept.crashes >= self._max_crashes and handed else alone if kept.crashes >= ALONE else calm
                )
                kind.append(kept)
        now = self._holder.clock.now()
        new = self._holder.new_chunk
        give = [(new("s", now, 1), [line]) for line in alone]
        give += [(new("r", now, len(calm)), calm)] if calm else []
        return give + ([(new("x", now, len(dead)), dead)] if dead else [])

    def _blamed(self, line: Line, delivery: int, who: Identity) -> Line:
        crashes = line.crashes + (not who.preemptible)
        failure = line.failure
        if not who.preemptible:
            why = f"minions vanished with it: {crashes}, the last one on {who.host}"
            failure = dumps(Failure("crash", why, minion=who.uid, host=who.host, at=time.time())._asdict())
        return line._replace(delivery=delivery, crashes=crashes, failure=failure)

    def _cancelled(self, lost: Token) -> set[str]:
        """Read which tasks the lost minion was asked to drop."""
        folder = self._tree.at("minions", lost.minion)
        letters = [
            files.read(os.path.join(folder, name)) or b"" for name in files.names(folder) if name.startswith(MAIL)
        ]
        return {id for letter in letters if letter.startswith(b"cancel\n") for id in letter.decode().split("\n")[1:]}

    def _taken(self, taker: str, token: Token) -> str:
        return self._tree.at("taken", taken(taker, token))

    def _taken_by(self, taker: str) -> list[Token]:
        return [token for who, token in look.taken(self._tree) if who == taker]

    def _put_away(self, lost: Token, chunks: frozenset[str], path: str = "") -> None:
        """Keep the log and the done count of a minion that is no more, and remove the rest."""
        folder = self._tree.at("minions", lost.minion)
        put_away(self._holder, lost, folder, path or self._taken(self._holder.name, lost), chunks)


def put_away(holder: Holder, token: Token, folder: str, path: str, chunks: frozenset[str] = frozenset()) -> None:
    """Move the log and the token (at ``path``) of a minion that holds nothing more to where they are only read; remove its folder.

    ``chunks`` are empty. Others came after we looked: by a minion that woke up, or by a rename whose answer was lost. They are
    offered again.
    """
    tree = holder.tree

    def rescue(name: str) -> str:
        return tree.home(name) if parse_chunk(name) and name not in chunks else ""

    if token.done:
        files.move(os.path.join(folder, LOG), tree.at("logs", token.minion))
    files.remove_tree(folder, rescue)  # before the token: a folder without one would be nobody's
    if token.done:
        files.move(path, tree.at("ended", token._replace(held=0, backlog=0, hungry=0).name))
    else:
        files.remove(path)


def _json(data: bytes | None) -> dict[str, Any]:
    try:
        return dict(loads(data or b"{}"))
    except ValueError:
        return {}
