"""What people do to a queue while minions use it."""

# ruff: noqa: D401 - the docstring of a clause is a sentence about engines, not an order to the function

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.errors import UsageError
from minionize.model import Ack, Bury, Control, Counts, Nack, NewTask
from minionize.testing.contract.books import ZERO, expect
from minionize.testing.contract.checks import (
    AT_ONCE,
    LONG,
    Together,
    a_moment_later,
    admin,
    cancelled,
    fill,
    gets_nothing,
    gone,
    holds,
    lost,
    new,
    occupied,
    raises,
    same,
    settle,
    take,
    take_one,
    task_id,
    timed,
)
from minionize.testing.contract.clause import COUNTS, DELAY, FENCING, FINITE, LOOKS, Theme, verbs
from minionize.testing.contract.leases import TIMED
from minionize.testing.contract.settling import FAILURE, entry_of

if TYPE_CHECKING:
    from minionize.engines.base import Engine
    from minionize.model import State
    from minionize.testing.contract.maker import Maker

theme = Theme()

DAY = 86400.0


def listed(engine: Engine, state: State | None = None, limit: int | None = None) -> list[str]:
    """List params, without their quotes."""
    return [entry.param.strip('"') for entry in admin(engine).list(state, limit)]


# ---------------------------------------------------------------------- looking


@theme.clause(verbs("list"), LOOKS, DELAY)
def tasks_are_listed_by_state(maker: Maker) -> None:
    """Tasks are listed by state, with who holds them, since when, until when, and why they failed."""
    engine = maker.open("a")
    before = maker.now() - 1
    fill(engine, "dead", "delayed", "leased", "x", "y")
    dead, delayed, leased = sorted(take(maker, engine, 3), key=lambda task: task.param)
    settle(engine, Bury(dead, FAILURE), Nack(delayed, delay=maker.lease))
    for state in ("dead", "delayed", "leased"):
        same(listed(engine, state), [state], f"tasks listed as {state}")
    same(listed(engine, "pending"), ["x", "y"], "tasks listed as pending, oldest first")
    entry = next(admin(engine).list("leased"))
    same((entry.id, entry.state, entry.attempt, entry.delivery), (leased.id, "leased", 1, 1), "the task that is held")
    same(entry.minion, "a", "the minion that holds it")
    holds(before <= (entry.since or 0) <= maker.now() + 1, f"it is held since {entry.since}, the epoch's seconds")
    entry = next(admin(engine).list("delayed"))
    left = (entry.due or 0) - maker.now()
    holds(0 < left <= maker.lease + 1, f"the delayed task is due in {left} s")
    same(next(admin(engine).list("dead")).failure, FAILURE, "the failure of the dead letter")


@theme.clause(verbs("list"), LOOKS)
def a_listing_is_oldest_first_and_can_be_cut(maker: Maker) -> None:
    """All tasks are listed, oldest first, or as many as were asked for."""
    engine = maker.open()
    names = [f"n{n}" for n in range(9)]
    fill(engine, *names[:5])
    fill(engine, *names[5:])
    same(listed(engine), names, "all tasks")
    same(listed(engine, None, 3), names[:3], "the first three")
    same(listed(engine, "pending", 0), [], "none of them")
    same(listed(engine, "dead"), [], "dead letters")


@theme.clause(verbs("list"), LOOKS)
def a_listing_bears_changes(maker: Maker) -> None:
    """A listing that is read slowly goes on while minions take and settle tasks."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, *(f"n{n}" for n in range(20)))
    entries = admin(engine).list()
    next(entries)
    settle(other, *map(Ack, take(maker, other, 10)))
    fill(other, "more")
    holds(len(list(entries)) >= 9, "tasks were left out of a listing because others changed meanwhile")


@theme.clause(verbs("get"), LOOKS)
def a_task_is_found_by_the_beginning_of_its_id(maker: Maker) -> None:
    """A task is found by its id or by a beginning that only one has; one that several have is an error."""
    engine = maker.open()
    ids = ["ab00000000000001", "ab00000000000002", "cd00000000000001", "ef00", "ef0000000000000a"]
    engine.put([NewTask(id, f'"{id}"') for id in ids])
    find = admin(engine).get
    same(entry_of(engine, ids[1]).param, f'"{ids[1]}"', "the task with this id")
    same(entry_of(engine, "c").id, ids[2], "the task whose id begins with c")
    same(entry_of(engine, "cd0000").id, ids[2], "the task whose id begins with cd0000")
    same(entry_of(engine, "ef00").id, "ef00", "the task with exactly this id")
    same(find("00"), None, "the task whose id begins with 00")
    same(find(ids[2] + "0"), None, "a task with a longer id")
    raises(UsageError, lambda: find("ab"), "get of a beginning that two ids have")


@theme.clause(verbs("list", "get"))
def dead_letters_are_listed(maker: Maker) -> None:
    """Dead letters are listed with what is known of them, and found by the beginning of their id; looking takes nothing away."""
    engine = maker.open("a")
    dead = [NewTask("ab00000000000001", '"x"', attempt=2), NewTask("ab00000000000002", '"y"'), NewTask("cd", '"z"')]
    engine.put(dead)
    settle(engine, *(Bury(task, FAILURE) for task in take(maker, engine, 3)))
    other = maker.open("b")
    same(sorted(listed(other, "dead")), ["x", "y", "z"], "dead letters")
    same(len(listed(other, "dead", 2)), 2, "dead letters listed of three, when two are asked for")
    entry = entry_of(engine, "ab00000000000001")
    same((entry.param, entry.state, entry.attempt, entry.failure), ('"x"', "dead", 2, FAILURE), "a dead letter")
    same(entry_of(engine, "c").id, "cd", "the dead letter whose id begins with c")
    same(admin(engine).get("00"), None, "a dead letter that is not there")
    raises(UsageError, lambda: admin(engine).get("ab"), "get of a beginning that two ids have")


# ---------------------------------------------------------------------- retry


@theme.clause(verbs("retry"))
def retry_puts_dead_letters_back(maker: Maker) -> None:
    """Retry puts dead letters back as if new: attempt 1, no crash; those named, or all."""
    engine = maker.open()
    tasks = [NewTask(task_id(name), f'"{name}"', attempt=3, crashes=1) for name in "xyz"]
    engine.put(tasks)
    settle(engine, *(Bury(task, FAILURE) for task in take(maker, engine, 3)))
    same(admin(engine).retry([tasks[0].id]), 1, "tasks put back by name")
    again = take_one(maker, engine)
    same((again.id, again.attempt, again.crashes), (tasks[0].id, 1, 0), "what came back, its attempt and crashes")
    gets_nothing(maker, engine, "the others are dead")
    same(admin(engine).retry([again.id]), 0, "tasks put back that are not dead")
    same(admin(engine).retry(), 2, "tasks put back when all are")
    same({task.id for task in take(maker, engine, 2)}, {task.id for task in tasks[1:]}, "what came back")


@theme.clause(verbs("retry"), COUNTS)
def retry_moves_the_books(maker: Maker) -> None:
    """Dead letters are counted, and are pending after a retry."""
    engine = maker.open()
    fill(engine, "x", "y")
    settle(engine, *(Bury(task, FAILURE) for task in take(maker, engine, 2)))
    expect(maker, engine, Counts(0, 0, 0, 0, 2), "with two dead letters")
    admin(engine).retry()
    expect(maker, engine, Counts(2, 0, 0, 0, 0), "after a retry of all")


# ---------------------------------------------------------------------- release


@theme.clause(verbs("release"), TIMED)
def release_takes_from_the_lost_only(maker: Maker) -> None:
    """Release without names gives back what lost minions hold, and nothing of those that are well."""
    well, victim, engine = maker.open("well"), maker.open("victim"), maker.open("admin")
    fill(well, "x", "y")
    kept, dropped = take_one(maker, well), take_one(maker, victim)
    same(admin(engine).release(), 0, "tasks released while all minions are well")
    maker.kill(victim)
    maker.advance(maker.lease * 0.6)
    same(well.renew([kept]), [], "tasks gone")
    maker.advance(maker.lease * 0.6)
    same(admin(engine).release(), 1, "tasks released of the minion that is lost")
    same(take_one(maker, engine).id, dropped.id, "the task of the minion that is lost")
    settle(well, Ack(kept))


@theme.clause(verbs("release"), FENCING)
def release_takes_what_is_named(maker: Maker) -> None:
    """Release by name takes a task from whoever holds it: not charged, no crash; the holder learns that it is lost."""
    holder, engine = maker.open("holder"), maker.open("admin")
    fill(holder, "x", "y")
    kept, taken = take(maker, holder, 2)
    same(admin(engine).release([taken.id]), 1, "tasks released")
    same(gone(holder.renew([kept, taken])), lost(taken), "what the holder learns")
    again = take_one(maker, engine)
    same((again.id, again.attempt, again.crashes), (taken.id, 1, 0), "the task, its attempt and crashes")
    same(gone(holder.exchange([Ack(kept), Ack(taken)]).gone), lost(taken), "settlements refused")


# ---------------------------------------------------------------------- remove


@theme.clause(verbs("remove"))
def a_removed_task_is_handed_out_to_nobody(maker: Maker) -> None:
    """A task that was removed before it was taken is not handed out, counted or listed."""
    engine = maker.open()
    first, *_ = fill(engine, "x", "y", "z")
    same(admin(engine).remove([first]), 1, "tasks removed")
    same({task.param for task in take(maker, engine, 2)}, {'"y"', '"z"'}, "tasks handed out")
    gets_nothing(maker, engine, "it was removed")
    if maker.traits.counts == "exact":
        expect(maker, engine, Counts(0, 0, 2, 0, 0), "after one of three was removed")
    if "get" in maker.traits.admin:
        same(admin(engine).get(first), None, "a removed task")


@theme.clause(verbs("remove"), DELAY)
def tasks_are_removed_in_any_state(maker: Maker) -> None:
    """Delayed and dead tasks can be removed too, and never come back."""
    engine = maker.open()
    fill(engine, "x", "y")
    x, y = take(maker, engine, 2)
    settle(engine, Nack(x, delay=maker.lease), Bury(y, FAILURE))
    same(admin(engine).remove([x.id, y.id]), 2, "tasks removed")
    maker.advance(maker.lease * 1.2)
    gets_nothing(maker, engine, "both were removed")
    if maker.traits.counts == "exact":
        expect(maker, engine, ZERO, "after all were removed")


@theme.clause(verbs("remove"))
def the_holder_learns_of_a_removal_when_it_renews(maker: Maker) -> None:
    """A minion that holds a removed task learns at its next renewal that it was cancelled."""
    holder, engine = maker.open("holder"), maker.open("admin")
    fill(holder, "x", "y")
    kept, removed = take(maker, holder, 2)
    same(admin(engine).remove([removed.id]), 1, "tasks removed")
    same(gone(holder.renew([kept, removed])), cancelled(removed), "what the holder learns")
    settle(holder, Ack(kept))


@theme.clause(verbs("remove"))
def the_holder_learns_of_a_removal_when_it_settles(maker: Maker) -> None:
    """A settlement of a removed task is refused as cancelled, and does not bring it back."""
    holder, engine = maker.open("holder"), maker.open("admin")
    ids = fill(holder, "x", "y", "z")
    x, y, z = take(maker, holder, 3)
    admin(engine).remove(ids)
    refused = holder.exchange([Ack(x), Nack(y), Bury(z, FAILURE)]).gone
    same(gone(refused), cancelled(x, y, z), "settlements refused")
    gets_nothing(maker, engine, "all were removed")
    if maker.traits.counts == "exact":
        expect(maker, engine, ZERO, "after all were removed and settled")


@theme.clause(verbs("remove"))
def all_can_be_removed_while_held(maker: Maker) -> None:
    """A queue can be cleared while minions run: all is gone, and the minions learn it."""
    holder, engine = maker.open("holder"), maker.open("admin")
    fill(holder, "x", "y", "z", "done", "dead")
    tasks = take(maker, holder, 4)
    settle(holder, Ack(tasks[2]), Bury(tasks[3], FAILURE))
    same(admin(engine).remove(), 5, "tasks removed")
    gets_nothing(maker, engine, "all were removed")
    if maker.traits.counts == "exact":
        expect(maker, engine, ZERO, "of a cleared queue")
    if maker.traits.finite:
        same(engine.exchange(limit=1).state, "ended", "the state of a cleared queue")
    same(gone(holder.renew(tasks[:2])), cancelled(*tasks[:2]), "what the holder learns")


@theme.clause(verbs("remove"), FENCING)
def what_is_put_again_is_another_task(maker: Maker) -> None:
    """A task that was removed while held and put again is another one: the old holder's settlement does not touch it."""
    holder, engine = maker.open("holder"), maker.open("admin")
    fill(holder, "x", "y")
    x, y = sorted(take(maker, holder, 2), key=lambda task: task.param)
    admin(engine).remove()
    same(engine.put(new("x", "y")).added, 2, "tasks added that were removed before")
    again = take_one(maker, engine)
    same(len(holder.exchange([Ack(x), Ack(y)]).gone), 2, "settlements refused of tasks that were removed and put again")
    other = take_one(maker, holder)
    same({again.id, other.id}, {x.id, y.id}, "tasks handed out again")
    same(engine.renew([again]), [], "what the new holder lost")


@theme.clause(verbs("clear"))
def all_can_be_cleared(maker: Maker) -> None:
    """A queue can be cleared: what is pending, delayed or dead is gone; what is put after that is not."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x", "y", "dead")
    dead, delayed = take(maker, engine, 2)
    settle(engine, Bury(dead, FAILURE), Nack(delayed, delay=maker.lease))
    admin(engine).clear()
    gets_nothing(maker, other, "all was cleared")
    same(admin(engine).retry(), 0, "dead letters put back after all was cleared")
    fill(engine, "new")
    same(take_one(maker, other).param, '"new"', "the task put after all was cleared")


# ---------------------------------------------------------------------- drain


@theme.clause(verbs("control"))
def a_drained_queue_hands_out_nothing(maker: Maker) -> None:
    """A drain is seen by every exchange, which hands out nothing, does not wait, and still settles."""
    engine, other = maker.open("a"), maker.open("b")
    fill(engine, "x", "y")
    task = take_one(maker, engine)
    drain = Control("somebody@host", maker.now())
    admin(other).control(drain)
    delivery, took = timed(lambda: engine.exchange([Ack(task)], limit=5, wait=LONG))
    same((delivery.tasks, delivery.gone, delivery.state), ((), (), "drain"), "what an exchange tells")
    holds(took < AT_ONCE, f"an exchange waited {took:.1f} s at a drained queue")
    same(admin(engine).drained(), drain, "who drained the queue, and when")
    same(engine.exchange().state, "drain", "the state told by an exchange that only looks")


@theme.clause(verbs("control"))
def resume_takes_a_drain_back(maker: Maker) -> None:
    """After resume, tasks are handed out again."""
    engine = maker.open()
    fill(engine, "x")
    same(admin(engine).drained(), None, "who drained a queue that nobody did")
    admin(engine).control(Control("somebody@host", maker.now()))
    gets_nothing(maker, engine, "the queue is drained")
    admin(engine).control(None)
    same(admin(engine).drained(), None, "who drained the queue, after resume")
    delivery = engine.exchange(limit=0)
    same(delivery.state, "open", "the state after resume")
    take_one(maker, engine)


@theme.clause(verbs("control"))
def a_drain_is_forgotten_after_a_day(maker: Maker) -> None:
    """A drain that nobody took back is forgotten after a day, and not before."""
    engine = maker.open()
    fill(engine, "x")
    admin(engine).control(Control("somebody@host", maker.now() - DAY + 600))
    same(engine.exchange(limit=1).state, "drain", "the state a little less than a day after the drain")
    admin(engine).control(Control("somebody@host", maker.now() - DAY - 600))
    same(admin(engine).drained(), None, "who drained the queue, more than a day ago")
    take_one(maker, engine)


@theme.clause(verbs("control"), FINITE)
def a_drain_reaches_those_that_wait(maker: Maker) -> None:
    """A minion that waits for a task learns of a drain, within its wait."""
    other, _ = occupied(maker)
    engine = maker.open("b")
    control = Control("somebody@host", maker.now())
    with Together([a_moment_later(lambda: admin(other).control(control))]):
        delivery, took = timed(lambda: engine.exchange(limit=1, wait=LONG))
    same(delivery.state, "drain", "the state told to the one that waits")
    holds(took < LONG / 2, f"the one that waits learned of the drain after {took:.1f} s")
