"""What is in the stream, read as tasks and as entries of the books.

A message of ours has one field, ``minionize``: the task's id, a new line and the param. Any other one is what somebody else
published: its field ``param`` is read by the decoder that REDIS_DECODER names, its id is its entry's.
"""

from __future__ import annotations

from functools import partial
from itertools import repeat
from json import dumps, loads
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.engines.decoding import read
from minionize.engines.redis.settlements import UNIT
from minionize.engines.staging import LONGEST_NAME, bytes_of, is_name, text_of
from minionize.model import Entry, Failure, Task
from minionize.params import jsontext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.engines.decoding import Decoder
    from minionize.model import State

_MARK = b"minionize"


class Handle(NamedTuple):
    """What the engine knows a held task by; ``ours``: it was put by minionize."""

    entry: str
    ours: bool


#: What these classes do themselves to be made, without the words of each field: half of the time.
_new_handle = partial(tuple.__new__, Handle)
_new_task = partial(tuple.__new__, Task)


def json_of(content: dict[str, Any]) -> bytes:
    """Write what the scripts read as well: their reader knows no half of a surrogate pair that is escaped."""
    return bytes_of(dumps(content, ensure_ascii=False))


def has_name(fields: Sequence[bytes]) -> bool:
    """Whether a message says itself what its task is called."""
    if fields[0] != _MARK:
        return False
    name, line, _ = fields[1].partition(b"\n") if len(fields) == 2 else (fields[1], b"\n", b"")
    return line == b"\n" and is_name(name)


def tasks_of(answer: Sequence[Any], decode: Decoder) -> tuple[Task, ...]:
    """Make tasks of what the exchange hands out: rows, fresh ones put by us (entries, texts), and again rows."""
    first, entries, texts, others = answer
    tasks = [_task_of(row, decode) for row in first]
    if entries:
        tasks += _fresh(entries, texts) or [
            _task_of((entry, 1, 1, 0, (_MARK, text)), decode) for entry, text in zip(entries, texts, strict=True)
        ]
    tasks += [_task_of(row, decode) for row in others]
    return tuple(tasks)


def _fresh(entries: Sequence[bytes], texts: Sequence[bytes]) -> Sequence[Task]:
    """Read many messages of ours at once; none where one of them is not what we write: then they are read one by one."""
    try:
        parts = [text.partition("\n") for text in b"\0".join(texts).decode().split("\0")]
    except UnicodeDecodeError:
        return ()
    ids, _, params = zip(*parts, strict=True)
    if len(ids) != len(texts) or "" in ids or "" in params or not "".join(ids).replace("-", "").isalnum():
        return ()
    if max(map(len, ids)) > LONGEST_NAME // 4:
        return ()
    handles = map(_new_handle, zip(b" ".join(entries).decode().split(" "), repeat(True)))
    return [*map(_new_task, zip(ids, params, repeat(1), repeat(1), repeat(0), handles, repeat("")))]


def _task_of(row: Sequence[Any], decode: Decoder) -> Task:
    """Make a task of entry, delivery, attempt, crashes, fields."""
    entry, delivery, attempt, crashes, fields = row
    id, param, error = content(entry.decode(), fields, decode)
    return Task(id, param, attempt, delivery, crashes, Handle(entry.decode(), _is_ours(fields)), error)


def content(entry: str, fields: Sequence[bytes], decode: Decoder) -> tuple[str, str, str]:
    """Read a message: the task's id, its param, and why it is no param, if so."""
    id = entry
    if _is_ours(fields):
        name, _, param = fields[1].partition(b"\n")
        return _put_by_us(name, param)
    if has_name(fields):  # a dead letter that was put back
        id, fields = _readable(fields[1]), fields[2:]
    return id, *_foreign(entry, fields, decode)


def _put_by_us(id: bytes, param: bytes) -> tuple[str, str, str]:
    """Read what says that it is of ours, which anybody can say."""
    try:
        return text_of(id), text_of(param), ""
    except UnicodeDecodeError as error:
        return (
            _readable(id),
            jsontext.encode(_readable(param)),
            f"it is no UTF-8 ({error.reason} at byte {error.start})",
        )


def _is_ours(fields: Sequence[bytes]) -> bool:
    return len(fields) == 2 and has_name(fields)


def _foreign(entry: str, fields: Sequence[bytes], decode: Decoder) -> tuple[str, str]:
    """Read what somebody else published; what is no param is shown as it came."""
    found = dict(zip(fields[::2], fields[1::2], strict=False))
    if b"param" not in found:
        names = ", ".join(_readable(name) for name in found)
        return _shown(found), f"the message {entry} has no field param, only: {names}"
    param, why = read(found[b"param"], decode)
    return param, why and f"the message {entry} cannot be decoded: {why}"


def _shown(found: dict[bytes, bytes]) -> str:
    return jsontext.encode({_readable(name): _readable(value) for name, value in found.items()})


def _readable(raw: bytes) -> str:
    """Read what anybody may have written."""
    try:
        return text_of(raw)
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


# ---------------------------------------------------------------------- entries of the books


def entry_of(row: Sequence[Any], decode: Decoder) -> Entry:
    """Make an entry of what the scripts describe."""
    kind = text_of(row[0])
    if kind == "done":
        return _done(row)
    place, fields = text_of(row[1]), row[2]
    if kind == "dead":
        return _dead(place, fields, decode)
    return _live(place, fields, row, decode)


def _live(place: str, fields: Sequence[bytes], row: Sequence[Any], decode: Decoder) -> Entry:
    id, param, _ = content(place, fields, decode)
    life = loads(_readable(row[5])) if row[5] else {}
    state: State = text_of(row[3])  # type: ignore[assignment]
    held = state == "leased"
    return Entry(
        id,
        param,
        state,
        life.get("attempt", 1),
        int(row[9]) if held else life.get("delivery", 0),
        life.get("crashes", 0),
        due=float(row[4]) / 1000 if state == "delayed" else None,
        minion=_readable(row[6]) if held else life.get("minion"),
        host=(_readable(row[7]) or None) if held else life.get("host"),
        since=float(row[8]) / 1000 if held else _seconds(life.get("since")),
        ended=None if held else _seconds(life.get("ended")),
        failure=_failure(life),
    )


def _done(row: Sequence[Any]) -> Entry:
    _, at, id, kept, how, minion, host = row
    param, _, result = text_of(kept).partition(UNIT)
    attempt, delivery, crashes, took = map(int, how.split())
    return Entry(
        _readable(id),
        _kept(param),
        "done",
        attempt,
        delivery,
        crashes,
        minion=text_of(minion),
        host=text_of(host),
        since=(at - took) / 1000,
        ended=at / 1000,
        result=result or None,
    )


def _dead(place: str, fields: Sequence[bytes], decode: Decoder) -> Entry:
    id, life = _readable(fields[1]), loads(_readable(fields[3]))
    return Entry(
        id,
        content(id, fields[4:], decode)[1],
        "dead",
        life["attempt"],
        life["delivery"],
        life["crashes"],
        minion=life.get("minion"),
        host=life.get("host"),
        since=_seconds(life.get("since")),
        ended=_ended(place),
        failure=_failure(life),
    )


def _kept(param: str) -> str:
    """Say what stands for a large param once its task is done."""
    return dumps(f"({param[1:]} bytes, not kept)") if param.startswith("#") else param


def _ended(place: str) -> float:
    return int(place.partition("-")[0]) / 1000


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _failure(life: dict[str, Any]) -> Failure | None:
    return Failure(**loads(life["failure"])) if life.get("failure") else None
