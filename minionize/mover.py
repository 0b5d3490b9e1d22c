"""Moves what waits in one queue to another: ``minion-queue copy``.

It is a minion of the source that runs nothing: it claims a batch, so that nobody else runs that meanwhile, puts it into
the target, and only then takes it off the source. Killed between any two of these steps it loses nothing: what it held
comes back as that of any minion that vanished, and where the target knows ids, what is there already adds nothing.
"""

from __future__ import annotations

from json import loads
from typing import TYPE_CHECKING, cast

from minionize.errors import BadParam, UsageError
from minionize.model import Ack, Nack, NewTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from minionize.engines.base import Admin, Engine
    from minionize.model import Delivery, Entry, Put, State, Task

#: Seconds without a task before the source is believed to have none: approximate books may be a moment behind, and where
#: the source cannot tell, an empty answer proves little.
LAST_WAIT, LONG_WAIT = 0.5, 5.0
#: Tasks of the first trip, and the most of one where they are small: some engines look through all they have to take a few off.
FIRST, MOST = 256, 4096
#: Bytes of params from which on a trip is large enough.
LARGE = 1 << 20


class Mover:
    """Moves pending and delayed tasks; leaves those that are held, done or dead where they are.

    ``moved`` counts what was taken off the source, ``known`` what the target had already, by state, ``taken`` are the ids
    of those that somebody took from us in between, so that they are in both queues. ``refused`` are the tasks that stay, with the reason:
    messages that are no params, and params that the target does not take.
    """

    def __init__(self, source: Engine, target: Engine, stop: Callable[[], object] = bool) -> None:
        """Move from one open queue to another; where ``stop`` comes true the batch at hand is finished, and no more."""
        self.moved = 0
        self.made: tuple[str, ...] = ()
        self.taken: set[str] = set()
        self.known: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        self._source, self._target, self._stop = source, target, stop
        self._verbs = source.traits.admin
        self._kept: list[Task] = []  # refused, and held by us so that they do not come again
        self._limit = FIRST

    def run(self) -> None:
        """Move all there is, or until told to stop; nothing is held any more then. Raises what the two queues raise."""
        # The delayed ones first: what comes due meanwhile is pending, and its turn is next.
        self._move_listed("delayed")
        if self._move_claimed() == "drain":
            self._move_listed("pending")  # nobody is given any of these, and so neither are we
        self._give_back()

    # ------------------------------------------------------------------ what is pending: claim, put, take off

    def _move_claimed(self) -> str:
        """Claim and move until nothing is left to claim; returns the state of the source then."""
        fruitful = False  # since we last gave back what is refused, something else came
        while not self._stop():
            delivery = self._claim()
            tasks = [task for task in delivery.tasks if not self._keeps(task)]
            if tasks:
                self._move(tasks)
                fruitful = True
            elif not delivery.tasks:
                if not fruitful or not self._kept or delivery.state == "drain":
                    return delivery.state
                # A task under suspicion is given only to who holds nothing: let go of the refused ones, and ask once more.
                self._give_back()
                fruitful = False
        return "stopped"

    def _claim(self) -> Delivery:
        wait = LAST_WAIT if self._source.traits.finite else LONG_WAIT
        delivery = self._source.exchange(limit=self._limit, wait=wait)
        large = sum(len(task.param) for task in delivery.tasks) > LARGE
        self._limit = FIRST if large else min(MOST, self._limit * 2)
        return delivery

    def _keeps(self, task: Task) -> bool:
        """Whether a task must stay at the source; we hold it then until the end."""
        if task.error:
            self.refused[task.id] = task.error.partition("\n")[0]
        if task.id not in self.refused:
            return False
        self._kept.append(task)
        return True

    def _move(self, tasks: Sequence[Task]) -> None:
        """Put claimed tasks into the target, and take those off the source that are still ours."""
        self._put([NewTask(task.id, task.param, task.attempt, task.crashes) for task in tasks])
        self._kept += [task for task in tasks if task.id in self.refused]
        placed = [task for task in tasks if task.id not in self.refused]
        # The put may have taken long. What was lost is somebody else's: it would be cruel to take it off the books.
        gone = {(one.task.id, one.task.delivery) for one in self._source.renew([*self._kept, *placed])}
        self._kept = [task for task in self._kept if (task.id, task.delivery) not in gone]
        ours = [task for task in placed if (task.id, task.delivery) not in gone]
        if "remove" in self._verbs:
            self._take_off([task.id for task in ours])
        else:
            self._source.exchange([Ack(task) for task in ours])
        self.moved += len(ours)
        self._note_taken(placed, ours)

    def _give_back(self) -> None:
        """Let go of what is refused. Also where that is nothing, the source may then see what we were asked to drop."""
        kept, self._kept = self._kept, []
        self._source.exchange([Nack(task, charge=False) for task in kept])

    # ------------------------------------------------------------------ what cannot be claimed: list, put, take off

    def _move_listed(self, state: State) -> None:
        """Move the tasks of a state that no minion is given now, where the source can list them and take them off."""
        if not self._verbs >= {"list", "remove"} or state not in self._source.traits.listed:
            return
        for batch in _batches(self._admin.list(state)):
            if self._stop():
                return
            self._put([new for entry in batch if (new := self._renewed(entry))])
            placed = [entry for entry in batch if entry.id not in self.refused]
            # No minion may have taken it while we put it into the target: it is as it was.
            now = {(entry.id, entry.delivery) for entry in self._admin.list(state)}
            ours = [entry for entry in placed if (entry.id, entry.delivery) in now]
            self.moved += self._take_off([entry.id for entry in ours])
            self._note_taken(placed, ours)

    def _renewed(self, entry: Entry) -> NewTask | None:
        """Make a new task of a listed one; None where it is a message that is no param."""
        try:
            loads(entry.param)
        except ValueError:
            self.refused[entry.id] = "it is no param"
            return None
        return NewTask(entry.id, entry.param, entry.attempt, entry.crashes, entry.due or 0.0)

    # ------------------------------------------------------------------ the two ends

    def _put(self, tasks: Sequence[NewTask]) -> None:
        """Put tasks into the target; one that it does not take is found by halves, and noted as refused."""
        if not tasks:
            return
        try:
            self._note(self._target.put(tasks))
        except BadParam as error:
            if len(tasks) == 1:
                self.refused[tasks[0].id] = str(error).partition("\n")[0]
                return
            middle = len(tasks) // 2
            self._put(tasks[:middle])
            self._put(tasks[middle:])

    def _note(self, put: Put) -> None:
        self.made = put.made
        for state, count in (put.known or {}).items():
            self.known[state] = self.known.get(state, 0) + count

    def _note_taken(self, placed: Sequence[Task | Entry], ours: Sequence[Task | Entry]) -> None:
        """Note which of those that the target has are not ours to take off; one that came back since is no longer."""
        self.taken = (self.taken | {one.id for one in placed}) - {one.id for one in ours}

    def _take_off(self, ids: Sequence[str]) -> int:
        """Take tasks off the source; says how many were there: another copy may be at work on the same ones."""
        if not ids:
            return 0
        try:
            return self._admin.remove(ids)
        except UsageError:  # one of them is gone: then none was taken off
            return sum(self._take_off_one(id) for id in ids)

    def _take_off_one(self, id: str) -> int:
        try:
            return self._admin.remove([id])
        except UsageError:
            return 0

    @property
    def _admin(self) -> Admin:
        return cast("Admin", self._source)


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut a listing, while it goes on, into lists that are not too large."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.param)
        if len(batch) == MOST or size > LARGE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
