"""What can be done to the queue from here: the verbs of ``minion-queue``, each after a question with its count."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from minionize.model import STATES, Control
from minionize.place import identity, user
from minionize.status import words
from minionize.status.failed import FailedTask
from minionize.status.model import FailureGroup, InFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from minionize.engines.base import Admin, Engine
    from minionize.model import Entry, State
    from minionize.status.top.snapshot import Snapshot
    from minionize.status.top.views import View

#: Ids that are written out in the command of a question; of more, the first and how many.
_WRITTEN = 3


class Verb(NamedTuple):
    """A verb: its key, its name, and the one in ``Traits.admin`` that the engine must have."""

    key: str
    name: str
    needs: str


RETRY = Verb("R", "Retry", "retry")
RELEASE = Verb("L", "Release", "release")
CANCEL = Verb("C", "Cancel", "remove")
DRAIN = Verb("D", "Drain", "control")
VERBS = (RETRY, RELEASE, CANCEL, DRAIN)


class Plan(NamedTuple):
    """What is going to be done: the question, what else is to be known, the command that does the same, and the deed.

    ``of_rows``: it is about the rows that were marked, or the current one, not about the whole queue.
    """

    verb: Verb
    question: str
    remarks: tuple[str, ...]
    command: str
    act: Callable[[Engine], str]
    of_rows: bool = False


def refusal(verb: Verb, shot: Snapshot | None, view: View, readonly: str) -> str:
    """Say why a verb cannot be used now and here; empty where it can. ``readonly``: why nothing may be changed at all."""
    if readonly:
        return readonly
    if shot is None:
        return "nothing has been read yet"
    books = shot.answer.books
    if books is None:
        return "there is no queue that answers"
    if verb.needs not in books.verbs:
        return f"{books.engine} cannot {verb.name.lower()}"
    where = {RETRY: ("failures", "failed"), CANCEL: ("in-flight", "failures", "failed")}.get(verb)
    if where and view.name not in where:
        return f"{verb.key} is for {'failures: 2' if verb is RETRY else 'what is in flight or failed: 1, 2'}"
    return ""


def planned(verb: Verb, shot: Snapshot, rows: Sequence[Any], *, marked: bool) -> Plan | str:
    """Plan a verb for rows, those that were ``marked`` or the current one; a text says why there is nothing to do."""
    if verb is RETRY:
        return _retry(rows)
    if verb is RELEASE:
        return _release(shot, rows, marked=marked)
    if verb is CANCEL:
        return _cancel(rows)
    return _resume(shot) if shot.answer.books and shot.answer.books.drained else _drain()


def _retry(rows: Sequence[Any]) -> Plan | str:
    ids, delayed = _dead(rows)
    if not ids:
        return "none of these is dead" if rows else "nothing is selected"
    remarks = (f"{delayed} more will be tried again anyway: delayed, not dead",) if delayed else ()

    def act(engine: Engine) -> str:
        dead = _now(engine, ids, "dead")
        still = ids if dead is None else [id for id in ids if id in dead]
        return _did(cast("Admin", engine).retry(still) if still else 0, "put back", len(ids) - len(still))

    question = f"Put {_tasks(len(ids), 'dead task')} back, as if new?"
    return Plan(RETRY, question, remarks, f"minion-queue retry {_listed(ids)}", act, of_rows=True)


def _release(shot: Snapshot, rows: Sequence[Any], *, marked: bool) -> Plan | str:
    tasks = [row for row in rows if isinstance(row, InFlight)]
    alive = sum(task.state != "lost" and bool(task.minion) for task in tasks)
    lost = sum(task.state == "lost" or not task.minion for task in shot.status.in_flight)
    if not marked:
        tasks = []  # the cursor only happens to be there: what is meant are those that are lost
    if not tasks and not lost:
        return "nothing is held by lost minions" + ("; mark what a living one is to give back (Space)" if alive else "")

    def all_lost(engine: Engine) -> str:
        return f"{_tasks(cast('Admin', engine).release(None))} given back"

    if not tasks:
        question = f"Give back {_tasks(lost)} held by lost minions?"
        remarks = ("the queue decides which minions are lost: one that is silent for a lease",)
        return Plan(RELEASE, question, remarks, "minion-queue release --lost", all_lost)
    ids = tuple(task.id for task in tasks)

    def act(engine: Engine) -> str:
        still = _held(engine, tasks)
        return _did(cast("Admin", engine).release(still) if still else 0, "given back", len(ids) - len(still))

    remark = f"{_tasks(alive)} of minions that are alive: stopped there, and run anew"
    return Plan(
        RELEASE,
        f"Give back {_tasks(len(ids))}?",
        (remark,) if alive else (),
        f"minion-queue release {_listed(ids)}",
        act,
        of_rows=True,
    )


def _cancel(rows: Sequence[Any]) -> Plan | str:
    flying = [row for row in rows if isinstance(row, InFlight)]
    failed = _failed(rows)
    ids = tuple(dict.fromkeys([*(task.id for task in flying), *failed]))
    if not ids:
        return "nothing is selected"

    def act(engine: Engine) -> str:
        still = [*_held(engine, flying), *_failed_still(engine, failed)]
        return _did(cast("Admin", engine).remove(still) if still else 0, "cancelled", len(ids) - len(still))

    remarks = [f"{'it is' if len(ids) == 1 else 'they are'} off the books for good"]
    if flying:
        remarks.append("a minion that runs one stops it at its next renewal")
    command = f"minion-queue cancel {_listed(ids)}"
    return Plan(CANCEL, f"Cancel {_tasks(len(ids))}?", tuple(remarks), command, act, of_rows=True)


def _drain() -> Plan:
    def act(engine: Engine) -> str:
        cast("Admin", engine).control(Control(f"{user()}@{identity().host}", time.time()))
        return "drained: all minions of this queue leave when their tasks end"

    remarks = ("they finish what they run and take no more; for a day, or until it is resumed",)
    return Plan(DRAIN, "Ask all minions of this queue to leave?", remarks, "minion-queue drain", act)


def _resume(shot: Snapshot) -> Plan:
    books = shot.answer.books
    drained = books.drained if books else None

    def act(engine: Engine) -> str:
        cast("Admin", engine).control(None)
        return "resumed: minions may take params again"

    ago = words.age(shot.now - drained.at) if drained else ""
    remarks = (
        (f"{drained.who} drained it {ago} ago; minions that have left do not come back by themselves",)
        if drained
        else ()
    )
    return Plan(DRAIN, "Let minions take params again?", remarks, "minion-queue resume", act)


def _dead(rows: Sequence[Any]) -> tuple[tuple[str, ...], int]:
    """Find the ids of what is dead, and how many tasks failed without being dead."""
    tasks = [task for row in rows for task in _tasks_of(row)]
    ids = tuple(dict.fromkeys(task.id for task in tasks if task.dead))
    return ids, len(tasks) - len(ids)


def _failed(rows: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(task.id for row in rows for task in _tasks_of(row)))


def _now(engine: Engine, ids: Collection[str], state: State) -> dict[str, Entry] | None:
    """Find those that are in a state now, when it was answered; None where the queue cannot tell without taking them."""
    if not ids or not engine.traits.listed.issuperset(STATES):
        return None
    wanted = set(ids)
    return {entry.id: entry for entry in cast("Admin", engine).list(state) if entry.id in wanted}


def _held(engine: Engine, tasks: Sequence[InFlight]) -> list[str]:
    """Leave out what is done since the question was asked, or held by another minion."""
    held = _now(engine, [task.id for task in tasks], "leased")
    if held is None:
        return [task.id for task in tasks]
    return [task.id for task in tasks if task.id in held and held[task.id].delivery == task.delivery]


def _failed_still(engine: Engine, ids: Sequence[str]) -> list[str]:
    """Leave out what was begun anew since the question was asked, or is done."""
    dead = _now(engine, ids, "dead")
    if dead is None:
        return list(ids)
    others = {id: cast("Admin", engine).get(id) for id in ids if id not in dead}
    waiting = {id for id, entry in others.items() if entry is not None and entry.state in ("pending", "delayed")}
    return [id for id in ids if id in dead or id in waiting]


def _did(count: int, what: str, changed: int) -> str:
    left = f"; {_tasks(changed)} changed meanwhile: left alone" if changed else ""
    return f"{_tasks(count)} {what}{left}"


def _tasks_of(row: Any) -> Sequence[Any]:
    return row.tasks if isinstance(row, FailureGroup) else [row.task] if isinstance(row, FailedTask) else ()


def _listed(ids: Sequence[str]) -> str:
    shown = " ".join(id[:12] for id in ids[:_WRITTEN])
    return shown if len(ids) <= _WRITTEN else f"{shown} ... ({len(ids)} ids)"


def _tasks(count: int, noun: str = "task") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
