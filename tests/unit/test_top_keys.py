"""``mtop``'s keys: each does what its help says, and undoes it."""

from __future__ import annotations

import json

import pytest
from status_events import NOW, Minion, books
from top_pilot import Clerk, Desk, drive, sweep

from minionize.status.top.clerk import Answer
from minionize.status.top.keys import KEYS


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Sit down before a sweep of two minions."""
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "minion-report"
    return Desk(directory, Clerk(Answer(sweep(directory))))


def params(desk, column=3):
    """Return the column of the params."""
    return [row[column] for row in desk.rows]


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_leaving(desk, key):
    """``q`` and Ctrl-C, the latter from a dialog too; the threads are told."""

    async def scenario(desk):
        if key == "ctrl+c":
            await desk.press("question_mark")
        await desk.press(key)
        assert not desk.app.is_running

    assert drive(desk, scenario) is None
    assert desk.clerk.closed


@pytest.mark.parametrize("key", ["question_mark", "h", "f1"])
def test_help_lists_every_key(desk, key):
    """And goes away by Esc or q, which does not leave then."""

    async def scenario(desk):
        await desk.press(key)
        shown = desk.text
        assert [k.help for k in KEYS if k.label and k.help not in shown] == []
        await desk.press("q")
        assert desk.app.is_running
        assert "AGE▼" in desk.text

    drive(desk, scenario, (120, 40))


def test_help_says_why_a_key_does_nothing(tmp_path):
    """For each of the verbs."""
    counts = books(pending=1)._replace(verbs=frozenset({"list"}), engine="pulsar")

    async def scenario(desk):
        await desk.press("question_mark")
        assert "D  pulsar cannot drain" in desk.text

    drive(Desk(tmp_path, Clerk(Answer(counts))), scenario, (120, 40))


def test_tabs_by_number_and_in_turn(desk):
    """Tab goes on and around, Shift-Tab back."""

    async def scenario(desk):
        names = []
        for key in ["4", "tab", "shift+tab", "shift+tab", "7", "tab"]:
            await desk.press(key)
            names.append(desk.app.places.view.name)
        assert names == ["nodes", "slowest", "nodes", "minions", "log", "in-flight"]

    drive(desk, scenario)


def test_a_tab_by_the_mouse(desk):
    """A click at its name; at a heading it sorts; at a row it goes there, and once more opens it."""

    async def scenario(desk):
        await desk.pilot.click("#tabs", offset=(18, 0))
        assert desk.app.places.view.name == "failures"
        await desk.press("1")
        await desk.pilot.click("#grid", offset=(10, 0))
        await desk.pilot.pause()
        assert desk.app.places.wanted.sort == "times_p50"
        await desk.pilot.click("#grid", offset=(10, 2))
        await desk.pilot.pause()
        assert (desk.app.grid.cursor, desk.app.shows("detail")) == (1, False)
        await desk.pilot.click("#grid", offset=(10, 2))
        await desk.pilot.pause()
        assert desk.app.shows("detail")
        await desk.pilot.click("#keys", offset=(2, 0))
        await desk.pilot.pause()
        assert "this help" in desk.text

    drive(desk, scenario)


def test_moving(desk):
    """Arrows, j and k, pages, ends; never beyond them."""

    async def scenario(desk):
        await desk.press("6")
        places = []
        for key in ["down", "j", "up", "k", "k", "pagedown", "end", "down", "pageup", "home"]:
            await desk.press(key)
            places.append(desk.app.grid.cursor)
        page = desk.app.grid.size.height - 2
        assert places == [1, 2, 1, 0, 0, page, 129, 129, 129 - page, 0]
        await desk.press("end")
        assert "> 08:58:40" in desk.text

    drive(desk, scenario)


def test_the_cursor_stays_at_the_row_when_others_come(desk):
    """By its key; at the top it stays at the top, where new rows come in."""

    async def scenario(desk):
        await desk.press("6")
        newest = desk.under_cursor[4]
        Minion(desk.app.looker._files.directory, "new").ends("x1", param='"new1"')
        await desk.look()
        assert desk.under_cursor[4] == "new1"
        await desk.press("down")
        assert desk.under_cursor[4] == newest
        Minion(desk.app.looker._files.directory, "new").ends("x2", param='"new2"')
        await desk.look()
        assert (desk.under_cursor[4], desk.app.grid.cursor) == (newest, 2)
        assert "seed=199" in newest

    drive(desk, scenario)


def test_a_row_that_vanishes_leaves_the_cursor_where_it_was(desk):
    """Its neighbour takes its place, and the detail tells of that one."""

    async def scenario(desk):
        await desk.press("down", "enter")
        assert "id u" in desk.text
        leased = tuple(entry for entry in desk.clerk.answer.books.leased if entry.id != "u")
        desk.clerk.answer = Answer(desk.clerk.answer.books._replace(leased=leased))
        await desk.look()
        assert desk.app.grid.cursor == 1
        assert "id t" in desk.text

    drive(desk, scenario)


def test_enter_goes_deeper_and_escape_comes_back(desk):
    """Groups, tasks with the detail, all of the detail; and back, with the row where it was."""

    async def scenario(desk):
        def where():
            app = desk.app
            return app.places.view.name, app.shows("detail"), app.shows("all")

        await desk.press("2", "down", "enter")
        assert where() == ("failed", True, False)
        assert "simulate: out of disk" in desk.text
        await desk.press("down", "enter")
        assert where() == ("failed", True, True)
        assert desk.text.splitlines()[7].startswith(" seed=28 alpha=0.10")
        await desk.press("escape")
        assert where() == ("failed", True, False)
        await desk.press("escape")
        assert where() == ("failed", False, False)
        await desk.press("escape")
        assert where() == ("failures", False, False)
        assert desk.under_cursor[6] == "exit 3: simulate: out of disk"
        await desk.press("escape", "escape")
        assert desk.app.is_running

    drive(desk, scenario)


def test_the_detail_follows_the_cursor(desk):
    """And is scrolled by arrows where it fills the screen."""

    async def scenario(desk):
        await desk.press("enter")
        assert "$ ./simulate 4711" in desk.text
        await desk.press("down")
        assert "minion a9ec0806bbbb" in desk.text
        await desk.press("enter", "down")
        assert desk.app.grid.cursor == 1

    drive(desk, scenario)


def test_a_filter_is_typed_applied_and_taken_away(desk):
    """With / and Enter; Esc takes it away; each tab has its own."""

    async def scenario(desk):
        await desk.press("slash")
        assert "columns: id, attempt," in desk.text
        await desk.type("param.alpha=0.5")
        await desk.press("enter")
        assert params(desk) == ["seed=4712 alpha=0.5"]
        assert "1 with param.alpha=0.5" in desk.text
        await desk.press("3")
        assert len(desk.rows) == 2
        await desk.press("1", "escape")
        assert len(desk.rows) == 3

    drive(desk, scenario)


def test_a_filter_that_is_wrong_is_not_applied(desk):
    """What is wrong is said, and what was typed stays to be mended; Esc gives up."""

    async def scenario(desk):
        await desk.press("slash")
        await desk.type("nod=x")
        await desk.press("enter")
        assert "there is no column 'nod'" in desk.text
        assert desk.app.prompt.value == "nod=x"
        await desk.press("escape")
        assert not desk.app.prompt.display
        assert len(desk.rows) == 3
        await desk.press("slash")
        await desk.type("param.nothing=1")
        await desk.press("enter")
        assert "no param has the field 'nothing'" in desk.text

    drive(desk, scenario, (120, 30))


def test_a_filter_of_failures_counts_the_groups_anew(desk):
    """It is put to the tasks, goes along into a group, and ``!`` inverts it."""

    async def scenario(desk):
        await desk.press("2", "slash")
        await desk.type("param.seed>20 !dead=false")
        await desk.press("enter")
        assert sorted(row[1] for row in desk.rows) == ["1", "2"]
        await desk.press("enter")
        assert params(desk) == ["seed=32 alpha=0.10", "seed=24 alpha=0.10"]

    drive(desk, scenario)


def test_letters_are_text_where_text_is_typed(desk):
    """No key of the program is taken for a command in the filter."""

    async def scenario(desk):
        await desk.press("slash")
        await desk.type("qzRLD?")
        assert desk.app.prompt.value == "qzRLD?"
        await desk.press("tab")
        assert desk.app.places.view.name == "in-flight"
        assert desk.app.is_running

    drive(desk, scenario)


def test_sorting_by_the_letter_of_a_column(desk):
    """``s`` and the letter; ``S`` reverses; ``s`` and Esc changes nothing."""

    async def scenario(desk):
        await desk.press("s")
        assert "a  AGE  (now; S reverses)" in desk.text
        await desk.press("n")
        assert [row[5] for row in desk.rows] == ["paravance-1", "paravance-1", "paravance-7"]
        await desk.press("S")
        assert desk.rows[0][5] == "paravance-7"
        assert "NODE▲" in desk.text or "NODE▼" in desk.text
        await desk.press("s", "escape")
        assert desk.rows[0][5] == "paravance-7"

    drive(desk, scenario)


def test_a_frozen_screen_shows_its_moment(desk):
    """Data keep coming and are there when it goes on; tabs can be looked at meanwhile."""

    async def scenario(desk):
        await desk.press("6", "z")
        Minion(desk.app.looker._files.directory, "new").ends("x1", param='"new"')
        desk.now = NOW + 100
        await desk.look()
        assert "FROZEN (z)  10:42:00" in desk.text
        assert len(desk.rows) == 130
        await desk.press("3")
        assert len(desk.rows) == 2
        await desk.press("5", "t", "6", "z")
        assert "live 2s  10:43:40" in desk.text
        assert desk.under_cursor[4] == "new"

    drive(desk, scenario)


def test_looking_more_and_less_often(desk):
    """From 0.5 to 30 seconds."""

    async def scenario(desk):
        paces = []
        for key in ["plus", "plus", "plus", *["minus"] * 6]:
            await desk.press(key)
            paces.append(desk.app.pace)
        assert paces == [1.0, 0.5, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 30.0]
        assert "live 30s" in desk.text

    drive(desk, scenario)


def test_a_pace_of_ones_own_has_neighbours(tmp_path):
    """As ``--refresh 3`` has."""

    async def scenario(desk):
        desk.app.pace = 3.0
        await desk.press("minus")
        assert desk.app.pace == 5.0
        desk.app.pace = 3.0
        await desk.press("plus")
        assert desk.app.pace == 2.0

    drive(Desk(tmp_path), scenario)


def test_the_span_of_the_charts(desk):
    """15 minutes, an hour, 6 hours, all; around in both directions."""

    async def scenario(desk):
        spans = []
        for key in ["t", "t", "T", "T", "T"]:
            await desk.press(key)
            chart = desk.app.scene.charts.ended
            spans.append(chart.width * len(chart.counts))
        assert spans == [900, 3600, 900, 6360, 6360]

    drive(desk, scenario)


def test_marks(desk):
    """Space marks and goes on; once more takes the mark off; Esc takes off all; a row that is gone takes its mark along."""

    async def scenario(desk):
        await desk.press("space", "space")
        assert "2 marked" in desk.text
        assert " *10m02" in desk.text
        await desk.press("up", "space")
        assert "1 marked" in desk.text
        await desk.press("slash")
        await desk.type("seed=4712")
        await desk.press("enter")
        assert "marked" not in desk.text
        await desk.press("escape", "space", "escape")
        assert "marked" not in desk.text

    drive(desk, scenario)


def test_exporting_what_is_listed(desk, tmp_path):
    """With all its columns, to a new file, as CSV or JSON."""

    async def scenario(desk):
        await desk.press("e", "enter")
        assert "3 rows written to in-flight.csv" in desk.text
        await desk.press("e", "enter")
        assert "in-flight.csv is there already" in desk.text
        await desk.press("escape", "e", "ctrl+u")
        await desk.type("rows.json")
        await desk.press("enter", "e", "ctrl+u")
        await desk.type("rows.txt")
        await desk.press("enter")
        assert "rows.txt is neither a .csv nor a .json file" in desk.text

    drive(desk, scenario)
    lines = (tmp_path / "in-flight.csv").read_text().splitlines()
    assert lines[0].startswith("id,attempt,delivery,minion,node,start,age,times_p50,state,param.seed,param.alpha")
    assert lines[1].startswith("s,1,1,c69d4bd8aaaa,paravance-1.rennes,2025-11-21T10:31:58.000Z,602,")
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["param"] for row in rows] == [{"seed": 4711, "alpha": 0.1}, {"seed": 1}, {"seed": 4712, "alpha": 0.5}]


def copied(desk):
    """Return what the terminal was told to put on its clipboard."""
    return desk.app.clipboard


def test_copying_the_command_and_the_param(desk):
    """As they were, ready for a shell."""

    async def scenario(desk):
        await desk.press("y")
        assert copied(desk) == "./simulate 4711"
        await desk.press("x")
        assert copied(desk) == '{"seed": 4711, "alpha": 0.10}'
        assert 'copied: {"seed": 4711' in desk.text
        await desk.press("4", "y")
        assert "there is no command here" in desk.text

    drive(desk, scenario)


def test_what_is_copied_presses_no_key(tmp_path):
    """A param may hold what ends a paste, or Ctrl-C: it is escaped, for the shell and as JSON."""
    nasty = "a\x1b[201~\x03\nrm -rf ~ \u202e"
    minion = Minion(tmp_path).starts("a", ago=5, param=json.dumps({"seed": nasty}))

    async def scenario(desk):
        await desk.press("y")
        assert copied(desk).isprintable()
        assert copied(desk).startswith(r"./simulate $'a\e[201~\x03\nrm -rf ~")
        await desk.press("x")
        assert copied(desk).isprintable()
        assert json.loads(copied(desk)) == {"seed": nasty}

    drive(Desk(tmp_path, Clerk(Answer(None))), scenario)
    assert minion.uid


def test_stderr_in_a_pager(desk, monkeypatch):
    """Safe text, by $PAGER; what is not there, and a pager that is not, are said."""
    seen = []
    monkeypatch.setattr("minionize.status.top.hands._paged", lambda text: seen.append(text) or "")
    monkeypatch.setattr(type(desk.app), "suspend", lambda app: __import__("contextlib").nullcontext())

    async def scenario(desk):
        await desk.press("o")
        assert "no stderr was kept of this" in desk.text
        await desk.press("2", "enter", "o")

    drive(desk, scenario)
    assert seen == ["reading\nsimulate: cannot open /data/m_32.bin\n"]


def test_a_message_goes_with_the_next_key(desk):
    """So that what it covers is seen again."""

    async def scenario(desk):
        await desk.press("o")
        assert "no stderr was kept" in desk.text
        await desk.press("down")
        assert "no stderr was kept" not in desk.text

    drive(desk, scenario)


def test_keys_may_be_faster_than_what_is_read(desk):
    """None is lost, and none acts on the row of before: they wait for the list, and for the row's detail."""
    late = []

    async def scenario(desk):
        deliver = desk.app.looker._deliver
        desk.app.looker._deliver = late.append

        async def arrive():
            while late:
                deliver(late.pop())
                await desk.pilot.pause()

        await desk.press("down", "y")
        assert copied(desk) == ""
        await arrive()
        assert copied(desk) == "./simulate 1"
        await desk.press("2", "enter", "o", "slash")
        assert desk.app.places.view.name == "failures"
        await arrive()
        assert desk.app.places.view.name == "failed"
        assert desk.app.prompt.display

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minionize.status.top.hands.Hands.page", lambda hands: None)
        drive(desk, scenario)


def test_a_key_that_leaves_takes_back_what_waits(desk):
    """Enter, and another tab at once: it is that tab, with nothing open."""
    late = []

    async def scenario(desk):
        deliver, desk.app.looker._deliver = desk.app.looker._deliver, late.append
        await desk.press("2", "enter", "4")
        for scene in late:
            deliver(scene)
            await desk.pilot.pause()
        assert (desk.app.places.view.name, desk.app.shows("detail")) == ("nodes", False)

    drive(desk, scenario)
