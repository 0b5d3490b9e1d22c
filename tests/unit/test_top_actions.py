"""``mtop``'s actions: what ``minion-queue`` does, after a question with the count; never by accident."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from status_events import NOW, Minion, books
from top_pilot import Clerk, Desk, drive, sweep

from minionize.errors import EngineUnavailable
from minionize.model import STATES, Control, Entry
from minionize.status.top.clerk import Answer


class Queue:
    """Remembers what it was told, and says how many tasks that changed. ``entries``: what is listed (None: that is taking)."""

    def __init__(self, error=None, entries=None):
        self.told, self._error, self.entries = [], error, entries

    @property
    def traits(self):
        """Tell what can be listed."""
        return SimpleNamespace(listed=frozenset({"dead"} if self.entries is None else STATES))

    def list(self, state):
        """List what is in a state."""
        return [entry for entry in self.entries if entry.state == state]

    def get(self, id):
        """Find a task."""
        return next((entry for entry in self.entries if entry.id == id), None)

    def _do(self, verb, what):
        if self._error:
            raise self._error
        self.told.append((verb, tuple(what) if isinstance(what, list) else what))
        return len(what) if what is not None and verb != "control" else 7

    def retry(self, ids):
        """Put back."""
        return self._do("retry", ids)

    def release(self, ids):
        """Give back."""
        return self._do("release", ids)

    def remove(self, ids):
        """Take off the books."""
        return self._do("remove", ids)

    def control(self, drain):
        """Drain or resume."""
        self._do("control", drain)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Sit down before a sweep of two minions, on a queue that remembers what is done to it."""
    monkeypatch.setenv("USER", "ana")
    return Desk(tmp_path, Clerk(Answer(sweep(tmp_path)), Queue()))


def told(desk):
    """Return what the queue was told."""
    return desk.clerk.engine.told


def test_retrying_the_task_under_the_cursor(desk):
    """Asked with the count and the command that does the same; done only by y."""

    async def scenario(desk):
        await desk.press("2", "enter", "R")
        assert "Put 1 dead task back, as if new?" in desk.text
        assert "the same as  minion-queue retry b32" in desk.text
        for key in ["enter", "space", "R", "r", "n"]:
            await desk.press(key)
            assert told(desk) == []
        await desk.press("R", "escape", "R", "y")
        assert told(desk) == [("retry", ("b32",))]
        assert "1 task put back" in desk.text

    drive(desk, scenario)


def test_what_was_done_is_in_the_log(desk):
    """Who, what, and what came of it."""

    async def scenario(desk):
        await desk.press("2", "enter", "R", "y", "7")
        assert ["10:42:00", "mtop", "ana: minion-queue retry b32: 1 task put back"] in desk.rows

    drive(desk, scenario)


def test_retrying_a_whole_group(desk):
    """Those that are dead: what is delayed is tried again anyway."""

    async def scenario(desk):
        await desk.press("2", "down", "R")
        assert "Put 4 dead tasks back, as if new?" in desk.text
        assert "1 more will be tried again anyway: delayed, not dead" in desk.text
        assert "minion-queue retry b28 b20 b12 ... (4 ids)" in desk.text
        await desk.press("y")

    drive(desk, scenario)
    assert told(desk) == [("retry", ("b28", "b20", "b12", "b4"))]


def test_actions_apply_to_marked_rows(desk):
    """Not to the one under the cursor then; the marks are gone afterwards."""

    async def scenario(desk):
        await desk.press("2", "enter", "space", "space", "R", "y")
        assert "marked" not in desk.text

    drive(desk, scenario)
    assert told(desk) == [("retry", ("b32", "b24"))]


def test_what_is_not_dead_cannot_be_retried(desk):
    """It is said, and nothing is asked."""

    async def scenario(desk):
        await desk.press("2", "down", "enter", "R")
        assert "none of these is dead" in desk.text
        await desk.press("1", "R")
        assert "R is for failures: 2" in desk.text

    drive(desk, scenario)
    assert told(desk) == []


def test_releasing_what_lost_minions_hold(desk):
    """All of it, from any tab, wherever the cursor happens to be; one task where it is marked."""

    async def scenario(desk):
        await desk.press("3", "L")
        assert "Give back 1 task held by lost minions?" in desk.text
        assert "the same as  minion-queue release --lost" in desk.text
        await desk.press("y", "1", "down", "L")
        assert "Give back 1 task held by lost minions?" in desk.text
        await desk.press("n", "space", "L")
        assert "Give back 1 task?" in desk.text
        await desk.press("y")

    drive(desk, scenario)
    assert told(desk) == [("release", None), ("release", ("u",))]


def test_releasing_from_a_minion_that_lives_is_said(desk):
    """It is stopped there; where nobody marked it, those that are lost are meant."""

    async def scenario(desk):
        await desk.press("L")
        assert "held by lost minions?" in desk.text
        await desk.press("n", "space", "down", "space", "L")
        assert "2 tasks of minions that are alive: stopped there, and run anew" in desk.text
        await desk.press("y")

    drive(desk, scenario)
    assert told(desk) == [("release", ("s", "t"))]


def test_nothing_to_release(tmp_path):
    """Nobody is lost. What a living minion runs has to be marked: the cursor only happens to be there."""
    minion = Minion(tmp_path).starts("a", ago=5)
    held = (Entry("a", "1", "leased", 1, 1, minion=minion.uid, host="h", since=NOW - 5),)

    async def scenario(desk):
        await desk.press("L")
        assert "nothing is held by lost minions; mark what a living one is to give back (Space)" in desk.text
        await desk.press("3", "L")
        assert "nothing is held by lost minions" in desk.text

    desk = Desk(tmp_path, Clerk(Answer(books(leased=1)._replace(leased=held)), Queue()))
    drive(desk, scenario, (120, 30))
    assert told(desk) == []


def test_a_lost_minion_whose_tasks_are_with_others_needs_no_release(tmp_path):
    """No key is offered that would do nothing."""
    Minion(tmp_path, "alive")
    Minion(tmp_path, "lost").beats(ago=60)

    async def scenario(desk):
        assert " ! 1 minion lost   3 shows the minions" in desk.text

    drive(Desk(tmp_path, Clerk(Answer(books(pending=1)), Queue())), scenario)


def test_what_nobody_known_holds_can_be_released(tmp_path):
    """As what another program took from a ParamSweeper."""
    held = books(leased=1)._replace(leased=(Entry("a", "1", "leased", 1, 1),))

    async def scenario(desk):
        await desk.press("3", "L", "y")

    desk = Desk(tmp_path, Clerk(Answer(held), Queue()))
    drive(desk, scenario)
    assert told(desk) == [("release", None)]


def test_cancelling(desk):
    """What is in flight, or what has failed: off the books, and that is said."""

    async def scenario(desk):
        await desk.press("C")
        assert "Cancel 1 task?" in desk.text
        assert "it is off the books for good" in desk.text
        assert "a minion that runs one stops it at its next renewal" in desk.text
        await desk.press("y", "2", "C")
        assert "Cancel 5 tasks?" in desk.text
        await desk.press("y", "4", "C")
        assert "C is for what is in flight or failed: 1, 2" in desk.text

    drive(desk, scenario)
    assert told(desk) == [("remove", ("s",)), ("remove", ("b32", "b24", "b16", "b8", "b0"))]


def test_draining_and_resuming(desk):
    """By one key: it knows how the queue is, and whom to name."""

    async def scenario(desk):
        await desk.press("D")
        assert "Ask all minions of this queue to leave?" in desk.text
        await desk.press("y")
        assert "drained: all minions of this queue leave" in desk.text
        desk.clerk.answer = Answer(desk.clerk.answer.books._replace(drained=Control("bob@host", NOW - 60)))
        await desk.look()
        assert "D Resume" in desk.text
        await desk.press("D")
        assert "Let minions take params again?" in desk.text
        assert "bob@host drained it 1m ago" in desk.text
        await desk.press("y")

    drive(desk, scenario)
    (_, drain), (_, resume) = told(desk)
    assert (drain.who.partition("@")[0], resume) == ("ana", None)


def test_an_action_that_fails_is_said(tmp_path):
    """And written down."""
    queue = Queue(EngineUnavailable("cannot reach the queue\n  Is it running?"))

    async def scenario(desk):
        await desk.press("D", "y")
        assert "cannot reach the queue" in desk.text
        await desk.press("7")
        assert any(row[2].endswith("minion-queue drain: cannot reach the queue") for row in desk.rows)

    drive(Desk(tmp_path, Clerk(Answer(sweep(tmp_path)), queue)), scenario)


def test_what_an_engine_cannot_do_is_grey_and_says_so(tmp_path):
    """Nothing is asked."""
    Minion(tmp_path).starts("a", ago=5)
    counts = books(pending=1)._replace(verbs=frozenset({"list", "get", "retry"}), engine="pulsar")

    async def scenario(desk):
        words = {word.key: word.color for word in desk.app.main.query_one("#keys")._words}
        assert (words["L"], words["C"], words["D"], words["/"]) == ("dim", "dim", "dim", "")
        for key, why in {"L": "pulsar cannot release", "C": "pulsar cannot cancel", "D": "pulsar cannot drain"}.items():
            await desk.press(key)
            assert why in desk.text
        await desk.press("2")
        assert {word.key: word.color for word in desk.app.main.query_one("#keys")._words}["R"] == ""

    desk = Desk(tmp_path, Clerk(Answer(counts), Queue()))
    drive(desk, scenario)
    assert told(desk) == []


def test_nothing_can_be_changed_where_it_was_started_to_look(tmp_path):
    """``--readonly`` switches all of them off, and says why."""
    desk = Desk(tmp_path, Clerk(Answer(sweep(tmp_path)), Queue()), readonly="mtop was started with --readonly")

    async def scenario(desk):
        for tab, key in ("2R", "1L", "1C", "7D"):
            await desk.press(tab, key)
            assert "mtop was started with --readonly" in desk.text
            await desk.press("y")

    drive(desk, scenario)
    assert told(desk) == []


def test_nothing_is_done_without_a_queue(tmp_path):
    """Where it does not answer, or where there is none."""
    Minion(tmp_path).ends("a", "failed", exit=1, dead=True)

    async def scenario(desk):
        await desk.press("2", "R")
        assert "there is no queue that answers" in desk.text

    drive(Desk(tmp_path, Clerk(Answer(None, EngineUnavailable("refused")), Queue())), scenario)


def test_what_was_asked_about_is_what_is_done(desk):
    """Rows that come or go while the question stands change nothing in it; they are drawn behind it."""

    async def scenario(desk):
        await desk.press("2", "enter", "R")
        desk.clerk.answer = Answer(desk.clerk.answer.books._replace(leased=()))
        Minion(desk.app.looker._files.directory, "new").ends(
            "zz", "failed", exit=3, dead=True, stderr="simulate: cannot open /data/m_9.bin\n"
        )
        await desk.look()
        assert "Put 1 dead task back" in desk.text
        await desk.press("y")

    drive(desk, scenario)
    assert told(desk) == [("retry", ("b32",))]


def test_what_changed_since_the_question_is_left_alone(desk):
    """What somebody else put back, what is done, what another minion holds now: and it is said."""
    desk.clerk.engine.entries = [
        *(Entry("b32", "1", "dead", 3, 3), Entry("b28", "1", "dead", 3, 3), Entry("b24", "1", "leased", 1, 4)),
        *(Entry("b20", "1", "done", 1, 4), Entry("b36", "1", "delayed", 2, 1), Entry("b12", "1", "pending", 1, 3)),
        *(Entry("s", "1", "done", 1, 1), Entry("t", "1", "leased", 1, 1), Entry("u", "1", "leased", 1, 2)),
    ]

    async def scenario(desk):
        await desk.press("2", "R", "y")
        assert "1 task put back; 4 tasks changed meanwhile: left alone" in desk.text
        await desk.press("down", "C", "y")
        assert "3 tasks cancelled; 2 tasks changed meanwhile: left alone" in desk.text
        await desk.press("1", "space", "space", "space", "L", "y")
        assert "1 task given back; 2 tasks changed meanwhile: left alone" in desk.text
        await desk.press("home", "C", "y")
        assert "0 tasks cancelled; 1 task changed meanwhile: left alone" in desk.text

    drive(desk, scenario)
    assert told(desk) == [("retry", ("b32",)), ("remove", ("b36", "b28", "b12")), ("release", ("t",))]


def test_marks_stay_where_nothing_was_done_to_their_rows(desk):
    """A drain, an action that failed, and one that was asked for on another tab."""

    async def scenario(desk):
        await desk.press("space", "D", "y")
        assert "drained" in desk.text
        await desk.press("z")
        assert "1 marked" in desk.text
        desk.clerk.engine._error = EngineUnavailable("refused")
        await desk.press("C", "y", "z")
        assert "1 marked" in desk.text
        desk.clerk.engine._error, late, desk.clerk.do = None, [], lambda act, then: late.append((act, then))
        await desk.press("C", "y", "3", "space")
        for act, then in late:
            then(act(desk.clerk.engine))
        await desk.pilot.pause()
        await desk.press("z")
        assert "1 marked" in desk.text
        await desk.press("1")
        assert "marked" not in desk.text

    drive(desk, scenario)


def test_a_click_answers_too(desk):
    """At the words yes and no."""

    async def scenario(desk):
        await desk.press("D")
        await desk.pilot.click("#words", offset=(12, 0))
        await desk.pilot.pause()
        assert told(desk) == []
        await desk.press("D")
        await desk.pilot.click("#words", offset=(2, 0))
        await desk.pilot.pause()

    drive(desk, scenario)
    assert len(told(desk)) == 1
