"""What is in a message: a param, and in the message's attributes what minionize knows of its task.

A message without our attributes is what somebody else published: a task at its first attempt, whose param the decoder
reads, and whose id is made of the message's. Attributes are short texts (1024 bytes at most with some brokers).
"""

from __future__ import annotations

from hashlib import sha256
from json import dumps, loads
from typing import TYPE_CHECKING, NamedTuple

from minionize.engines.decoding import read as read_foreign
from minionize.engines.staging import bytes_of, is_name, text_of
from minionize.errors import BadParam
from minionize.model import Entry, Failure
from minionize.params import jsontext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minionize.engines.broker.channel import Received
    from minionize.engines.decoding import Decoder
    from minionize.model import NewTask, Task

#: The format of what we publish.
FORMAT = 1
#: The attributes: the format; that the data are as somebody else published them; whom a copy is for; the task.
MARK, RAW, FOR = "minionize", "minionize_raw", "minionize_for"
ID, ATTEMPT, DELIVERY, CRASHES = "minionize_id", "minionize_attempt", "minionize_delivery", "minionize_crashes"
FAILURE = "minionize_failure"
#: Characters of an attribute, of a failure in all (what is longer loses the beginning of its stderr), and of its reason.
_PIECE, _FAILURE, _REASON = 1000, 12_000, 500
#: Attributes of somebody else's message that its copies keep, and bytes of them; brokers take 100 in all.
_KEPT, _KEPT_BYTES = 64, 1 << 20
_LONGEST_NUMBER = 9


class Content(NamedTuple):
    """A message, read: ``error`` says why it is no param."""

    id: str
    param: str
    attempt: int = 1
    delivery: int = 1
    crashes: int = 0
    error: str = ""


def fresh(task: NewTask) -> tuple[bytes, dict[str, str]]:
    """Write a task that is put."""
    id = task.id if _is_text(task.id) else _name_of(task.id)
    attributes = {MARK: str(FORMAT), ID: id, ATTEMPT: str(task.attempt), CRASHES: str(task.crashes)}
    return bytes_of(task.param), attributes


def again(message: Received, task: Task, *, attempt: int, subscription: str) -> dict[str, str]:
    """Write the attributes of a copy by which a task is offered again."""
    return {**_life(message, task, attempt), DELIVERY: str(task.delivery + 1), FOR: subscription}


def dead(message: Received, task: Task, failure: Failure) -> dict[str, str]:
    """Write the attributes of a dead letter."""
    failure = failure._replace(reason=failure.reason[:_REASON])
    while len(text := dumps(failure._asdict())) > _FAILURE and failure.stderr:
        failure = failure._replace(stderr=failure.stderr[len(failure.stderr) // 2 + 1 :])
    pieces = {f"{FAILURE}_{n}": text[at : at + _PIECE] for n, at in enumerate(range(0, len(text), _PIECE))}
    return {**_life(message, task, task.attempt), DELIVERY: str(task.delivery), **pieces}


def revived(message: Received, subscription: str, decode: Decoder) -> dict[str, str]:
    """Write the attributes of a dead letter that is put back, as if new."""
    kept = {name: value for name, value in message.attributes.items() if not name.startswith(FAILURE)}
    past = {
        MARK: str(FORMAT),
        ID: read(message, decode).id,
        ATTEMPT: "1",
        DELIVERY: "1",
        CRASHES: "0",
        FOR: subscription,
    }
    return {**kept, **past, **({} if _is_ours(message) else {RAW: "1"})}


def read(message: Received, decode: Decoder) -> Content:
    """Read a message; nothing that anybody may have written raises."""
    given = message.attributes
    id = given.get(ID, "")
    if not is_name(id.encode("utf-8", "replace")):
        id = _name_of(message.key)
    if _is_ours(message):
        param, error = _ours(message.data)
    else:
        param, error = read_foreign(message.data, decode)
    numbers = [given.get(name, usual) for name, usual in ((ATTEMPT, "1"), (DELIVERY, "1"), (CRASHES, "0"))]
    if not all(number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER for number in numbers):
        return Content(id, param, error=f"its attributes are no numbers: {', '.join(numbers)}")
    attempt, delivery, crashes = map(int, numbers)
    return Content(id, param, max(1, attempt), max(1, delivery), crashes, error and f"it cannot be decoded: {error}")


def entry(message: Received, decode: Decoder) -> Entry:
    """Read a dead letter for people."""
    content = read(message, decode)
    failure = _failure(message)
    return Entry(
        content.id,
        content.param,
        "dead",
        content.attempt,
        content.delivery,
        content.crashes,
        minion=failure and (failure.minion or None),
        host=failure and (failure.host or None),
        ended=failure and (failure.at or None),
        failure=failure,
    )


def is_newer(message: Received) -> bool:
    """Whether a later version of minionize published it."""
    version = message.attributes.get(MARK, "")
    return version.isascii() and version.isdigit() and len(version) <= _LONGEST_NUMBER and int(version) > FORMAT


def baggage(message: Received) -> int:
    """Count the bytes of somebody else's attributes that a copy keeps."""
    return sum(len(bytes_of(name)) + len(bytes_of(text)) for name, text in _others(message).items())


def is_for(message: Received, subscription: str) -> bool:
    """Whether it is for that subscription: what was put is for all, a copy for the one whose minion made it."""
    return message.attributes.get(FOR, subscription) == subscription


def _life(message: Received, task: Task, attempt: int) -> dict[str, str]:
    """Keep what somebody else's message said, and say what is known of its task."""
    ours = {MARK: str(FORMAT), ID: task.id, ATTEMPT: str(attempt), CRASHES: str(task.crashes)}
    return {**_others(message), **ours, **({} if _is_ours(message) else {RAW: "1"})}


def _others(message: Received) -> dict[str, str]:
    """Choose what a copy keeps of somebody else's attributes."""
    kept: dict[str, str] = {}
    room = _KEPT_BYTES
    for name, text in message.attributes.items():
        size = len(bytes_of(name)) + len(bytes_of(text))
        if not name.startswith(MARK) and size <= room and len(kept) < _KEPT:
            kept[name] = text
            room -= size
    return kept


def _name_of(text: str) -> str:
    return sha256(bytes_of(text)).hexdigest()[:16]


def _is_text(text: str) -> bool:
    """Whether an attribute can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_ours(message: Received) -> bool:
    """Whether the data are a param as ``put`` writes it, also where its attributes were added to by others."""
    return MARK in message.attributes and RAW not in message.attributes


def _ours(data: bytes) -> tuple[str, str]:
    """Read what says that it is of ours, which anybody can say: it may be no JSON, and would spoil all that is written of it."""
    try:
        text = text_of(data)
        jsontext.decode(text)
    except UnicodeDecodeError as error:
        why = f"it is no UTF-8 ({error.reason} at byte {error.start})"
    except BadParam as error:
        why = str(error).partition("\n")[0]
    else:
        return text, ""
    return jsontext.encode(data.decode("utf-8", "replace")), why


def _failure(message: Received) -> Failure | None:
    """Read why a task is dead; a letter that somebody else laid there does not say."""
    pieces: Mapping[str, str] = message.attributes
    text = "".join(pieces[name] for n in range(len(pieces)) if (name := f"{FAILURE}_{n}") in pieces)
    try:
        found = loads(text)
        return Failure(**{name: found[name] for name in Failure._fields})
    except (ValueError, KeyError, TypeError):
        return None
