"""Holding tasks: leases, their renewal, their loss."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.model import Ack, Bury, Nack
from minionize.testing.contract.checks import (
    admin,
    fill,
    gets_nothing,
    gone,
    holds,
    lost,
    same,
    same_task,
    settle,
    take,
    take_one,
    vanish,
)
from minionize.testing.contract.clause import DELIVERIES, FENCING, LEASE, Need, Theme, verbs
from minionize.testing.contract.settling import FAILURE

if TYPE_CHECKING:
    from minionize.engines.base import Engine
    from minionize.model import Settlement, Task
    from minionize.testing.contract.maker import Maker

theme = Theme()

TIMED = Need("lease is not timed", lambda traits: traits.lease == "timed")


@theme.clause(LEASE)
def kill_of_the_holder_loses_nothing(maker: Maker) -> None:
    """What a minion held that vanished comes back, all of it, with no help from the dead."""
    victim = maker.open("victim")
    ids = fill(victim, "x", "y", "z")
    settle(victim, Ack(take(maker, victim, 3)[0]))
    vanish(maker, victim)
    heir = maker.open("heir")
    left = take(maker, heir, 2)
    holds({task.id for task in left} < set(ids), "the heir got tasks that the dead minion did not hold")
    same({task.attempt for task in left}, {1}, "attempts of tasks whose minion vanished")
    if maker.traits.deliveries == "durable":
        same([(task.delivery, task.crashes) for task in left], [(2, 1), (2, 1)], "their delivery and crashes")


@theme.clause(TIMED)
def a_lease_lasts(maker: Maker) -> None:
    """A task is not taken from a silent minion before its lease ended."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    take_one(maker, engine)
    maker.advance(maker.lease * 0.6)
    gets_nothing(maker, other, "its lease has not ended")


@theme.clause(TIMED)
def renew_keeps_it(maker: Maker) -> None:
    """Renewing keeps what is held, for as long as it is done."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x", "y")
    tasks = take(maker, engine, 2)
    for _ in range(4):
        maker.advance(maker.lease * 0.6)
        same(engine.renew(tasks), [], "tasks that a renewal in time says are gone")
        gets_nothing(maker, other, "its lease was renewed")
    settle(engine, *map(Ack, tasks))


@theme.clause(TIMED, FENCING)
def renew_after_loss_says_so(maker: Maker) -> None:
    """Renewing a task that another minion took over says that it is lost, and leaves the other one alone."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    task = take_one(maker, engine)
    maker.advance(maker.lease * 1.2)
    taken = take_one(maker, other)
    same(gone(engine.renew([task])), lost(task), "what a renewal says after the loss")
    same(other.renew([taken]), [], "what the renewal of the new holder says")
    same(gone(engine.renew([task])), lost(task), "what a second renewal says after the loss")
    settle(other, Ack(taken))


@theme.clause(TIMED, FENCING)
def a_late_ack_is_refused(maker: Maker) -> None:
    """An ack after the loss is refused as lost, and the new holder keeps the task and can give it back."""
    new = _settled_late(maker, Ack)
    settle(*new)
    again = take_one(maker, new[0])
    same(again.id, new[1].task.id, "the task that the new holder gave back")


@theme.clause(TIMED, FENCING)
def a_late_nack_is_refused(maker: Maker) -> None:
    """A nack after the loss is refused as lost, and charges nothing."""
    new = _settled_late(maker, Nack)
    settle(*new)
    same(take_one(maker, new[0]).attempt, 1, "the attempt after a late charged nack")


@theme.clause(TIMED, FENCING)
def a_late_bury_is_refused(maker: Maker) -> None:
    """A bury after the loss is refused as lost, and the task lives."""
    new = _settled_late(maker, lambda task: Bury(task, FAILURE))
    settle(*new)
    take_one(maker, new[0])


@theme.clause(TIMED, FENCING)
def a_late_settlement_after_the_end_is_refused(maker: Maker) -> None:
    """A settlement after the new holder has settled changes nothing."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    task = take_one(maker, engine)
    maker.advance(maker.lease * 1.2)
    settle(other, Ack(take_one(maker, other)))
    same(gone(engine.exchange([Nack(task)]).gone), lost(task), "settlements refused after the end")
    gets_nothing(maker, other, "it is done")


@theme.clause(FENCING)
def only_the_holder_settles(maker: Maker) -> None:
    """A minion cannot settle what another one holds, even if it knows all about it."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x", "y")
    task, _ = take_one(maker, engine), take_one(maker, other)
    same(gone(other.exchange([Nack(task)]).gone), lost(task), "settlements refused from a minion that does not hold it")
    gets_nothing(maker, other, "it is still held")
    settle(engine, Ack(task))


@theme.clause(FENCING, verbs("release"))
def a_settlement_is_never_swallowed(maker: Maker) -> None:
    """A settlement of a task that was taken away is refused as lost, also while nobody has taken it yet."""
    engine, other = maker.open("a"), maker.open("b")
    (id,) = fill(engine, "x")
    task = take_one(maker, engine)
    admin(other).release([id])
    same(gone(engine.exchange([Ack(task)]).gone), lost(task), "settlements refused")
    same(take_one(maker, other).id, id, "the task that is still to be done")


@theme.clause(FENCING)
def what_is_not_named_is_given_back(maker: Maker) -> None:
    """What a minion holds and does not name when it renews is given back at once: not charged, no crash."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x", "y")
    kept, dropped = take(maker, engine, 2)
    same(engine.renew([kept]), [], "tasks gone")
    same_task(maker, take_one(maker, other), dropped, attempt=1, what="what was not named")
    gets_nothing(maker, other, "the other one was named")
    same(gone(engine.exchange([Ack(dropped)]).gone), lost(dropped), "settlements of what was given back")
    settle(engine, Ack(kept))


@theme.clause()
def close_gives_back_at_once(maker: Maker) -> None:
    """Closing gives back what is held, at once and not charged; closing twice is harmless."""
    engine, other = maker.open("a"), maker.open("b")
    ids = fill(engine, "x", "y")
    take(maker, engine, 2)
    engine.close()
    engine.close()
    tasks = take(maker, other, 2)
    same({task.id for task in tasks}, set(ids), "what was given back by closing")
    same({(task.attempt, task.crashes) for task in tasks}, {(1, 0)}, "their attempt and crashes")


@theme.clause()
def close_leaves_others_alone(maker: Maker) -> None:
    """Closing gives back nothing of other minions."""
    engine, other, third = maker.open("a"), maker.open("b"), maker.open("c")
    fill(engine, "x", "y")
    take_one(maker, engine)
    held = take_one(maker, other)
    engine.close()
    take_one(maker, third)
    gets_nothing(maker, third, "the other minion holds the other task")
    settle(other, Ack(held))


@theme.clause(DELIVERIES)
def every_delivery_counts(maker: Maker) -> None:
    """Each handing out is one delivery more, however the one before ended."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    task = take_one(maker, engine)
    settle(engine, Nack(task, charge=True))
    task = take_one(maker, engine)
    settle(engine, Nack(task, charge=False))
    take_one(maker, engine)
    engine.close()
    task = take_one(maker, other)
    same((task.attempt, task.delivery), (2, 4), "attempt and delivery at the fourth delivery, one having been charged")


def _settled_late(maker: Maker, late: type[Ack | Nack] | _Late) -> tuple[Engine, Nack]:
    """Let a minion settle after another one took over; returns that one, and how it gives the task back."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x")
    task = take_one(maker, engine)
    maker.advance(maker.lease * 1.2)
    taken = take_one(maker, other)
    same(gone(engine.exchange([late(task)]).gone), lost(task), "settlements refused after the loss")
    gets_nothing(maker, engine, "the new holder holds it")
    same(other.renew([taken]), [], "what the new holder lost by the late settlement")
    return other, Nack(taken, charge=False)


if TYPE_CHECKING:
    from collections.abc import Callable

    _Late = Callable[[Task], Settlement]
