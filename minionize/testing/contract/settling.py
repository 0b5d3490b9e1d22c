"""Ack, nack, bury: what each does, and that doing it twice is harmless."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.model import Ack, Bury, Failure, Nack
from minionize.testing.contract.checks import (
    admin,
    fill,
    gets_nothing,
    holds,
    same,
    same_task,
    settle,
    settled_for_good,
    take,
    take_one,
    task_id,
)
from minionize.testing.contract.clause import DEDUP, DELAY, DELIVERIES, FENCING, LOOKS, Theme, verbs

if TYPE_CHECKING:
    from minionize.engines.base import Engine
    from minionize.model import Entry
    from minionize.testing.contract.maker import Maker

theme = Theme()

FAILURE = Failure(
    kind="exit",
    reason="exit code 3: \u2603",
    exit=3,
    signal=None,
    stderr='line 1\nline "2"\x00\x1b[31m \ufffd\n',
    minion="a",
    host="node-1",
    at=1700000000.25,
)


@theme.clause()
def acked_never_returns(maker: Maker) -> None:
    """A task that was acknowledged is handed out to nobody again, whatever else happens to its minion."""
    engine = maker.open("a")
    fill(engine, "x")
    settle(engine, Ack(take_one(maker, engine)))
    gets_nothing(maker, engine, "it is done")
    settled_for_good(maker)
    maker.kill(engine)
    maker.advance(maker.lease * 1.2)
    gets_nothing(maker, maker.open("b"), "it is done")


@theme.clause()
def acked_never_returns_after_reopen(maker: Maker) -> None:
    """A task that was acknowledged does not come back when the queue is closed and opened again; the others are there."""
    engine = maker.open("a")
    fill(engine, "x", "y")
    done = take_one(maker, engine)
    settle(engine, Ack(done))
    engine.close()
    again = maker.open("b")
    holds(take_one(maker, again).id != done.id, "a done task came back after the queue was opened again")
    gets_nothing(maker, again, "one is done and the other is held")


@theme.clause()
def an_ack_twice_is_harmless(maker: Maker) -> None:
    """The same ack twice is accepted, and changes nothing."""
    engine = maker.open()
    fill(engine, "x")
    task = take_one(maker, engine)
    settle(engine, Ack(task))
    settle(engine, Ack(task))
    gets_nothing(maker, engine, "it is done")


@theme.clause()
def a_nack_twice_is_harmless(maker: Maker) -> None:
    """The same nack twice is accepted, gives the task back once and charges it once."""
    engine = maker.open()
    fill(engine, "x")
    task = take_one(maker, engine)
    settle(engine, Nack(task))
    settle(engine, Nack(task))
    same_task(maker, take_one(maker, engine), task, attempt=2, what="the task after the same charged nack twice")
    gets_nothing(maker, engine, "it is held")


@theme.clause()
def a_bury_twice_is_harmless(maker: Maker) -> None:
    """The same bury twice is accepted, and leaves one dead letter."""
    engine = maker.open()
    fill(engine, "x")
    task = take_one(maker, engine)
    settle(engine, Bury(task, FAILURE))
    settle(engine, Bury(task, FAILURE))
    gets_nothing(maker, engine, "it is dead")
    if maker.traits.counts == "exact":
        same(engine.counts().dead, 1, "dead letters")


@theme.clause()
def many_settlements_twice_are_harmless(maker: Maker) -> None:
    """An exchange that is repeated as a whole, as after an error, settles each task once."""
    engine = maker.open()
    fill(engine, "x", "y", "z")
    x, y, z = take(maker, engine, 3)
    batch = (Ack(x), Bury(y, FAILURE), Nack(z, charge=True))
    settle(engine, *batch)
    settle(engine, *batch)
    again = take_one(maker, engine)
    same_task(maker, again, z, attempt=2, what="the one task of three that was given back")


@theme.clause(DELIVERIES, FENCING)
def an_earlier_delivery_cannot_be_settled(maker: Maker) -> None:
    """A settlement of an earlier delivery does not touch the current one, though the same minion holds it again."""
    engine = maker.open()
    fill(engine, "x")
    first = take_one(maker, engine)
    settle(engine, Nack(first))
    second = take_one(maker, engine)
    engine.exchange([Ack(first)])
    same(engine.renew([second]), [], "tasks lost by a settlement of an earlier delivery")
    settle(engine, Nack(second))
    same(take_one(maker, engine).delivery, 3, "the delivery after the second one was given back")


@theme.clause()
def a_charged_nack(maker: Maker) -> None:
    """A charged nack gives the task back at the next attempt and the next delivery."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    task = take_one(maker, engine)
    settle(engine, Nack(task, charge=True))
    same_task(maker, take_one(maker, other), task, attempt=2, what="the task after a charged nack")


@theme.clause()
def an_uncharged_nack(maker: Maker) -> None:
    """An uncharged nack gives the task back at the same attempt and the next delivery."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    task = take_one(maker, engine)
    settle(engine, Nack(task, charge=False))
    same_task(maker, take_one(maker, other), task, attempt=1, what="the task after an uncharged nack")


@theme.clause(DELAY)
def a_delayed_nack_is_not_offered_before_its_time(maker: Maker) -> None:
    """A task given back with a delay is handed out once that is over, not before."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    task = take_one(maker, engine)
    settle(engine, Nack(task, delay=maker.lease))
    gets_nothing(maker, other, "its delay has only begun")
    maker.advance(maker.lease * 0.7)
    gets_nothing(maker, other, "its delay is not over")
    gets_nothing(maker, engine, "its delay is not over, also for the minion that gave it back")
    maker.advance(maker.lease * 0.4)
    same_task(maker, take_one(maker, other), task, attempt=2, what="the task after the delay")


@theme.clause(DELAY)
def next_due_tells_the_seconds(maker: Maker) -> None:
    """``next_due`` tells in how many seconds the first delayed task is due; None where there is none."""
    engine = maker.open("a")
    fill(engine, "x", "y", "z")
    x, y, z = take(maker, engine, 3)
    same(engine.exchange(limit=1).next_due, None, "next_due with no task delayed")
    settle(engine, Nack(x, delay=maker.lease * 0.8), Nack(y, delay=maker.lease * 0.4))
    due = engine.exchange(limit=1).next_due
    if due is None:
        holds(maker.traits.counts != "exact", "next_due is unknown to an engine that keeps exact books")
    else:
        holds(
            0.2 * maker.lease < due <= 0.4 * maker.lease,
            f"next_due is {due} s, not {0.4 * maker.lease:g} s or a little less",
        )
    maker.advance(maker.lease * 0.5)
    same(take_one(maker, engine).id, y.id, "the task that is due first")
    settle(engine, Ack(z))


@theme.clause(DEDUP, verbs("get"))
def a_result_is_kept(maker: Maker) -> None:
    """The result of a done task is kept as it was given, where done tasks are kept."""
    engine = maker.open()
    results = {"x": '{"loss": 0.10, "name": "\u2603\\n"}', "y": "null", "z": None}
    fill(engine, *results)
    for task in take(maker, engine, 3):
        settle(engine, Ack(task, results[task.param.strip('"')]))
    for name, result in results.items():
        entry = entry_of(engine, task_id(name))
        same((entry.state, entry.result), ("done", result), f"state and result of {name}")


@theme.clause(verbs("get"), LOOKS)
def the_failure_of_a_nack_is_kept(maker: Maker) -> None:
    """The failure given with a nack is kept whole while the task waits for its next attempt."""
    engine = maker.open()
    (id,) = fill(engine, "x")
    settle(engine, Nack(take_one(maker, engine), failure=FAILURE))
    same(entry_of(engine, id).failure, FAILURE, "the failure of a nack")


@theme.clause(verbs("get"))
def the_failure_of_a_bury_is_kept(maker: Maker) -> None:
    """The failure given with a bury is kept whole with the dead letter."""
    engine = maker.open("a")
    (id,) = fill(engine, "x")
    settle(engine, Bury(take_one(maker, engine), FAILURE))
    engine.close()
    entry = entry_of(maker.open("b"), id)
    same((entry.state, entry.failure), ("dead", FAILURE), "state and failure of a dead letter")


@theme.clause()
def dead_letters_are_kept_back(maker: Maker) -> None:
    """A dead letter is handed out to nobody, however long one waits."""
    engine = maker.open("a")
    fill(engine, "x")
    settle(engine, Bury(take_one(maker, engine), FAILURE))
    maker.advance(maker.lease * 1.2)
    gets_nothing(maker, maker.open("b"), "it is dead")


def entry_of(engine: Engine, id: str) -> Entry:
    """Read an entry that has to be there."""
    entry = admin(engine).get(id)
    if entry is None:
        raise AssertionError(f"task {id} is not on the books")
    return entry
