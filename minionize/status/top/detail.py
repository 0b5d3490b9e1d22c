"""Everything about one row, and what of it can be copied or read in a pager."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from minionize.errors import MinionizeError
from minionize.masks import mask
from minionize.params.template import Template, display
from minionize.status import words
from minionize.status.executions import Execution
from minionize.status.failed import FailedTask
from minionize.status.failures import describe
from minionize.status.model import FailureGroup, InFlight, Minion, Node
from minionize.status.rows import job_id

if TYPE_CHECKING:
    from minionize.status.style import Span, Style
    from minionize.status.top.snapshot import Snapshot

#: Characters of a param, a result or a command that are shown: it may be megabytes.
LONGEST = 4000


class Detail(NamedTuple):
    """``lines`` are safe and coloured; ``stderr``, ``command`` and ``param`` are as they were, empty where there is none."""

    lines: tuple[str, ...] = ()
    stderr: str = ""
    command: str = ""
    param: str = ""


def detail(shot: Snapshot, item: Any, style: Style) -> Detail:
    """Describe a row of any view. Lines are as long as they are: who shows them wraps."""
    writer = _Writer(shot, style._replace(columns=1_000_000))
    if isinstance(item, InFlight):
        return writer.in_flight(item)
    if isinstance(item, FailedTask):
        return writer.failed(item)
    if isinstance(item, Execution):
        return writer.execution(item)
    if isinstance(item, FailureGroup):
        return writer.group(item)
    if isinstance(item, Minion):
        return writer.minion(item)
    if isinstance(item, Node):
        return writer.node(item)
    return writer.entry(item)


class _Writer:
    def __init__(self, shot: Snapshot, style: Style) -> None:
        self.shot, self.style, self.now = shot, style, shot.now
        self.lines: list[str] = []

    def in_flight(self, task: InFlight) -> Detail:
        param, command = self._param_and_command(task.param, task.minion, task.id, 0)
        since = "-" if task.since is None else self._when(task.since)
        times = "" if task.times_p50 is None else f"{task.times_p50:.1f} x the median"
        self._facts(
            ("", task.state), ("attempt", task.attempt), ("delivery", task.delivery), ("since", since), ("", times)
        )
        self._whereabouts(task.minion, task.host)
        self._facts(("id", task.id))
        return Detail(tuple(self.lines), "", command, param)

    def failed(self, one: FailedTask) -> Detail:
        slot, stderr, reason = one.number("slot"), one.text("stderr") or "", one.text("reason")
        param, command = self._param_and_command(one.get("param"), one.task.minion, one.task.id, int(slot or 0))
        took = one.number("took")
        self._facts(
            ("", "dead" if one.task.dead else "delayed, for another attempt"),
            ("attempt", one.get("attempt")),
            ("ended", self._when(one.task.at)),
            ("took", None if took is None else words.took(took)),
        )
        self._whereabouts(one.task.minion, one.task.host)
        self._facts(("id", one.task.id))
        for number, line in enumerate((reason or one.error).splitlines()):
            self._add(("        " if number else "reason  ", "dim"), mask(line))
        self._stderr(stderr)
        return Detail(tuple(self.lines), stderr, command, param)

    def execution(self, one: Execution) -> Detail:
        id = one.text("id") or ""
        param, command = self._param_and_command(one.get("param"), one.minion.uid, id, int(one.number("slot") or 0))
        cpu, rss, stderr = one.number("cpu"), one.number("rss"), one.text("stderr") or ""
        self._facts(
            ("", one.outcome),
            ("attempt", one.get("attempt")),
            ("delivery", one.get("delivery")),
            ("ended", self._when(one.end)),
            ("took", words.took(one.took)),
            ("cpu", None if cpu is None else words.took(cpu)),
            ("memory", f"{rss / 1e6:.0f} MB" if rss else None),
        )
        self._whereabouts(one.minion.uid, one.minion.host)
        self._facts(("id", id))
        if one.get("result") is not None:
            self._add(("result  ", "dim"), words.json_text(words.masked(one.get("result")))[:LONGEST])
        if stderr:
            self._stderr(stderr)
        return Detail(tuple(self.lines), stderr, command, param)

    def group(self, group: FailureGroup) -> Detail:
        self._add((f"group {group.number}: {describe(group.cause)}", "bold"))
        dead = sum(task.dead for task in group.tasks)
        self._facts(
            ("", f"{self.style.number(group.size)} failed"),
            ("dead", self.style.number(dead)),
            ("delayed, for another attempt", self.style.number(group.size - dead)),
            ("", f"{group.share:.0%} of failures"),
        )
        self._facts(("first", self._when(group.first)), ("last", self._when(group.last)))
        self._facts(("nodes", group.hosts), ("most on", f"{group.top_host} ({group.top_share:.0%})"))
        newest = FailedTask(group, group.tasks[0], self.shot.files)
        stderr = newest.text("stderr") or ""
        self._add(("the newest: ", "dim"), words.param_words(newest.get("param"))[:LONGEST])
        self._stderr(stderr)
        return Detail(tuple(self.lines), stderr, "", "")

    def minion(self, minion: Minion) -> Detail:
        record = self.shot.records.get(minion.uid)
        self._add((f"minion {minion.uid}", "bold"))
        state = f"ended: {minion.reason}" if minion.reason else minion.state
        up = None if minion.up is None else words.elapsed(minion.up)
        started = None if minion.started is None else self._when(minion.started)
        self._facts(("", state), ("started", started), ("up", up), ("last sign", self._when(minion.seen)))
        self._facts(("node", minion.host), ("pid", minion.pid or None), ("slots", minion.slots))
        if minion.job:
            self._facts(("job", words.param_words(minion.job)))
        if record is not None and record.command:
            self._add(("$ ", "dim"), mask(display([_bytes(word) for word in record.command]))[:LONGEST])
        for task in self.shot.status.in_flight:
            if task.minion == minion.uid:
                age = "-" if task.age is None else words.took(task.age)
                self._add(f"{age:>8}  ", (f"{task.state:<9} ", "dim"), words.param_words(task.param)[:LONGEST])
        return Detail(tuple(self.lines))

    def node(self, node: Node) -> Detail:
        self._add((node.host, "bold"))
        if node.bad:
            facts = f"fails {words.percent(node.fail_rate)} of its tasks, the others {words.percent(node.others)}"
            self._add((facts, "red"))
        for minion in self.shot.status.minions:
            if minion.host == node.host:
                state = f"ended: {minion.reason}" if minion.reason else minion.state
                self._facts(
                    ("", minion.uid),
                    ("", state),
                    ("done", minion.done),
                    ("failed", minion.failed),
                    ("job", job_id(minion.job)),
                )
        return Detail(tuple(self.lines))

    def entry(self, entry: Any) -> Detail:
        self._facts(("", self._when(entry.at)), ("", entry.who))
        self._add((mask(entry.text), entry.color))
        return Detail(tuple(self.lines))

    # ------------------------------------------------------------------ pieces

    def _add(self, *spans: Span) -> None:
        self.lines.append(self.style.line(*spans))

    def _facts(self, *facts: tuple[str, Any]) -> None:
        """Add a line of names and values, without those that are unknown."""
        spans: list[Span] = []
        for name, value in facts:
            if value is not None and value != "":
                spans += ["   "] if spans else []
                spans += [(f"{name} ", "dim")] if name else []
                spans.append(mask(str(value)))
        self._add(*spans)

    def _when(self, t: float) -> str:
        return f"{self.style.time(t, self.now)} ({words.age(self.now - t)} ago)"

    def _whereabouts(self, uid: str, host: str) -> None:
        minion = self.shot.minions.get(uid)
        known = (
            ("pid", minion.pid or None),
            ("", minion.state),
            ("job", job_id(minion.job)),
        ) if minion else ()  # fmt: skip
        self._facts(("minion", uid or "nobody known"), ("node", host), *known)

    def _param_and_command(self, param: Any, uid: str, id: str, slot: int) -> tuple[str, str]:
        """Add the param and the command line that was made of it; return both, to be copied."""
        self._add((words.param_words(param)[:LONGEST], "bold"))
        text = printable_json(param)
        record = self.shot.records.get(uid)
        try:
            command = display(Template(record.command).render(text, slot, id)) if record and record.command else ""
        except (MinionizeError, ValueError, LookupError, RecursionError):
            command = ""  # its minion would have said that this makes no command line
        if command:
            self._add(("$ ", "dim"), mask(command)[:LONGEST])
        return text, command

    def _stderr(self, stderr: str) -> None:
        lines = stderr.splitlines()
        self._add(("stderr, its end:" if lines else "it wrote nothing to stderr", "dim"))
        for line in lines:
            self._add("  " + mask(line))


def printable_json(value: Any) -> str:
    r"""Write a JSON value such that pasting it cannot press keys: what is not printable becomes ``\u001b``."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in words.json_text(value))


def _bytes(word: str) -> bytes:
    return word.encode("utf-8", "surrogateescape" if word.isprintable() else "backslashreplace")
