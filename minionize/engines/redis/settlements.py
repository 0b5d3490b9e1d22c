"""Settlements as the words of the exchange script (``lua/settle.lua``): tasks that are done go together."""

from __future__ import annotations

from itertools import islice
from json import dumps
from typing import TYPE_CHECKING, Any

from minionize.engines.staging import bytes_of
from minionize.model import Ack, Bury

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minionize.model import Nack, Settlement

#: Characters of a param up to which it is kept with the record of its done task.
KEPT = 1024
#: The longest delay, in seconds: ten years. A callback may ask for an infinite one.
_LONGEST = 3650 * 86400.0
#: Characters of results after which the next ones go apart: the server copies them all at once.
_LARGE = 1 << 18
#: Between tasks, and between a param and its result. No JSON text holds them as they are.
RECORD, UNIT = "\x1e", "\x1f"


def words_of(settled: Sequence[Settlement], moved: Mapping[str, str]) -> list[Any]:
    """Write what the script is to settle, in this order; ``moved`` tells which entries are others now."""
    words: list[Any] = [0]
    at = 0
    while at < len(settled):
        settlement = settled[at]
        if isinstance(settlement, Ack):
            run = _run(settled, at)
            words += _done(run, moved)
            at += len(run)
        else:
            entry = settlement.task.handle.entry
            words += _failed(settlement, moved.get(entry, entry))
            at += 1
        words[0] += 1
    return words


def _run(settled: Sequence[Settlement], start: int) -> list[Ack]:
    """Find the tasks that are done from there on and go together: of the same delivery, and all or none of them ours."""
    first = settled[start].task
    delivery, ours, size = first.delivery, first.handle.ours, 0
    run: list[Ack] = []
    for settlement in islice(settled, start, None):
        task = settlement.task
        if type(settlement) is not Ack or task.delivery != delivery or task.handle.ours is not ours or size > _LARGE:
            break
        if settlement.result:
            size += len(settlement.result)
        run.append(settlement)
    return run


def _done(run: Sequence[Ack], moved: Mapping[str, str]) -> list[Any]:
    first = run[0].task
    ours = first.handle.ours
    entries = [ack.task.handle.entry for ack in run]
    if moved:
        entries = [moved.get(entry, entry) for entry in entries]
    words: list[Any] = ["a" if ours else "f", len(run), first.delivery, *entries]
    ids = [ack.task.id for ack in run]
    words += ids if "".join(ids).isascii() else map(bytes_of, ids)
    if ours:
        words.append(_contents(run))
    return words


def _contents(run: Sequence[Ack]) -> bytes:
    """Write what is kept of each: its param, or the size of a large one, and its result."""
    kept = [f"{_kept(task.param)}{UNIT}{result or ''}" for task, result in run]
    text = RECORD.join(kept)
    if text.count(RECORD) != len(run) - 1 or text.count(UNIT) != len(run):  # somebody's param is no JSON
        text = RECORD.join(_escaped(_kept(task.param)) + UNIT + _escaped(result or "") for task, result in run)
    return bytes_of(text)


def _kept(param: str) -> str:
    return param if len(param) <= KEPT else f"#{len(bytes_of(param))}"


def _escaped(text: str) -> str:
    return text.replace(RECORD, "\\u001e").replace(UNIT, "\\u001f")


def _failed(settlement: Nack | Bury, entry: str) -> tuple[Any, ...]:
    failure = dumps(settlement.failure._asdict()) if settlement.failure else ""
    delivery = settlement.task.delivery
    if isinstance(settlement, Bury):
        return "b", 1, delivery, entry, failure
    delay = int(min(settlement.delay, _LONGEST) * 1000)
    return "n", 1, delivery, entry, delay, int(settlement.charge), failure
