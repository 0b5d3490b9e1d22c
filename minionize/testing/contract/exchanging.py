"""Handing out: waits, limits, order."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.model import Ack, Nack, NewTask, Task
from minionize.testing.contract.checks import (
    AT_ONCE,
    LONG,
    Together,
    a_moment_later,
    fill,
    gets_nothing,
    holds,
    occupied,
    same,
    settle,
    take,
    take_one,
    task_id,
    timed,
)
from minionize.testing.contract.clause import DELIVERIES, ORDER, Theme

if TYPE_CHECKING:
    from minionize.testing.contract.maker import Maker

theme = Theme()


@theme.clause()
def an_empty_exchange_returns_within_its_wait(maker: Maker) -> None:
    """An exchange with nothing to hand out waits as long as it was told, and no longer."""
    occupied(maker)
    engine = maker.open("b")
    delivery, took = timed(lambda: engine.exchange(limit=1, wait=0.05))
    same(delivery.tasks, (), "tasks handed out")
    holds(0.04 <= took < 0.05 + AT_ONCE, f"an exchange that waits 0.05 s took {took:.3f} s")
    _, took = timed(lambda: engine.exchange(limit=1, wait=0.0))
    holds(took < AT_ONCE, f"an exchange that waits 0 s took {took:.3f} s")


@theme.clause()
def wake_cuts_the_next_wait_short(maker: Maker) -> None:
    """A wake before an exchange cuts its wait short, and that one only."""
    occupied(maker)
    engine = maker.open("b")
    engine.wake()
    engine.wake()
    _, took = timed(lambda: engine.exchange(limit=1, wait=LONG))
    holds(took < LONG / 2, f"a wake before the exchange did not cut its wait short: it took {took:.3f} s")
    _, took = timed(lambda: engine.exchange(limit=1, wait=0.05))
    holds(took >= 0.04, f"the exchange after the one that was woken waited {took:.3f} s, not 0.05 s")


@theme.clause()
def wake_cuts_a_wait_short(maker: Maker) -> None:
    """A wake from another thread cuts short the wait that goes on."""
    occupied(maker)
    engine = maker.open("b")
    with Together([a_moment_later(engine.wake)]):
        delivery, took = timed(lambda: engine.exchange(limit=1, wait=LONG))
    holds(took < LONG / 2, f"a wake during the exchange did not cut its wait short: it took {took:.3f} s")
    same(delivery.tasks, (), "tasks handed out")


@theme.clause()
def a_wake_loses_no_task(maker: Maker) -> None:
    """A wake does not keep back what there is to hand out, then or later."""
    engine = maker.open()
    fill(engine, "x", "y")
    engine.wake()
    first = take_one(maker, engine)
    engine.wake()
    second = take_one(maker, engine)
    same({first.param, second.param}, {'"x"', '"y"'}, "params handed out")


@theme.clause()
def a_waiting_exchange_gets_what_comes(maker: Maker) -> None:
    """An exchange that waits gets a task that is given back or put meanwhile."""
    other, held = occupied(maker)
    engine = maker.open("b")
    with Together([a_moment_later(lambda: settle(other, Nack(held, charge=False)))]):
        delivery, took = timed(lambda: engine.exchange(limit=1, wait=LONG))
    same([task.id for task in delivery.tasks], [held.id], "tasks handed out to the one that waits for them")
    with Together([a_moment_later(lambda: fill(other, "late"))]):
        delivery, took = timed(lambda: engine.exchange(limit=1, wait=LONG))
    same([task.id for task in delivery.tasks], [task_id("late")], "tasks handed out to the one that waits for them")
    holds(took < LONG / 2, f"what was put after 0.03 s was handed out after {took:.3f} s")


@theme.clause()
def a_limit_of_zero_claims_nothing(maker: Maker) -> None:
    """A limit of 0 claims nothing and waits for nothing."""
    engine = maker.open()
    fill(engine, "x")
    same(engine.exchange(limit=0).tasks, (), "tasks handed out with a limit of 0")
    take_one(maker, engine)
    _, took = timed(lambda: engine.exchange(limit=0, wait=LONG))
    holds(took < AT_ONCE, f"an exchange with a limit of 0 took {took:.3f} s")


@theme.clause()
def a_limit_is_kept(maker: Maker) -> None:
    """Never more tasks than the limit are handed out, and in the end all."""
    engine = maker.open()
    ids = fill(engine, *(f"n{n}" for n in range(7)))
    seen: list[str] = []
    for limit in (3, 3, 1):
        seen += [task.id for task in take(maker, engine, limit)]
    same(sorted(seen), sorted(ids), "tasks handed out")
    gets_nothing(maker, engine, "all are held")


@theme.clause()
def a_leased_task_is_invisible_to_others(maker: Maker) -> None:
    """A task that a minion holds is handed out to nobody, not even to itself."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    take_one(maker, engine)
    gets_nothing(maker, other, "another minion holds it")
    gets_nothing(maker, engine, "this minion holds it")


@theme.clause()
def a_first_delivery_is_the_first(maker: Maker) -> None:
    """A task that is handed out for the first time is at attempt 1, with no crash, as it was put."""
    engine = maker.open()
    engine.put([NewTask(task_id("x"), '"x"')])
    task = take_one(maker, engine)
    same(task._replace(handle=None), Task(task_id("x"), '"x"', 1, 1), "the first delivery of a task")


@theme.clause(ORDER)
def first_in_first_out(maker: Maker) -> None:
    """Fresh tasks are handed out in the order in which they were put, whoever takes them."""
    engine, other = maker.open("a"), maker.open("b")
    ids = fill(engine, *(f"n{n}" for n in range(5))) + fill(other, *(f"m{n}" for n in range(4)))
    taken = take(maker, engine, 3) + take(maker, other, 4) + take(maker, engine, 2)
    same([task.id for task in taken], ids, "the order in which tasks are handed out")


@theme.clause(ORDER, DELIVERIES)
def given_back_before_fresh(maker: Maker) -> None:
    """What was given back is handed out before fresh tasks."""
    engine = maker.open()
    first, *_ = fill(engine, "x", "y", "z")
    task = take_one(maker, engine)
    settle(engine, Nack(task))
    same(take_one(maker, engine).id, first, "the task handed out after one was given back")


@theme.clause()
def settle_and_claim_in_one_exchange(maker: Maker) -> None:
    """One exchange settles what it is given and hands out the next tasks."""
    engine = maker.open()
    ids = fill(engine, "x", "y", "z")
    seen = []
    task = take_one(maker, engine)
    for _ in range(2):
        seen.append(task.id)
        task = take_one(maker, engine, Ack(task))
    settle(engine, Ack(task))
    same(sorted([*seen, task.id]), sorted(ids), "tasks handed out")
    gets_nothing(maker, engine, "all are done")
