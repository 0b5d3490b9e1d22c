"""Many minions at once."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from minionize.model import Ack, Bury, Counts, Nack
from minionize.testing.contract.books import expect
from minionize.testing.contract.checks import Together, fill, holds, new, same, take
from minionize.testing.contract.clause import COUNTS, EXACT, Theme
from minionize.testing.contract.settling import FAILURE

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.engines.base import Engine
    from minionize.model import Settlement, Task
    from minionize.testing.contract.maker import Maker

theme = Theme()

MINIONS, PARAMS = 4, 200


class Crowd:
    """Minions that work off a queue together, each by an engine and a thread of its own, and what they did."""

    def __init__(self, maker: Maker, total: int, *, counting: bool = False) -> None:
        """Open an engine per minion; ``counting``: each sums up the counts after each of its exchanges."""
        self.engines = [maker.open(f"minion{n}") for n in range(MINIONS)]
        self._counting = counting
        self.ended: Counter[str] = Counter()
        self.sums: Counter[int] = Counter()
        self.refused = 0
        self._total, self._lock = total, threading.Lock()
        self._until = time.monotonic() + maker.patience * 4

    def work(self, *others: Callable[[], object]) -> None:
        """Let them work, each in a thread, beside ``others``; threads take turns often, so that races are seen."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            with Together([*(partial(self._work, engine) for engine in self.engines), *others]):
                pass
        finally:
            sys.setswitchinterval(interval)

    def _work(self, engine: Engine) -> None:
        settled: list[Settlement] = []
        while not self._over():
            delivery = engine.exchange(settled, limit=3, wait=0.02)
            with self._lock:
                self.refused += len(delivery.gone)
                self.ended.update(s.task.id for s in settled if not isinstance(s, Nack))
            settled = [self._settlement(task) for task in delivery.tasks]
            if self._counting:
                self.sums[sum(count or 0 for count in engine.counts())] += 1
        engine.exchange(settled)

    def _settlement(self, task: Task) -> Settlement:
        """Give every fifth back once, bury every seventh, acknowledge the others."""
        number = int(task.param.strip('"n'))
        if number % 5 == 0 and task.delivery == 1:
            return Nack(task, charge=False)
        return Bury(task, FAILURE) if number % 7 == 0 else Ack(task)

    def _over(self) -> bool:
        holds(time.monotonic() < self._until, f"only {len(self.ended)} of {self._total} tasks were settled in time")
        return len(self.ended) >= self._total


@theme.clause()
def each_is_settled_exactly_once(maker: Maker) -> None:
    """Many minions settle many params, each exactly once."""
    crowd = Crowd(maker, PARAMS)
    ids = fill(crowd.engines[0], *(f"n{n}" for n in range(PARAMS)))
    crowd.work()
    same(sorted(crowd.ended), sorted(ids), "tasks settled")
    same([id for id, times in crowd.ended.items() if times > 1], [], "tasks settled more than once")
    same(crowd.refused, 0, "settlements refused")


@theme.clause(EXACT)
def counts_add_up_at_every_instant(maker: Maker) -> None:
    """While minions work, the counts of all states add up to the number of params, whenever one looks."""
    crowd = Crowd(maker, PARAMS, counting=True)
    fill(crowd.engines[0], *(f"n{n}" for n in range(PARAMS)))
    crowd.work()
    same(set(crowd.sums), {PARAMS}, "sums of the counts while minions work")


@theme.clause(COUNTS)
def counts_add_up_at_rest(maker: Maker) -> None:
    """After many minions worked, each param is counted as done or dead."""
    crowd = Crowd(maker, 40)
    fill(crowd.engines[0], *(f"n{n}" for n in range(40)))
    crowd.work()
    dead = len(range(0, 40, 7))
    expect(maker, crowd.engines[0], Counts(0, 0, 0, 40 - dead, dead), "after all was settled")


@theme.clause()
def a_put_beside_running_minions(maker: Maker) -> None:
    """Tasks that are put while minions run are run too, each once; two puts at once do not mix."""
    crowd, left, right = Crowd(maker, 120), maker.open("left"), maker.open("right")
    added: list[int] = []

    def put(engine: Engine, start: int) -> None:
        added.extend(
            engine.put(new(*(f"n{n}" for n in range(first, first + 20)))).added
            for first in range(start, start + 60, 20)
        )

    crowd.work(partial(put, left, 0), partial(put, right, 60))
    same(sum(added), 120, "tasks added")
    same((len(crowd.ended), set(crowd.ended.values())), (120, {1}), "tasks settled, and how often each")
    same(crowd.refused, 0, "settlements refused")


@theme.clause(EXACT)
def a_minion_that_asks_for_all_gets_all(maker: Maker) -> None:
    """One exchange can hand out, and another one settle, a thousand tasks."""
    engine = maker.open()
    fill(engine, *(f"n{n}" for n in range(1000)))
    tasks = take(maker, engine, 1000)
    same(len({task.id for task in tasks}), 1000, "different tasks handed out")
    same(engine.exchange([Ack(task) for task in tasks]).gone, (), "settlements refused")
    expect(maker, engine, Counts(0, 0, 0, 1000, 0), "after all was settled")
