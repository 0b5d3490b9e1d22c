"""What is in the stream, read as tasks and as entries of the books.

A message of ours is ``minionize 1 id ID param JSON``. Any other one is what somebody else published: its field ``param`` is
read by the decoder that REDIS_DECODER names, its id is its entry's.
"""

from __future__ import annotations

from json import dumps, loads
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.engines.decoding import read
from minionize.engines.staging import bytes_of, is_name, text_of
from minionize.model import Entry, Failure, Task
from minionize.params import jsontext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.engines.decoding import Decoder
    from minionize.model import State

#: Bytes of a param up to which it is kept with the record of its done task.
KEPT = 1024
_MARK = b"minionize"


class Handle(NamedTuple):
    """What the engine knows a held task by; ``ours``: it was put by minionize."""

    entry: str
    ours: bool


def json_of(content: dict[str, Any]) -> bytes:
    """Write what the scripts read as well: their reader knows no half of a surrogate pair that is escaped."""
    return bytes_of(dumps(content, ensure_ascii=False))


def has_name(fields: Sequence[bytes]) -> bool:
    """Whether a message says itself what its task is called."""
    return len(fields) >= 4 and fields[0] == _MARK and fields[2] == b"id" and is_name(fields[3])


def task_of(row: Sequence[Any], decode: Decoder) -> Task:
    """Make a task of what the exchange hands out: entry, delivery, attempt, crashes, fields."""
    entry, delivery, attempt, crashes, fields = row
    id, param, error = content(entry.decode(), fields, decode)
    return Task(id, param, attempt, delivery, crashes, Handle(entry.decode(), _is_ours(fields)), error)


def record_of(task: Task) -> bytes:
    """Write what is kept of the param of a done task: all, or its size; nothing of what others published."""
    param = bytes_of(task.param)
    if not task.handle.ours:
        return b""
    return param if len(param) <= KEPT else b"#%d" % len(param)


def content(entry: str, fields: Sequence[bytes], decode: Decoder) -> tuple[str, str, str]:
    """Read a message: the task's id, its param, and why it is no param, if so."""
    id = entry
    if _is_ours(fields):
        return _put_by_us(fields[3], fields[5])
    if has_name(fields):  # a dead letter that was put back
        id, fields = _readable(fields[3]), fields[4:]
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
    return has_name(fields) and len(fields) == 6 and fields[1] == b"1" and fields[4] == b"param"


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
    kind, place, fields = text_of(row[0]), text_of(row[1]), row[2]
    if kind == "done":
        return _done(place, fields)
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


def _done(place: str, fields: Sequence[bytes]) -> Entry:
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    ended = _ended(place)
    attempt, delivery, crashes, took = map(int, found[b"how"].split())
    return Entry(
        _readable(found[b"id"]),
        _kept(text_of(found[b"param"])),
        "done",
        attempt,
        delivery,
        crashes,
        minion=text_of(found[b"minion"]),
        host=text_of(found[b"host"]),
        since=ended - took / 1000,
        ended=ended,
        result=text_of(found[b"result"]) or None,
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
