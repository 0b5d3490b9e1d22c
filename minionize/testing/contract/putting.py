"""Putting tasks: known ones, all or none, those with a past."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.model import Ack, Bury, Nack, NewTask
from minionize.testing.contract.checks import (
    fill,
    gets_nothing,
    new,
    raises,
    same,
    settle,
    take,
    take_one,
    task_id,
)
from minionize.testing.contract.clause import DEDUP, DELAY, Theme
from minionize.testing.contract.settling import FAILURE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.testing.contract.maker import Maker

theme = Theme()


class _BrokenSourceError(Exception):
    """What a source of tasks raises that breaks off."""


@theme.clause()
def a_put_says_how_many(maker: Maker) -> None:
    """A put takes any iterable, once, and says how many tasks it added; one of nothing adds nothing."""
    engine = maker.open()
    same(engine.put(iter(new("x", "y"))).added, 2, "tasks added")
    same(engine.put(iter(())).added, 0, "tasks added by a put of nothing")
    take(maker, engine, 2)
    gets_nothing(maker, engine, "two were put and two are held")


@theme.clause(DEDUP)
def known_tasks_add_nothing(maker: Maker) -> None:
    """A put of known ids adds only the others, and says by state how many were known."""
    engine = maker.open()
    fill(engine, "done", "dead", "leased", "delayed", "pending", "pending2")
    tasks = {task.param.strip('"'): task for task in take(maker, engine, 6)}
    settle(
        engine,
        Ack(tasks["done"]),
        Bury(tasks["dead"], FAILURE),
        Nack(tasks["delayed"], delay=maker.lease if maker.traits.delay else 0),
        Nack(tasks["pending"]),
        Nack(tasks["pending2"]),
    )
    put = engine.put(new("pending", "new1", "delayed", "leased", "dead", "new2", "done", "pending2"))
    same(put.added, 2, "tasks added")
    known = {state: count for state, count in (put.known or {}).items() if count}
    expected = {"pending": 2, "delayed": 1, "leased": 1, "done": 1, "dead": 1}
    if not maker.traits.delay:
        expected = {"pending": 3, "leased": 1, "done": 1, "dead": 1}
    same(known, expected, "tasks known, by state")


@theme.clause(DEDUP)
def a_done_task_put_again_stays_done(maker: Maker) -> None:
    """A done task that is put again is not handed out again."""
    engine = maker.open()
    fill(engine, "x")
    settle(engine, Ack(take_one(maker, engine)))
    same(engine.put(new("x")).added, 0, "tasks added")
    gets_nothing(maker, engine, "it is done")


@theme.clause(DEDUP)
def an_id_that_stands_twice_is_added_once(maker: Maker) -> None:
    """An id that stands twice in one put is added once, into an empty queue and into another."""
    engine = maker.open()
    for twice in (new("x", "x"), new("y", "z", "y")):
        same(engine.put(twice).added, len(twice) - 1, "tasks added")
        take(maker, engine, len(twice) - 1)
        gets_nothing(maker, engine, "an id that stands twice is one task")


@theme.clause()
def a_put_is_all_or_nothing(maker: Maker) -> None:
    """A put whose source raises in the middle raises that, and adds nothing."""
    engine, other = maker.open("a"), maker.open("b")

    def broken() -> Iterator[NewTask]:
        yield from new(*(f"n{n}" for n in range(1500)))
        raise _BrokenSourceError

    raises(_BrokenSourceError, lambda: engine.put(broken()), "put from a source that breaks off")
    gets_nothing(maker, other, "the put broke off")
    fill(engine, "n1", "y")
    take(maker, other, 2)
    gets_nothing(maker, other, "the first put broke off and both tasks of the second are held")


@theme.clause()
def a_past_is_kept(maker: Maker) -> None:
    """A task that comes from another queue keeps its attempt and its crashes."""
    engine = maker.open()
    engine.put([NewTask(task_id("x"), '"x"', attempt=3, crashes=1)])
    task = take_one(maker, engine)
    same((task.attempt, task.delivery, task.crashes), (3, 1, 1), "attempt, delivery and crashes")
    settle(engine, Nack(task))
    same(take_one(maker, engine).attempt, 4, "the attempt after a charged nack")


@theme.clause(DELAY)
def a_due_time_is_kept(maker: Maker) -> None:
    """A task that is put with a time to come is not handed out before; one whose time is past is, at once."""
    engine = maker.open()
    now = maker.now()
    engine.put(
        [
            NewTask(task_id("later"), '"later"', due=now + maker.lease),
            NewTask(task_id("now"), '"now"', due=now - maker.lease),
        ]
    )
    settle(engine, Ack(take_one(maker, engine)))
    gets_nothing(maker, engine, "its time has not come")
    maker.advance(maker.lease * 0.7)
    gets_nothing(maker, engine, "its time has not come")
    maker.advance(maker.lease * 0.4)
    same(take_one(maker, engine).param, '"later"', "the task whose time has come")
