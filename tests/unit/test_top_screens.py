"""``mtop``'s screen, word for word, by a fixed clock in UTC."""

from __future__ import annotations

import json
import re

import pytest
from status_events import NOW, Minion, books
from top_pilot import STYLE, Clerk, Desk, drive, sweep

from minionize.errors import EngineUnavailable, NoQueue
from minionize.model import Control
from minionize.status.safe import width
from minionize.status.top.clerk import Answer


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """Name a report directory that is shown as the same path everywhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "minion-report"


def screen(desk, *keys, size=(80, 24)):
    """Press keys and return the screen."""
    shown = []

    async def scenario(desk):
        await desk.press(*keys)
        shown.append(desk.text)

    assert drive(desk, scenario, size) is None
    return shown[0]


def test_what_is_in_flight_on_a_small_terminal(reports):
    """80 x 24: where columns do not fit, those that matter least are left out."""
    assert screen(Desk(reports, Clerk(Answer(sweep(reports))))) == IN_FLIGHT


IN_FLIGHT = """\
 mtop  minion-queue.db (sqlite)           1 minion / 1 node   live 2s  10:42:00
 █████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  13.9%  ETA ~8 hours and 2 minutes (18:44)
 done 130  dead 9 (6.5%)  in flight 2  lost 1  delayed 1  pending 856
 rate 0.00/min  1.00  1.27  1h46 ▃█▇████▇████▇████▇  fail ▁██▁████▁████▁
 ! paravance-7 fails 25.0% of tasks (others 0…   4 shows the nodes   +2 more: 7
 1 In flight 3 2 Failures 10 3 Minions 2 4 Nodes 2 5 Slowest 6 Done 130 7 Log
   AGE▼  xP50  TRY  PARAM                 MINION    NODE         STATE
> 10m02  10.7    1  seed=4711 alpha=0.10  c69d4bd8  paravance-1  straggler
   1m31   1.6    1  seed=1                a9ec0806  paravance-7  lost 45s ago
  31.0s   0.5    1  seed=4712 alpha=0.5   c69d4bd8  paravance-1  running













 ? Help q Quit / Filter s Sort Enter Detail R Retry L Release C Cancel D Drain
"""


def test_a_failure_with_its_stderr_on_a_large_terminal(reports):
    """120 x 30: from the groups to a param and what it wrote, by Enter."""
    assert screen(Desk(reports, Clerk(Answer(sweep(reports)))), "2", "enter", size=(120, 30)) == FAILURE


FAILURE = """\
 mtop  minion-queue.db (sqlite)  ~/minion-report                                  1 minion / 1 node   live 2s  10:42:00
 ██████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  13.9%  ETA ~8 hours and 2 minutes (18:44)
 done 130  dead 9 (6.5%)  in flight 2  lost 1  delayed 1  pending 856           p50 56.4s  p90 1m00  p99 1m00  max 1m00
 rate 0.00/min  1.00  1.27  1h46 ▁▆▆███▆▆████▆████▆███▆▆████▆████▆████▄████▆████▆████▄  fail ▁█▁██▁█▁██▁█▁██▁█▁
 ! paravance-7 fails 25.0% of tasks (others 0.0%)   4 shows the nodes   +2 more: 7
 1 In flight 3 2 Failures 10 3 Minions 2 4 Nodes 2 5 Slowest 6 Done 130 7 Log
     WHEN▼  TOOK  TRY  PARAM               NODE         MINION    EXIT  STATE
> 10:22:00  1.4s    1  seed=32 alpha=0.10  paravance-7  a9ec0806     3  dead
  10:02:00  1.4s    1  seed=24 alpha=0.10  paravance-7  a9ec0806     3  dead
  09:42:00  1.4s    1  seed=16 alpha=0.10  paravance-7  a9ec0806     3  dead
  09:22:00  1.4s    1  seed=8 alpha=0.10   paravance-7  a9ec0806     3  dead
  09:02:00  1.4s    1  seed=0 alpha=0.10   paravance-7  a9ec0806     3  dead




─Enter: all of it   o: $PAGER   y: copy command   x: copy param   Esc: back─────────────────────────────────────────────
 seed=32 alpha=0.10
 $ ./simulate 32
 dead   attempt 1   ended 10:22 (20m ago)   took 1.4s
 minion a9ec0806bbbb   node paravance-7.rennes   pid 4121   lost
 id b32
 reason  exit 3
 stderr, its end:
   reading
   simulate: cannot open /data/m_32.bin


 group 1: exit 3: simulate: cannot open /data/m_#.bin   Esc: groups
 ? Help q Quit / Filter s Sort Enter Detail z Freeze e Export o Stderr R Retry L Release C Cancel D Drain
"""


def test_every_tab_has_its_rows(reports):
    """In the order of the keys; the log has its newest entry last, and the cursor on it."""
    shown = {}

    async def scenario(desk):
        for tab in "1234567":
            await desk.press(tab)
            shown[tab] = desk.rows
        assert desk.under_cursor[2] == "1 straggler, in flight for up to 10m"

    drive(Desk(reports, Clerk(Answer(sweep(reports)))), scenario)
    assert [len(shown[tab]) for tab in "1234567"] == [3, 2, 2, 2, 130, 130, 6]
    assert shown["2"][0][1:7] == ["5", "50%", "1h40", "20m", "1", "exit 3: simulate: cannot open /data/m_#.bin"]
    assert shown["3"][1][:8] == ["a9ec0806", "paravance-7", "-", "lost", "1h44", "30", "10", "25.0%"]
    assert shown["4"][0][:6] == ["paravance-7.rennes", "0", "1", "30", "10", "25.0%"]
    assert shown["5"][0] == ["1m00", "1.1", "seed=1 alpha=0.10", "paravance-7", "a9ec0806", "09:04:30"]
    assert shown["6"][0][:6] == ["10:40:58", "59.9s", "1.1", "1", "seed=199", "0.5"]
    assert [row[2].partition(" ")[0] for row in shown["7"][:3]] == ["started", "started", "lost"]


def test_ascii_is_all_that_is_drawn_where_it_is_asked_for(reports):
    """Bars, charts and cut texts."""
    desk = Desk(reports, Clerk(Answer(sweep(reports))), style=STYLE._replace(unicode=False))
    shown = screen(desk, "2", "enter", "escape")
    assert shown.isascii()
    assert " ####" in shown


@pytest.mark.parametrize("size", [(40, 12), (20, 6), (200, 60)])
def test_a_strange_size_is_no_trouble(reports, size):
    """Everything is cut to what there is; a dialog too."""

    async def scenario(desk):
        for keys in ("", ["2", "enter"], ["question_mark"], ["slash"], ["3", "enter", "enter"]):
            await desk.press(*keys)
            assert max(map(width, desk.text.splitlines())) <= size[0]
            await desk.press("escape", "escape")

    assert drive(Desk(reports, Clerk(Answer(sweep(reports)))), scenario, size) is None


def test_a_terminal_that_becomes_larger_is_used(reports):
    """Columns come back that had no room."""

    async def scenario(desk):
        assert "JOB" not in desk.text
        await desk.resize(120, 30)
        assert re.search(r"NODE +JOB +STATE", desk.text)
        assert "~/minion-report" in desk.text.splitlines()[0]

    drive(Desk(reports, Clerk(Answer(sweep(reports)))), scenario)


def test_an_empty_queue(tmp_path):
    """It is said, for the queue and for each table."""
    shown = screen(Desk(tmp_path))
    assert "empty: the queue has no params" in shown
    assert "nothing has run yet" in shown
    assert "nothing is in flight" in shown


def test_a_finished_run(tmp_path):
    """When it ended takes the place of the ETA."""
    Minion(tmp_path, ago=120).ends("a", ago=60, took=4.0).stops(ago=60).beats(ago=60)
    assert "100.0%  finished 10:41, took 1:00" in screen(Desk(tmp_path, Clerk(Answer(books(done=1)))))


def test_how_long_ago_is_told_by_the_clock_when_a_run_is_finished(tmp_path):
    """Its status is for the moment of its end."""
    minion = Minion(tmp_path, ago=1300)
    minion.ends("a", "failed", ago=1200, took=4.0, exit=1, dead=True, reason="exit 1\nand why", stderr="no\n")
    minion.stops(ago=1200).beats(ago=1200)

    async def scenario(desk):
        await desk.press("2")
        assert desk.rows[0][3:5] == ["20m", "20m"]
        await desk.press("enter", "z")
        assert "ended 10:22 (20m ago)" in desk.text
        assert " reason  exit 1\n         and why\n" in desk.text
        assert "FROZEN (z)  10:42:00" in desk.text

    drive(Desk(tmp_path, Clerk(Answer(books(dead=1)))), scenario)


HOSTILE = "[bold]x[/bold] [@click=app.quit]y[/] \x1b[2J\x1b]0;title\x07\u202e\r\n\t\ud800 {z} \x9b31m"


def test_what_strangers_wrote_is_shown_as_text(tmp_path):
    """No markup, no link, no escape: in params, stderr, hosts, jobs, commands, reasons, on every tab and in every detail."""
    param = json.dumps({HOSTILE: HOSTILE})
    minion = Minion(tmp_path, "[red]uid", host=HOSTILE, job={"id": HOSTILE, HOSTILE: 1})
    minion.ends("[b]id", "failed", param=param, stderr=HOSTILE * 3, reason=HOSTILE, dead=True, exit=1)
    minion.ends("done", param=param, result=param).starts("run", ago=5, param=param).stops(HOSTILE)
    counts = books(pending=1, done=1, dead=1)._replace(where=HOSTILE, engine=HOSTILE)

    async def scenario(desk):
        seen = ""
        for tab in "1234567":
            await desk.press(tab, "enter", "enter")
            seen += desk.text
            await desk.press("escape", "escape", "escape")
        await desk.press("2", "enter", "R")
        seen += desk.text
        assert all(c.isprintable() or c == "\n" for c in seen)
        assert "\u202e" not in seen
        assert "[bold]x[/bold] [@click=app.quit]y[/]" in seen
        assert r"\x1b[2J" in seen
        for widget in desk.app.main.query("*"):
            strips = [widget.render_line(y) for y in range(widget.size.height)]
            assert "quit" not in str([segment.style.meta for strip in strips for segment in strip if segment.style])

    assert drive(Desk(tmp_path, Clerk(Answer(counts))), scenario, (200, 50)) is None


def test_secrets_in_addresses_are_masked(tmp_path):
    """In params, commands and what programs write."""
    param = '{"url": "redis://ana:hunter2@host/0"}'
    minion = Minion(tmp_path)
    minion.ends("a", "failed", param=param, stderr="cannot reach redis://ana:hunter2@host/0\n", exit=1, dead=True)
    shown = screen(Desk(tmp_path, Clerk(Answer(books(dead=1)))), "2", "enter", "enter", size=(120, 30))
    assert "redis://ana:***@host/0" in shown
    assert "hunter2" not in shown


def test_more_rows_than_are_shown_are_counted(tmp_path):
    """500 rows at most; how many more there are is said."""
    minion = Minion(tmp_path)
    for n in range(1200):
        minion.ends(f"t{n}", ago=1200 - n)
    shown = screen(Desk(tmp_path, Clerk(Answer(books(done=1200)))), "6")
    assert "+ 700 more, filter with /" in shown


def test_a_queue_that_does_not_answer_is_shown_with_its_last_books(reports):
    """The error, and that what is shown is older; or since when nothing came."""
    counts = sweep(reports)
    lost = Answer(counts, EngineUnavailable("cannot reach redis://host (refused)\n  Is it running?"))
    shown = screen(Desk(reports, Clerk(lost)), size=(120, 30))
    assert " ! cannot reach redis://host (refused)   its books are older   +3 more: 7" in shown
    assert "pending 856" in shown
    shown = screen(Desk(reports, Clerk(Answer(counts, None, asked=NOW - 12))), size=(120, 30))
    assert " ! the queue has not answered for 12s   its books are older" in shown
    shown = screen(Desk(reports, Clerk(Answer(None, EngineUnavailable("refused")))), size=(120, 30))
    assert " ! refused   shown is what events tell" in shown


def test_events_without_a_queue_are_shown(reports):
    """Nothing is invented, and nothing complains that there is none."""
    sweep(reports)
    shown = screen(Desk(reports, Clerk(Answer(None, NoQueue("there is no queue")))), size=(120, 30))
    assert "(no queue here: counted from events)" in shown
    assert "there is no queue" not in shown.replace("(no queue here", "")


def test_a_drained_queue_says_who_drained_it(reports):
    """And which key takes it back."""
    counts = sweep(reports)._replace(drained=Control("ana@host", NOW - 60))
    shown = screen(Desk(reports, Clerk(Answer(counts))), "7", size=(120, 30))
    assert "drained by ana@host 1m ago: minions leave   D resumes" in shown
    assert re.search(r"10:41:00 +- +drained by ana@host", shown)


def test_a_directory_that_cannot_be_read_is_said(reports, monkeypatch):
    """What was read before stays."""
    desk = Desk(reports, Clerk(Answer(sweep(reports))))

    async def scenario(desk):
        def refuse():
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(desk.app.looker._files, "refresh", refuse)
        await desk.look()
        assert f"cannot read {reports}: Permission denied" in desk.text
        assert "seed=4711" in desk.text

    drive(desk, scenario, (200, 30))
