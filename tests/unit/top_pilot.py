"""``mtop`` for tests: driven by textual's pilot, with no thread and no clock but the test's, its screen read as text."""

from __future__ import annotations

import asyncio
import io
import time
from unittest.mock import patch

from rich.console import Console
from status_events import NOW, Minion, books
from textual._context import active_app

from minionize.model import Entry
from minionize.status.read import EventFiles
from minionize.status.style import Style
from minionize.status.top.app import Top
from minionize.status.top.clerk import Answer
from minionize.status.top.looker import Looker

STYLE = Style(clock=time.gmtime, separator=" ", color=True)


def sweep(directory):
    """Write an hour and three quarters of two minions, one of them lost and on a bad node; returns the queue's books."""
    good = Minion(directory, "c69d4bd8aaaa", ago=6303, slots=2, job={"id": "1287856"})
    bad = Minion(directory, "a9ec0806bbbb", ago=6300, host="paravance-7.rennes")
    for n in range(100):
        good.ends(f"g{n}", ago=6200 - 62 * n, took=50.0 + n / 10, param=f'{{"seed": {100 + n}}}', result="0.5")
    for n in range(40):
        fields = {"param": f'{{"seed": {n}, "alpha": 0.10}}', "ago": 6000 - 150 * n}
        if n % 4:
            bad.ends(f"b{n}", took=60.0, **fields)
        else:
            why = "out of disk" if n % 8 else f"cannot open /data/m_{n}.bin"
            how = {"took": 1.4, "exit": 3, "dead": n < 36, "reason": "exit 3", "stderr": f"reading\nsimulate: {why}\n"}
            bad.ends(f"b{n}", "failed", **how, **fields)
    good.starts("s", ago=602, param='{"seed": 4711, "alpha": 0.10}')
    good.starts("t", ago=31, param='{"seed": 4712, "alpha": 0.5}')
    bad.starts("u", ago=91).beats(ago=45)
    leased = [
        Entry(id, param, "leased", 1, 1, minion=minion.uid, host=host, since=NOW - ago)
        for id, param, minion, host, ago in (
            ("s", '{"seed": 4711, "alpha": 0.10}', good, "paravance-1.rennes", 603),
            ("t", '{"seed": 4712, "alpha": 0.5}', good, "paravance-1.rennes", 32),
            ("u", '{"seed": 1}', bad, "paravance-7.rennes", 92),
        )
    ]
    return books(pending=856, delayed=1, leased=3, done=130, dead=9)._replace(leased=tuple(leased))


class Clerk:
    """Answers at once, from a fixed answer; what is to be done is done to ``engine``."""

    def __init__(self, answer=None, engine=None):
        self.answer, self.engine, self.closed = answer or Answer(books()), engine, False

    def books(self, patience):
        """Give the answer."""
        return self.answer

    def do(self, act, then):
        """Do it here and now."""
        try:
            then(act(self.engine))
        except Exception as error:  # noqa: BLE001 - as the real one does
            then(error)

    def close(self):
        """Remember it."""
        self.closed = True


class PlainLooker(Looker):
    """Looks when it is asked, in the thread that asks."""

    def start(self, deliver):
        """Keep whom to tell."""
        self._deliver = deliver

    def ask(self, wish, *, look=False):
        """Look and tell."""
        self._deliver(self.scene(wish, look=look))


class Desk:
    """The program, its screen and its keys."""

    def __init__(self, directory, clerk=None, *, style=STYLE, **options):
        """Put it together; ``now`` is its clock."""
        self.now = NOW
        self.clerk = clerk or Clerk()
        looker = PlainLooker(EventFiles(str(directory)), self.clerk, self._clock, style)
        self.app = Top(looker, self.clerk, self._clock, style, **{"pace": 0, **options})
        self.pilot = None

    def _clock(self):
        return self.now

    async def press(self, *keys):
        """Press keys, and wait until all they caused is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def type(self, text):
        """Type a text."""
        for character in text:
            await self.pilot.press(_NAMES.get(character, character))
        await self.pilot.pause()

    async def look(self):
        """Let it look, as it does every few seconds."""
        self.app.look()
        await self.pilot.pause()

    async def resize(self, columns, rows):
        """Make the terminal another size."""
        await self.pilot.resize_terminal(columns, rows)
        # Textual lets a storm of them pass before it lays out anew.
        while self.app.grid.size.width != columns:  # noqa: ASYNC110 - nothing tells when that is over
            await asyncio.sleep(0.005)
        await self.pilot.pause()

    @property
    def text(self):
        """What stands on the screen, each line without the spaces at its end."""
        width, height = self.app.size
        console = Console(
            width=width, height=height, file=io.StringIO(), force_terminal=True, record=True, legacy_windows=False
        )
        console.print(self.app.screen._compositor.render_update(full=True, screen_stack=self.app._background_screens))
        return "\n".join(line.rstrip() for line in console.export_text(styles=False).splitlines()) + "\n"

    @property
    def rows(self):
        """The rows of the table, as texts of cells."""
        return [list(row) for row in self.app.scene.listing.texts]

    @property
    def under_cursor(self):
        """The row under the cursor."""
        return self.rows[self.app.grid.cursor]


_NAMES = {" ": "space", ">": "greater_than_sign", "<": "less_than_sign", "=": "equals_sign", "!": "exclamation_mark"}
_NAMES |= {".": "full_stop", "~": "tilde", "-": "minus", "/": "slash", "[": "left_square_bracket"}


def drive(desk, scenario, size=(80, 24)):
    """Run the program on a screen of that size and let a scenario use it; returns what the program returned."""

    async def run():
        async with desk.app.run_test(size=size) as pilot:
            desk.pilot = pilot
            await pilot.pause()
            await scenario(desk)
        return desk.app.return_value

    with patch("textual.app.wait_for_idle", _settle), patch("textual.pilot.wait_for_idle", _settle):
        return asyncio.run(run())


async def _settle(*_):
    """Wait until nothing is left that could run: textual would sleep until the processor seems to be idle."""
    ready, app = asyncio.get_running_loop()._ready, active_app.get()
    while True:
        await asyncio.sleep(0)
        if ready:
            continue
        if app.is_running and app.screen_stack:
            app.screen._on_timer_update()  # draws, which may cause more
            await asyncio.sleep(0)
        if not ready:
            return
