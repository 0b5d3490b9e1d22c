"""Why executions failed, such that those with the same cause can be counted together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from minionize.events import Event
    from minionize.model import Failure

#: Longest signature, in characters.
LONGEST = 120
#: A shell between us and the command turns the signal that ended it into 128 + signal.
_BY_SHELL = {134: 6, 136: 8, 137: 9, 139: 11, 143: 15}
_SIGNALS = {
    6: " (abort)",
    8: " (arithmetic error)",
    9: " (out of memory?)",
    11: " (segmentation fault)",
    15: " (terminated)",
}

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class Cause(NamedTuple):
    """What failures of one group share: ``code`` is an exit code or a signal, ``signature`` the last line of stderr."""

    kind: str
    code: int | None
    signature: str


def cause_of_event(event: Event) -> Cause:
    """Find the cause in a ``task_end``; fields of a wrong type count as missing."""
    exit, signal = _whole(event.get("exit")), _whole(event.get("signal"))
    reason, stderr = _text(event.get("reason")), _text(event.get("stderr"))
    kind = "timeout" if event.get("outcome") == "timeout" else "signal" if signal else "exit" if exit else "error"
    return _cause(kind, exit, signal, reason, stderr, event.get("param"))


def cause_of_failure(failure: Failure, param: Any) -> Cause:
    """Find the cause in what the queue keeps of a dead letter."""
    return _cause(failure.kind, failure.exit, failure.signal, failure.reason, failure.stderr, param)


def _cause(kind: str, exit: int | None, signal: int | None, reason: str, stderr: str, param: Any) -> Cause:
    if kind == "exit" and exit in _BY_SHELL:
        kind, signal = "signal", _BY_SHELL[exit]
    code = signal if kind == "signal" else exit if kind == "exit" else None
    if kind == "timeout":  # where a program was when its time was up differs from task to task
        return Cause(kind, None, _last_line(reason)[:LONGEST])
    # The reason of an exit or a signal would repeat its number.
    said = _last_line(stderr) or ("" if kind in ("exit", "signal") else _last_line(reason.partition("\n")[0]))
    return Cause(kind, code, signature(said, param))


def signature(line: str, param: Any) -> str:
    """Take out of a line what differs from task to task: words of the param become ``{name}``, numbers and ids ``#``."""
    for name, word in _own_words(param):
        line = _named(line, word, "{" + name + "}")
    for pattern in (_UUID, _HEX, _NUMBER):
        line = pattern.sub("#", line)
    return line[:LONGEST]


def _named(line: str, word: str, name: str) -> str:
    """Put the name where the word stands by itself. A regular expression would be compiled anew for every failure."""
    at = line.find(word)
    while at >= 0:
        end = at + len(word)
        if not (_is_in_word(line[at - 1 : at]) or _is_in_word(line[end : end + 1])):
            line, end = line[:at] + name + line[end:], at + len(name)
        else:
            end = at + 1
        at = line.find(word, end)
    return line


def _is_in_word(c: str) -> bool:
    return c.isalnum() or c == "_"


def _own_words(param: Any) -> list[tuple[str, str]]:
    """List the texts of a param that are worth naming, longest first. Numbers are not: they become ``#`` anyway.

    (Were they named, ``n 3`` would be ``n {seed}`` for the one task whose seed is 3.)
    """
    fields = param.items() if isinstance(param, dict) else [("", param)]
    words = [(name, v) for name, v in fields if isinstance(v, str) and 3 <= len(v) <= 200 and not _NUMBER.fullmatch(v)]
    return sorted(words, key=lambda item: -len(item[1]))


def describe(cause: Cause) -> str:
    """Name a cause in one line: ``exit 3: cannot open #``, ``signal 9 (out of memory?)``, ``timeout after 5m``."""
    if cause.kind == "signal":
        head = f"signal {cause.code}{_SIGNALS.get(cause.code or 0, '')}"
    elif cause.kind == "exit":
        head = f"exit {cause.code}"
    elif cause.kind == "timeout":
        return cause.signature or "timeout"
    else:
        head = cause.kind
    return f"{head}: {cause.signature}" if cause.signature else head


def _last_line(text: str) -> str:
    for line in reversed(_ANSI.sub("", text).splitlines()):
        if line.strip():
            return " ".join(line.split())
    return ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
