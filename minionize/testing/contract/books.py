"""The books: counts, and the end."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.model import Ack, Bury, Counts, Nack
from minionize.testing.contract.checks import (
    AT_ONCE,
    LONG,
    eventually,
    fill,
    holds,
    new,
    same,
    settle,
    take,
    take_one,
    timed,
    vanish,
)
from minionize.testing.contract.clause import COUNTS, DELAY, EXACT, FINITE, LEASE, Need, Theme
from minionize.testing.contract.settling import FAILURE

if TYPE_CHECKING:
    from minionize.engines.base import Engine
    from minionize.model import Task
    from minionize.testing.contract.maker import Maker

theme = Theme()

#: Engines that count need not count everything: what they do not know is None, and not compared.
ZERO = Counts(0, 0, 0, 0, 0)


def expect(maker: Maker, engine: Engine, expected: Counts, when: str) -> None:
    """Require these counts: at once where they are exact, in the end where they are approximate."""

    def read() -> Counts:
        found = engine.counts()
        return Counts(*(e if f is None else f for f, e in zip(found, expected, strict=True)))

    if maker.traits.counts == "exact":
        same(read(), expected, f"counts {when}")
    else:
        eventually(maker, read, expected, f"counts {when}")


@theme.clause(COUNTS)
def counts_follow_the_life_of_tasks(maker: Maker) -> None:
    """The counts follow each task through its life, and are the same for every minion."""
    engine, other = maker.open("a"), maker.open("b")
    expect(maker, engine, ZERO, "of a new queue")
    fill(engine, *(f"n{n}" for n in range(6)))
    expect(maker, other, Counts(6, 0, 0, 0, 0), "after 6 were put")
    tasks = take(maker, engine, 4)
    expect(maker, other, Counts(2, 0, 4, 0, 0), "after 4 were taken")
    settle(engine, Ack(tasks[0]))
    expect(maker, other, Counts(2, 0, 3, 1, 0), "after an ack")
    settle(engine, Bury(tasks[1], FAILURE))
    expect(maker, other, Counts(2, 0, 2, 1, 1), "after a bury")
    settle(engine, Nack(tasks[2]))
    expect(maker, other, Counts(3, 0, 1, 1, 1), "after a nack")
    engine.close()
    expect(maker, other, Counts(4, 0, 0, 1, 1), "after the minion left")


@theme.clause(COUNTS, DELAY)
def delayed_tasks_are_counted_apart(maker: Maker) -> None:
    """A delayed task is counted as such, and as pending once its delay is over."""
    engine = maker.open()
    fill(engine, "x")
    settle(engine, Nack(take_one(maker, engine), delay=maker.lease))
    expect(maker, engine, Counts(0, 1, 0, 0, 0), "with one task delayed")
    maker.advance(maker.lease * 1.2)
    expect(maker, engine, Counts(1, 0, 0, 0, 0), "after the delay")


@theme.clause(EXACT, LEASE)
def counts_survive_a_crash(maker: Maker) -> None:
    """The counts add up after minions vanished."""
    victim, heir = maker.open("victim"), maker.open("heir")
    fill(victim, "x", "y", "z")
    take(maker, victim, 2)
    vanish(maker, victim)
    tasks = take(maker, heir, 3)
    expect(maker, heir, Counts(0, 0, 3, 0, 0), "after the heir took all")
    settle(heir, *map(Ack, tasks))
    expect(maker, heir, Counts(0, 0, 0, 3, 0), "after the heir finished all")


@theme.clause(Need("counts is exact", lambda traits: traits.counts != "exact"))
def what_is_unknown_is_none(maker: Maker) -> None:
    """An engine that cannot count says None, not a number that looks like one."""
    engine = maker.open()
    counts = engine.counts()
    if maker.traits.counts == "none":
        same(set(counts), {None}, "the counts of an engine that cannot count")
    holds(all(count is None or count >= 0 for count in counts), f"a count is below zero: {counts}")


@theme.clause(FINITE)
def the_end_is_when_all_is_settled(maker: Maker) -> None:
    """The state is ``ended`` only when nothing is pending, delayed or held, by anybody."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x", "y")
    task, second = take(maker, engine, 2)
    expect_state(maker, other, "open", "another minion holds two tasks")
    settle(engine, Ack(second))
    expect_state(maker, other, "open", "another minion holds a task")
    expect_state(maker, engine, "open", "this minion holds a task")
    if maker.traits.delay:
        settle(engine, Nack(task, delay=maker.lease))
        expect_state(maker, other, "open", "a task is delayed")
        maker.advance(maker.lease * 1.2)
        task = take_one(maker, other)
        engine, other = other, engine
    same(
        engine.exchange([Ack(task)], limit=1).state,
        "ended",
        "the state told by the exchange that settles the last task",
    )
    expect_state(maker, other, "ended", "all is done")


@theme.clause(FINITE)
def the_end_needs_no_claim(maker: Maker) -> None:
    """Settling the last task says that it was the last, also where nothing more is asked for."""
    engine = maker.open()
    fill(engine, "x", "y")
    task = take_one(maker, engine)
    same(engine.exchange([Ack(task)]).state, "open", "the state while a task is pending")
    task = take_one(maker, engine)
    same(engine.exchange([Ack(task)]).state, "ended", "the state after the last task")


@theme.clause(FINITE)
def dead_letters_do_not_hold_up_the_end(maker: Maker) -> None:
    """A queue with nothing but dead letters has ended; a put opens it again."""
    engine = maker.open()
    fill(engine, "x")
    settle(engine, Bury(take_one(maker, engine), FAILURE))
    expect_state(maker, engine, "ended", "there is nothing but a dead letter")
    engine.put(new("y"))
    task: Task = take_one(maker, engine)
    expect_state(maker, engine, "open", "a task is held")
    settle(engine, Ack(task))
    expect_state(maker, engine, "ended", "that is done too")


@theme.clause(FINITE)
def nobody_waits_at_the_end(maker: Maker) -> None:
    """An exchange does not wait where the queue has ended."""
    engine = maker.open()
    delivery, took = timed(lambda: engine.exchange(limit=1, wait=LONG))
    same(delivery.state, "ended", "the state of a queue with nothing in it")
    holds(took < AT_ONCE, f"an exchange waited {took:.1f} s at an ended queue")


@theme.clause(FINITE, LEASE)
def what_the_dead_hold_is_not_the_end(maker: Maker) -> None:
    """A task held by a minion that vanished does not count as settled."""
    victim, heir = maker.open("victim"), maker.open("heir")
    fill(victim, "x")
    take_one(maker, victim)
    maker.kill(victim)
    same(heir.exchange(limit=0).state, "open", "the state while a dead minion holds a task")


def expect_state(maker: Maker, engine: Engine, state: str, why: str) -> None:
    """Require that an exchange which takes nothing tells this state."""
    delivery = engine.exchange(limit=1, wait=maker.pause)
    same(delivery.tasks, (), f"tasks handed out although {why}")
    same(delivery.state, state, f"the state when {why}")
