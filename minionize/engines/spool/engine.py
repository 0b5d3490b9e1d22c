"""Claim, settle, renew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minionize import place
from minionize.engines.polling import Polling
from minionize.engines.spool import look
from minionize.engines.spool.admin import PARAM_LIMIT, SpoolAdmin
from minionize.engines.spool.chunk import BLANKS
from minionize.engines.spool.draft import Draft
from minionize.engines.spool.editing import Editor
from minionize.engines.spool.holder import Change, Lost
from minionize.engines.spool.recovery import put_away
from minionize.errors import EngineError
from minionize.model import Ack, Bury, Delivery, Gone, Traits
from minionize.policy import ALONE
from minionize.settings import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, Self

    from minionize.engines.spool.clock import ServerClock
    from minionize.engines.spool.holder import Held
    from minionize.model import Identity, Settlement, Task
    from minionize.settings import Settings

#: Seconds between two looks while waiting: from the first to the second, doubling. Others pay for a look on a network.
_TICK, _TICK_REMOTE = (0.01, 0.5), (0.05, 2.0)
#: Minions for whose sake the longest of them is twice as long.
_CROWD = 100
#: Seconds between two sweeps for lost minions on a file system of this machine's own.
_SWEEP = 1.0
#: Seconds for which a look at what is to be had is good; where it takes long, or the file server does, so many times as long.
_LOOK, _REST = 1.0, 20
#: Seconds between two looks whether others have nothing to run.
_CARE = 1.0
#: Settlements that are remembered, so that repeating one is harmless.
_REMEMBERED = 4096
#: Params of done tasks that are kept, in bytes: larger ones would fill a disk that is shared.
_KEPT = 1024


class SpoolEngine(Polling, SpoolAdmin):
    """A minion's view of a spool."""

    traits = Traits(
        durable=True,
        lease="timed",
        delay=True,
        fencing=True,
        counts="approximate",
        deliveries="durable",
        dedup=True,
        finite=True,
        admin=frozenset({"list", "get", "retry", "release", "remove", "control"}),
        param_limit=PARAM_LIMIT,
    )

    def __init__(
        self,
        path: str,
        me: Identity,
        *,
        lease: float = 60.0,
        max_crashes: int = 5,
        create: bool = False,
        clock: ServerClock | None = None,
    ) -> None:
        """Open the queue at ``path``; raises NoQueue where there is none and ``create`` is not given."""
        Polling.__init__(self)
        SpoolAdmin.__init__(self, path, me, lease=lease, max_crashes=max_crashes, create=create, clock=clock)
        self._local = place.is_local(place.filesystem(path))
        self.first_tick, self._longest_tick = _TICK if self._local else _TICK_REMOTE
        self._took = 0.0  # the last look, in seconds
        self._sweep_every = _SWEEP if self._local else lease / 6
        self._crowd = 0  # minions that were there when we last counted
        self._closed = False
        self._settled: dict[tuple[str, int], None] = {}
        self._look_every = _LOOK
        self._swept = self._cared = self._looked = float("-inf")

    @classmethod
    def from_settings(cls, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue at SPOOL_DIR."""
        return cls.at(settings[table.SPOOL_DIR], settings, me, create=create)

    @classmethod
    def at(cls, path: str, settings: Settings, me: Identity, *, create: bool = False) -> Self:
        """Open the queue at ``path``, with the leases that the settings ask for."""
        return cls(path, me, lease=settings[table.LEASE], max_crashes=settings[table.MAX_CRASHES], create=create)

    # ------------------------------------------------------------------ what a minion does

    def renew(self, held: Sequence[Task]) -> list[Gone]:
        """Prolong our lease; see :meth:`minionize.engines.base.Engine.renew`."""
        return self._safely(lambda: self._renew(held))

    def close(self) -> None:
        """Give back what is held and leave."""
        if self._closed:
            return
        self._closed = True
        try:
            self._safely(self._leave)
        except EngineError:
            pass  # then the end of our lease, or of this process, gives it back
        self._holder.forget()

    # ------------------------------------------------------------------ exchange

    def _ask(self, settled: Sequence[Settlement], limit: int) -> Delivery:
        """Settle and claim in one transaction."""
        began = time.monotonic()
        try:
            return self._safely(lambda: self._trip(settled, limit))
        finally:
            self._took = time.monotonic() - began

    def _doze(self, left: float, next_due: float | None, tick: float) -> tuple[bool, float]:
        """Wait until the next look; where a look takes long others wait for the file server, too."""
        tick = max(tick, _REST * self._took)
        woken = self._bell.acquire(timeout=min(left, tick, next_due or tick))
        return woken, min(tick * 1.5, self._longest_tick * (1 + self._crowd / _CROWD))

    def _trip(self, settled: Sequence[Settlement], limit: int) -> Delivery:
        self._keep_alive()
        if limit:
            self._sweep()
        draft = self._draft()
        for settlement in settled:
            self._settle(settlement, draft)
        drained = self.drained() is not None
        if limit and not drained:
            self._claim(limit, draft)
        self._share(draft, spare=not limit)
        self._commit(draft)
        tasks = tuple(held.line.task(held.delivery) for held in draft.hand)
        gone = tuple(draft.gone)
        if drained or tasks or self._holder.held:
            return Delivery(tasks, gone, self._next_due(), "drain" if drained else "open")
        return Delivery((), gone, self._next_due(), self._state(limit))

    def _draft(self) -> Draft:
        """Begin with what people ask, and with what an exchange handed out that failed nevertheless: nobody knows of it."""
        draft = Draft(self._holder)
        self._read_mail(draft)
        for change in self._holder.happened:
            self._settled.update(dict.fromkeys(change.keys))
            for held in change.hand:
                if self._holder.held.get(held.line.id) is held and held not in draft.out:
                    draft.give_back(held)
        return draft

    def _commit(self, draft: Draft) -> None:
        """Let it happen; until then nothing that we know has changed."""
        if draft:
            self._holder.commit(draft.change())
        self._answer(draft)
        self._settled.update(dict.fromkeys(draft.keys))
        while len(self._settled) > _REMEMBERED:
            del self._settled[next(iter(self._settled))]

    def _answer(self, draft: Draft) -> None:
        """Do away with what was to be cancelled and had left us by then, and with the mail that said so."""
        if draft.strays:
            Editor(self._holder).remove(draft.strays, 0)
        self._holder.answered()

    def _next_due(self) -> float | None:
        due = self._market.next_due
        return None if due is None else max(0.0, due - self._clock.now())

    def _state(self, limit: int) -> Literal["open", "ended"]:
        """Tell whether anything is left; where others have more than they run, show them that we have nothing."""
        if not limit:
            self._look()
        if not self._market.empty or self._holder.backlog:
            return "open"
        others = look.tokens(self._tree)
        self._crowd = len(others)
        if not any(token.held or token.backlog for token in others) and look.is_settled(self._tree, self._stir):
            if self._tree.identity() != self._tree.queue:
                raise Lost  # no queue is no settled queue
            return "ended"
        known = self._holder.token is not None and self._holder.token.hungry
        if limit and not known and any(token.backlog for token in others):
            self._holder.commit(Change(hungry=True))
        return "open"

    def _stir(self) -> None:
        """Change the folder of tokens, where a cache may stand between us and the file server."""
        if not self._local:
            self._holder.register()
            self._holder.commit(Change(hungry=True))

    # ------------------------------------------------------------------ settling

    def _settle(self, settlement: Settlement, draft: Draft) -> None:
        task = settlement.task
        key = (task.id, task.delivery)
        held = self._holder.held.get(task.id)
        if held is None or held.delivery != task.delivery or held in draft.out:
            if key not in self._settled and key not in draft.keys:
                draft.gone.append(Gone(task, self._why.pop(key, "lost")))
            return
        draft.keys.append(key)
        if isinstance(settlement, Ack):
            draft.finish(held, _done_line(held, settlement.result))
        elif isinstance(settlement, Bury):
            draft.bury(held, settlement.failure)
        else:
            draft.give_back(held, settlement.delay, settlement.charge, settlement.failure)

    def _read_mail(self, draft: Draft) -> None:
        """Do what people ask: drop tasks that were cancelled, give back those that they released."""
        for word, ids in self._holder.mail():
            for id in ids:
                held = self._holder.held.get(id)
                if held is None:
                    if word == "cancel":
                        backlog = [one for one in self._holder.backlog if one.line.id == id]
                        draft.out.update(dict.fromkeys(backlog))
                        draft.strays.update(() if backlog else (id,))
                elif word == "cancel":
                    draft.drop(held)
                    self._why[id, held.delivery] = "cancelled"
                elif held not in draft.out:
                    draft.give_back(held)
                    self._why[id, held.delivery] = "lost"

    # ------------------------------------------------------------------ claiming

    def _claim(self, limit: int, draft: Draft) -> None:
        """Choose what to hand out, taking chunks as long as there are some and more is wanted."""
        busy = [held for held in self._holder.held.values() if held not in draft.out]
        if any(held.line.crashes >= ALONE for held in busy):
            return
        if time.monotonic() - self._looked > self._look_every:
            self._look()
        if (self._makes_room() if busy else self._take_suspect(draft)) or self._take_from_backlog(limit, draft):
            return
        looked = False
        while True:
            offer = self._market.next()
            if offer is None:
                if looked or draft.hand:
                    return
                looked = True
                self._look()
                if not busy and self._take_suspect(draft):
                    return
            elif not self._holder.take(*offer):
                self._market.missed()
            elif self._take_from_backlog(limit, draft):
                return

    def _take_from_backlog(self, limit: int, draft: Draft) -> bool:
        """Hand out what lies in our chunks; says whether that is enough."""
        for held in self._holder.backlog:
            if len(draft.hand) >= limit:
                break
            if held not in draft.out and held.line.crashes < ALONE:
                draft.hand[held] = None
        return len(draft.hand) >= limit

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._market.look(self._clock.now())
        if self._market.timed and self._holder.token is None:
            self._holder.register()  # only this tells the file server's time
            self._market.look(self._clock.now())
        self._look_every = max(_LOOK, _REST * (time.monotonic() - self._looked))

    def _take_suspect(self, draft: Draft) -> bool:
        """Take a task that has to run alone, if there is one."""
        while True:
            for held in self._holder.backlog:
                if held.line.crashes >= ALONE and held not in draft.out:
                    draft.hand[held] = None
                    return True
            if not self._market.suspects:
                return False
            self._holder.take(*self._market.suspects.pop(0))

    def _makes_room(self) -> bool:
        """Tell whether a task that must run alone has waited for a lease: then we take nothing until we hold nothing."""
        suspects = self._market.suspects
        return bool(suspects) and self._clock.now() - suspects[0].chunk.due / 1000 > self._lease

    def _share(self, draft: Draft, *, spare: bool) -> None:
        """Give back what we will not need soon, in parts, where others have nothing to run; ``spare``: our slots are busy."""
        now = time.monotonic()
        if not self._holder.backlog or now - self._cared < _CARE:
            return
        backlog = [held for held in self._holder.backlog if held not in draft.out and held not in draft.hand]
        if not backlog:
            return
        self._cared = now
        hungry = sum(token.hungry for token in look.tokens(self._tree))
        if hungry:
            draft.share(backlog, hungry + (not spare))

    # ------------------------------------------------------------------ our lease, and others'

    def _keep_alive(self) -> None:
        """Finish what an error kept from being done, and touch our token where nobody renews: while we hold nothing."""
        self._holder.tidy()
        if self._holder.token and self._clock.now() - self._holder.touched > self._lease / 3:
            self._holder.touch()

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept >= self._sweep_every:
            self._recovery.sweep()
            self._swept = float("-inf") if self._recovery.found else now  # where one is lost there are more

    def _renew(self, held: Sequence[Task]) -> list[Gone]:
        holder = self._holder
        if holder.token:
            holder.tidy()
            draft = self._draft()
            named = {(task.id, task.delivery) for task in held}
            for one in holder.held.values():
                if (one.line.id, one.delivery) not in named and one not in draft.out:
                    draft.give_back(one)
            self._share(draft, spare=True)
            holder.commit(draft.change())  # also where it changes nothing: it shows what we have lost
            self._answer(draft)
            holder.touch()
            self._sweep()
        ours = {(one.line.id, one.delivery) for one in holder.held.values()}
        keys = [((task.id, task.delivery), task) for task in held]
        return [Gone(task, self._why.pop(key, "lost")) for key, task in keys if key not in ours]

    def _leave(self) -> None:
        """Give back all, and let nothing remain but what was done."""
        holder = self._holder
        if holder.token is None:
            return
        self._recovery.resume()
        holder.tidy()
        draft = self._draft()
        for one in (*holder.held.values(), *holder.backlog):
            if one not in draft.out:
                draft.give_back(one)
        if draft:
            holder.commit(draft.change())
        holder.tidy()
        holder.close_log()  # NFS keeps a removed file that is open, and with it the folder
        put_away(holder, holder.token, holder.folder, self._tree.at("alive", holder.token.name))


def _done_line(held: Held, result: str | None) -> str:
    """Write what the log keeps of a task that is done."""
    line, kept = held.line, (result or "").translate(BLANKS)
    param = line.param if len(line.param) <= _KEPT else ""
    return f"d\t{line.id}\t{held.delivery}\t{line.attempt}\t{line.crashes}\t{time.time():.3f}\t{kept}\t{param}\n"
