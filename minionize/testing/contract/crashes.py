"""Minions that vanish: who is blamed, and how the guilty task is found."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.model import Ack, NewTask
from minionize.testing.contract.checks import (
    admin,
    fill,
    gets_nothing,
    holds,
    new,
    same,
    settle,
    take,
    take_one,
    task_id,
    vanish,
)
from minionize.testing.contract.clause import CRASHES, FENCING, Theme, verbs

if TYPE_CHECKING:
    from minionize.testing.contract.maker import Maker

theme = Theme()


@theme.clause(CRASHES)
def a_crash_counts_once_for_all_that_was_held(maker: Maker) -> None:
    """A crash is counted once for each task the dead minion held, and charged to none."""
    victim = maker.open("victim")
    fill(victim, "x", "y", "z")
    take(maker, victim, 2)
    vanish(maker, victim)
    tasks = take(maker, maker.open("heir"), 3)
    same(sorted(task.crashes for task in tasks), [0, 1, 1], "crashes of the three tasks")
    same({task.attempt for task in tasks}, {1}, "their attempts")


@theme.clause(CRASHES)
def too_many_crashes_are_the_end(maker: Maker) -> None:
    """A task is dead once as many minions vanished with it as are allowed, with a failure of kind ``crash``."""
    (id,) = fill(maker.open("filler", max_crashes=3), "x")
    for count in range(3):
        victim = maker.open(f"victim{count}", max_crashes=3)
        same(take_one(maker, victim).crashes, count, "crashes when handed out again")
        vanish(maker, victim)
    heir = maker.open("heir", max_crashes=3)
    gets_nothing(maker, heir, "three minions vanished with it, and three are allowed")
    if "get" in maker.traits.admin:
        entry = admin(heir).get(id)
        same(entry and (entry.state, entry.crashes), ("dead", 3), "state and crashes")
        same(entry and entry.failure and entry.failure.kind, "crash", "the kind of its failure")


@theme.clause(CRASHES)
def what_crashed_twice_is_handed_out_alone(maker: Maker) -> None:
    """A task that crashed twice is handed out alone: its minion holds nothing else until it is settled."""
    engine = maker.open("a")
    suspects = [NewTask(task_id(name), f'"{name}"', crashes=2) for name in ("s", "t")]
    engine.put([*suspects, *new("x", "y", "z")])
    blamed = {task.id for task in suspects}
    seen: set[str] = set()
    while len(seen) < 5:
        held = list(engine.exchange(limit=10, wait=maker.patience).tasks)
        holds(held, f"nothing was handed out although only {len(seen)} of 5 tasks were settled")
        held += engine.exchange(limit=10, wait=maker.pause).tasks
        names = [task.param for task in held]
        holds(len(held) == 1 or not blamed.intersection(task.id for task in held), f"held together: {names}")
        seen.update(task.id for task in held)
        settle(engine, *map(Ack, held))
    gets_nothing(maker, engine, "all are done")


@theme.clause(CRASHES)
def two_crashes_are_enough_to_be_alone(maker: Maker) -> None:
    """Crashes seen by the queue itself make a task be handed out alone, as crashes it came with do."""
    first = maker.open("victim1")
    (id,) = fill(first, "x")
    take_one(maker, first)
    vanish(maker, first)
    second = maker.open("victim2")
    take_one(maker, second)
    fill(second, "y", "z")
    vanish(maker, second)
    engine = maker.open("a")
    held = list(engine.exchange(limit=10, wait=maker.pause).tasks)
    held += engine.exchange(limit=10, wait=maker.pause).tasks
    holds(held, "nothing was handed out although three tasks wait")
    holds(len(held) == 1 or id not in {task.id for task in held}, "a task that crashed twice is held with others")


@theme.clause(CRASHES)
def the_one_alone_goes_to_another_minion(maker: Maker) -> None:
    """A task that crashed twice does not wait for a busy minion: one that holds nothing gets it."""
    busy, idle = maker.open("busy"), maker.open("idle")
    fill(busy, "x")
    take_one(maker, busy)
    busy.put([NewTask(task_id("s"), '"s"', crashes=2)])
    gets_nothing(maker, busy, "it holds another task, and this one crashed twice")
    same(take_one(maker, idle).crashes, 2, "crashes of the task that goes to the idle minion")


@theme.clause(CRASHES)
def crashes_of_the_preemptible_are_not_counted(maker: Maker) -> None:
    """A crash of a preemptible minion is not counted against what it held."""
    victim = maker.open("victim", max_crashes=1, preemptible=True)
    fill(victim, "x")
    take_one(maker, victim)
    vanish(maker, victim)
    task = take_one(maker, maker.open("heir", max_crashes=1))
    same((task.attempt, task.delivery, task.crashes), (1, 2, 0), "attempt, delivery and crashes")


@theme.clause(CRASHES, FENCING, verbs("get"))
def a_crash_says_who(maker: Maker) -> None:
    """A task that died of crashes names the minion that held it last."""
    victim = maker.open("victim", max_crashes=1)
    (id,) = fill(victim, "x")
    take_one(maker, victim)
    vanish(maker, victim)
    heir = maker.open("heir", max_crashes=1)
    gets_nothing(maker, heir, "its minion vanished, and one crash is allowed")
    entry = admin(heir).get(id)
    same(entry and entry.minion, "victim", "the minion that held it last")
    same(entry and entry.failure and entry.failure.minion, "victim", "the minion named by the failure")
