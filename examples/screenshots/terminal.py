"""Take pictures of minion-status and mtop in the middle of the sweep: ``python terminal.py`` writes them beside this file."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import time

from report import HERE, browser, shoot
from rich.console import Console
from rich.text import Text
from sweep import QUEUE, START, write

from minionize import events
from minionize.engines.sqlite import SqliteEngine
from minionize.model import Counts, Entry, Task
from minionize.status.books import ask
from minionize.status.build import build
from minionize.status.read import EventFiles
from minionize.status.style import Style
from minionize.status.text import screen
from minionize.status.top.app import Top
from minionize.status.top.clerk import Clerk
from minionize.status.top.looker import Looker

COUNT = 5400
#: The moment of the pictures: an hour and three quarters after the start.
NOW = START + 6303
#: rich's frame around a terminal, without the fonts that it would fetch.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}</style><defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>"""


class Queue:
    """The queue as it was then, for those who look."""

    traits, queue, where, notes = SqliteEngine.traits, QUEUE, "minion-queue.d", ()

    def __init__(self, done: int, dead: int, leased: list[Entry]) -> None:
        left = COUNT - done - dead - len(leased)
        self._counts, self._leased = Counts(left - 9, 9, len(leased), done, dead), leased

    def counts(self) -> Counts:
        return self._counts

    def list(self, state: str, limit: int | None = None) -> list[Entry]:
        return self._leased if state == "leased" else []

    def drained(self) -> None:
        return None

    def close(self) -> None:
        pass


class SpoolEngine(Queue):
    """The name that is shown."""


def cut(directory: str) -> list[Entry]:
    """Take out of the files what came later than NOW; returns what was running then."""
    leased = []
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        with open(path, encoding="utf-8") as file:
            lines = [(json.loads(line), line) for line in file]
        host = next(event["host"] for event, _ in lines if event["type"] == "minion_start")
        kept = [line for event, line in lines if event["t"] <= NOW]
        for event, _ in lines:
            if event["type"] == "task_end" and event["start"] <= NOW - 1 < event["t"]:
                param = json.dumps(event["param"])
                task = Task(event["id"], param, event["attempt"], event["delivery"])
                kept.append(events.task_start(event["start"], event["minion"], 0, task))
                held = Entry(*task[:2], "leased", *task[2:4], minion=event["minion"], host=host, since=event["start"])
                leased.append(held)
        beat = min(NOW, os.stat(path).st_mtime)
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(kept)
        os.utime(path, (beat, beat))
        if not kept:
            os.unlink(path)
    return leased


def status(files: EventFiles, queue: Queue) -> str:
    """Draw the screen of minion-status as SVG."""
    style = Style(color=True, separator=" ", clock=time.gmtime)
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    for line in screen(build(files, ask(queue), NOW), style):
        console.print(Text.from_ansi(line), soft_wrap=True)
    return console.export_svg(title="minion-status", code_format=FRAME)


def top(directory: str, queue: Queue) -> str:
    """Draw the screen of mtop as SVG."""
    style = Style(color=True, separator=" ", clock=time.gmtime)

    async def drive() -> str:
        clerk = Clerk(lambda: queue, lambda: NOW)
        looker = Looker(EventFiles(directory), clerk, lambda: NOW, style)
        app = Top(looker, clerk, lambda: NOW, style, readonly="", pace=0)
        async with app.run_test(size=(120, 30)) as pilot:
            while app.scene is None or not app.scene.listing.texts:
                await pilot.pause(0.05)
            await pilot.pause()
            console = Console(width=120, height=30, file=io.StringIO(), force_terminal=True, record=True)
            console.print(app.screen._compositor.render_update(full=True))  # noqa: SLF001 - its own export fetches fonts
            return console.export_svg(title="mtop", code_format=FRAME)

    return asyncio.run(drive())


def main() -> int:
    found = browser()
    with tempfile.TemporaryDirectory() as place:
        reports = os.path.join(place, "minion-report")
        write(reports, COUNT)
        leased = cut(reports)
        files = EventFiles(reports)
        files.refresh()
        seen = build(files, None, NOW).counts
        queue = SpoolEngine(seen.done, seen.dead, leased)
        for name, svg, size in (
            ("minion-status", status(files, queue), "1000,566"),
            ("mtop", top(reports, queue), "1500,792"),
        ):
            page = os.path.join(place, f"{name}.html")
            with open(page, "w", encoding="utf-8") as file:
                file.write(f"<!doctype html><meta charset=utf-8><style>body{{margin:0}}</style>{svg}")
            picture = os.path.join(HERE, f"{name}.png")
            shoot(found, page, picture, 1, os.path.join(place, "chromium"), size=size)
            print(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
