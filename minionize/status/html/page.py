"""The page: what it says first, its sections, and the policy by which nothing can run or be fetched but what was made here."""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from minionize import __version__
from minionize.status import words
from minionize.status.html import axes, charts, tables
from minionize.status.html.fields import Fields, decode
from minionize.status.html.figures import Figures
from minionize.status.html.markup import Html, command, el, join, many, number, text
from minionize.status.read import event_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.status.html.fields import Field
    from minionize.status.html.figures import Span
    from minionize.status.model import Status
    from minionize.status.read import EventFiles

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def page(status: Status, events: EventFiles) -> str:
    """Make the report of a run: one HTML document. Reads the events once more, for their params."""
    figures = Figures(events.ledger, status)
    sections = [
        _warnings(status),
        _throughput(figures),
        _section("In flight", tables.in_flight(status.in_flight)) if _runs(status) and status.in_flight else None,
        _section("Failures", tables.failures(status, events)) if status.failures else None,
        _durations(figures, status),
        _minions(figures, status),
        _section("Nodes", tables.nodes(status)) if len(status.nodes) > 1 else None,
        _params(_fields(figures, events)),
        _slowest(figures, events, status),
        _section("How it was run", _how(status, events)),
    ]
    main = el("main", _header(status), *sections)
    title = el("title", f"{status.run.where or status.run.directory}: {status.run.state}")
    style, script = _asset("page.css"), _asset("page.js")
    head = el("head", *_metas(style, script), title, el("style", style))
    body = el("body", charts.hatch(), main, _footer(status), el("script", script))
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _metas(style: Html, script: Html) -> Iterator[Html]:
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    yield el("meta", charset="utf-8")
    yield el("meta", http_equiv="Content-Security-Policy", content=Html(policy))
    yield el("meta", name="viewport", content="width=device-width, initial-scale=1")
    yield el("meta", name="color-scheme", content="light dark")
    yield el("meta", name="referrer", content="no-referrer")
    yield el("meta", name="generator", content=f"minionize {__version__}")


def _asset(name: str) -> Html:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return Html(file.read())


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _section(name: str, *content: Html | None, kind: str | None = None) -> Html:
    anchor = name.lower().replace(" ", "-")
    return el("section", el("h2", name, id=anchor), *content, class_=kind, aria_labelledby=anchor)


def _runs(status: Status) -> bool:
    return status.run.state != "finished"


def _header(status: Status) -> Html:
    run, counts = status.run, status.counts
    facts: list[Html] = [text(run.engine)] if run.engine else []
    if counts.total is not None:
        facts.append(many(counts.total, "param"))
    if run.started is not None:
        facts.append(text(f"started {axes.moment(run.started)} UTC"))
    line = Html(" · ".join(facts))
    state = el("span", run.state, class_=f"state {run.state}")
    return el("header", el("h1", run.where or run.directory, state), el("p", line), _progress(status), _numbers(status))


def _progress(status: Status) -> Html | None:
    counts = status.counts
    if not counts.total:
        return None
    names = ("done", "dead", "in flight", "lost", "delayed", "pending")
    parts = zip(
        names, (counts.done, counts.dead, counts.in_flight, counts.lost, counts.delayed, counts.pending), strict=True
    )
    return charts.progress([(name.replace(" ", "-"), n or 0) for name, n in parts])


def _numbers(status: Status) -> Html:
    counts, run, rate = status.counts, status.run, status.rates.mean
    shown: list[tuple[str, str | None, str, str | None]] = [
        ("done", _count(counts.done), _share(counts.done, counts.total), "done"),
        ("dead", _count(counts.dead), _share(counts.dead, counts.total), "dead" if counts.dead else None),
    ]
    if _runs(status):
        left = (counts.pending or 0) + (counts.delayed or 0) if counts.pending is not None else None
        shown.append(("in flight", _count(counts.in_flight), f"{counts.lost} lost" if counts.lost else "", "in-flight"))
        shown.append(("waiting", _count(left), "", "pending"))
        shown.append(("ends", words.about(status.eta.seconds) if status.eta else None, _at(status), None))
    if run.elapsed is not None:
        shown.append(("running for" if _runs(status) else "took", words.elapsed(run.elapsed), "", None))
    if rate and counts.executions:
        factor, unit = words.rate(rate)
        shown.append(("rate", f"{rate * factor:.2f}{unit}", many(counts.executions, "execution"), None))
    if status.durations.done:
        shown.append(
            ("median", words.took(status.durations.done.p50), f"longest {words.took(status.durations.done.max)}", None)
        )
    cells = [
        el("div", el("dt", name), el("dd", value), el("dd", more, class_="more") if more else None, class_=kind)
        for name, value, more, kind in shown
        if value is not None
    ]
    return el("dl", *cells, class_="numbers")


def _count(n: int | None) -> Html | None:
    return None if n is None else number(n)


def _share(part: int | None, whole: int | None) -> str:
    return words.percent(part / whole) if part is not None and whole else ""


def _at(status: Status) -> str:
    return f"{axes.moment(status.eta.at)[:16]} UTC" if status.eta else ""


def _warnings(status: Status) -> Html | None:
    if not status.warnings:
        return None
    lines = [el("li", w.text, " ", el("code", w.command) if w.command else None) for w in reversed(status.warnings)]
    return el("section", el("ul", *lines), class_="warnings", aria_label="Warnings")


def _legend(*entries: tuple[str, str]) -> Html:
    return el("p", *(el("span", el("i", class_=kind), said) for kind, said in entries), class_="legend")


def _throughput(figures: Figures) -> Html | None:
    data = figures.throughput
    if not data or not figures.span or not sum(data.done) + sum(data.failed):
        return None
    legend = _legend(("done", "done"), ("failed", "failed"), ("minions", "minions alive"))
    width = f"executions that ended, each bar {words.age(data.width)}"
    return _section("Throughput", el("small", width), legend, charts.throughput(data, figures.span))


def _durations(figures: Figures, status: Status) -> Html | None:
    if not figures.histogram:
        return None
    legend = _legend(("done", "done"), ("failed", "failed"))
    rows = [(name, d) for name, d in zip(("done", "failed"), status.durations, strict=True) if d]
    heads = [(name, "n") for name in ("n", "min", "p50", "p90", "p99", "max")]
    cells = [[tables.Cell(name), tables.Cell(number(d.n), d.n, "n"), *(tables.Cell(axes.length(t), t or 0, "n") for t in (d.min, d.p50, d.p90, d.p99, d.max))] for name, d in rows]  # fmt: skip
    table = tables.table("Durations", [("", None), *heads], cells)
    return _section("Durations", legend, charts.histogram(figures.histogram, status.durations.done), table)


def _minions(figures: Figures, status: Status) -> Html | None:
    if not figures.lives or not figures.span:
        return None
    span: Span = figures.span
    legend = _legend(("b3", "busy"), ("up", "idle"), ("failed", "failures"), ("lost", "lost"))
    return _section("Minions", legend, tables.lives(figures.lives, span, len(status.minions)))


def _fields(figures: Figures, events: EventFiles) -> list[Field]:
    fields, ledger = Fields(), events.ledger
    for row, line in events.lines(row for row, *_ in figures.rows()):
        event = event_of(line, decode)
        if event is not None:
            fields.add(event.get("param"), ledger.took[row], done=figures.is_done(row))
    return fields.found()


def _params(fields: list[Field]) -> Html | None:
    note = el(
        "small", "executions by the value of each field that takes 2 to 50; those that tell most about failures first"
    )
    return _section("Params", note, tables.fields(fields)) if fields else None


def _slowest(figures: Figures, events: EventFiles, status: Status) -> Html | None:
    rows, done = figures.slowest(), status.durations.done
    return _section("Slowest", tables.slowest(rows, events, done.p50 if done else None)) if rows else None


def _how(status: Status, events: EventFiles) -> Html:
    run = status.run
    ours = {minion.uid for minion in status.minions}
    records = [record for record in events.ledger.minions if record.uid in ours]
    versions = sorted({record.version for record in records if record.version})
    slots = sum(minion.slots for minion in status.minions)
    facts: list[tuple[str, str | None]] = [
        ("command", el("code", command(run.command)) if run.command else None),
        ("queue", join([text(run.where), " ", el("small", run.queue)])),
        ("engine", run.engine),
        (
            "minions",
            join(
                [
                    many(len(records), "minion"),
                    " on ",
                    many(len(status.nodes), "node"),
                    ", ",
                    many(slots, "slot"),
                    " in all",
                ]
            )
            if records
            else None,
        ),
        ("version", ", ".join(versions)),
        ("events", run.directory),
        (
            "counted from",
            "the queue's books" if status.counts.source == "queue" else "events: there was no queue to ask",
        ),
    ]
    return el("dl", *(join([el("dt", name), el("dd", value)]) for name, value in facts if value), class_="how")


def _footer(status: Status) -> Html:
    made = f"Made by minion-status {__version__}, for {axes.moment(status.run.now)} UTC. All times are in UTC."
    return el("footer", el("p", made, " Every execution as a row: ", el("code", "minion-status --csv tasks")))
