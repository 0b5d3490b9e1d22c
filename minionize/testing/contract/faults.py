"""Queues that break, and queues of another time. These need means that only some makers have."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.errors import EngineError, EngineUnavailable
from minionize.model import Ack, Bury
from minionize.testing.contract.checks import (
    eventually,
    fill,
    gets_nothing,
    holds,
    persistently,
    raises,
    same,
    settle,
    settled_for_good,
    take,
    take_one,
    vanish,
)
from minionize.testing.contract.clause import DURABLE, LEASE, DoesNotApply, Theme
from minionize.testing.contract.settling import FAILURE

if TYPE_CHECKING:
    from minionize.testing.contract.maker import Maker

theme = Theme()


def restart(maker: Maker) -> None:
    """Restart the server, where there is one."""
    settled_for_good(maker)
    if not maker.restart():
        raise DoesNotApply("the maker cannot restart the queue")


@theme.clause(DURABLE)
def a_restart_before_a_claim_loses_nothing(maker: Maker) -> None:
    """After the queue's server restarted, minions get what was put before, once they ask again."""
    engine = maker.open()
    ids = fill(engine, "x", "y")
    restart(maker)
    tasks = persistently(maker, lambda: take(maker, engine, 2))
    same({task.id for task in tasks}, set(ids), "tasks handed out after a restart")


@theme.clause(DURABLE)
def a_restart_before_a_settlement_loses_nothing(maker: Maker) -> None:
    """A task that was taken before a restart and settled after it is done, or is handed out again: never lost."""
    engine = maker.open("a")
    fill(engine, "x")
    task = take_one(maker, engine)
    restart(maker)
    refused = persistently(maker, lambda: engine.exchange([Ack(task)]).gone)
    if refused:
        again = persistently(maker, lambda: take_one(maker, engine))
        same(again.id, task.id, "the task that was refused")
    else:
        vanish(maker, engine)
        gets_nothing(maker, maker.open("b"), "its ack was accepted")


@theme.clause(DURABLE, LEASE)
def a_restart_before_a_renewal_loses_nothing(maker: Maker) -> None:
    """A renewal after a restart goes on, or says what is gone; what was done before it stays done."""
    engine = maker.open("a")
    fill(engine, "x", "y")
    done, held = take(maker, engine, 2)
    settle(engine, Ack(done))
    restart(maker)
    persistently(maker, lambda: engine.renew([held]))
    vanish(maker, engine)
    heir = maker.open("heir")
    same(persistently(maker, lambda: take_one(maker, heir)).id, held.id, "what comes back after a restart")
    gets_nothing(maker, heir, "the other one is done")


@theme.clause()
def what_cannot_be_decoded_says_so(maker: Maker) -> None:
    """A message that is no param is handed out with the reason, to be buried; the tasks behind it are handed out too."""
    engine = maker.open()
    if not maker.spoil():
        raise DoesNotApply("the maker cannot put a message that is not readable")
    fill(engine, "x")
    tasks = {bool(task.error): task for task in take(maker, engine, 2)}
    same(set(tasks), {True, False}, "tasks that are no params, and others")
    same(tasks[False].param, '"x"', "the task behind the message that is not readable")
    settle(engine, Bury(tasks[True], FAILURE), Ack(tasks[False]))
    gets_nothing(maker, engine, "one is dead and the other is done")
    if engine.counts().dead is not None:
        eventually(maker, lambda: engine.counts().dead, 1, "dead letters")


@theme.clause(DURABLE)
def a_newer_queue_is_refused(maker: Maker) -> None:
    """A queue that a later version wrote is refused with an EngineError, and left as it is."""
    engine = maker.open("a")
    fill(engine, "x")
    engine.close()
    read = maker.newer()
    if read is None:
        raise DoesNotApply("the maker cannot make a queue of a later version")
    before = read()
    error = raises(EngineError, lambda: maker.open("b"), "opening a queue of a later version")
    holds(
        not isinstance(error, EngineUnavailable),
        "it is said that the queue may come back, so minions would wait for it",
    )
    holds(read() == before, "the queue of a later version was changed")


@theme.clause(DURABLE)
def a_queue_keeps_its_identity(maker: Maker) -> None:
    """A queue has the same identity and place for all its minions, and after it was closed and opened again."""
    first, second = maker.open("a"), maker.open("b")
    same((second.queue, second.where), (first.queue, first.where), "identity and place for a second minion")
    holds(first.queue and first.where, "a queue has no identity or no place")
    fill(first, "x")
    first.close()
    second.close()
    same(maker.open("c").queue, second.queue, "identity after it was closed and opened again")
