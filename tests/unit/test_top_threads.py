"""The threads of ``mtop``: a slow or dead queue is shown, not waited for, and keeps nobody from leaving."""

from __future__ import annotations

import threading
import time
from functools import partialmethod
from queue import SimpleQueue

import pytest
from status_events import NOW, Minion
from textual.app import App

from minionize.errors import EngineUnavailable, NoQueue, UsageError
from minionize.model import Counts, Traits
from minionize.status.read import EventFiles
from minionize.status.style import Style
from minionize.status.top import program
from minionize.status.top.clerk import Clerk
from minionize.status.top.listing import Wanted
from minionize.status.top.looker import Looker, Wish
from minionize.status.top.views import IN_FLIGHT, LOG, TABS

#: Far longer than anything here takes.
PATIENCE = 30.0
STYLE = Style(clock=time.gmtime)


class Engine:
    """Counts what it is asked; a call may be told to wait, or to fail."""

    traits = Traits(True, "timed", True, True, "exact", "durable", True, True)
    queue, where, notes = "q1", "minion-queue.db", ()

    def __init__(self):
        self.asked, self.closed, self.error = 0, 0, None
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.is_asked = threading.Event()
        self.threads = set()

    def counts(self):
        """Read the books."""
        self.threads.add(threading.get_ident())
        self.is_asked.set()
        assert self.goes_on.wait(PATIENCE)
        self.asked += 1
        if self.error:
            raise self.error
        return Counts(self.asked, 0, 0, 0, 0)

    def close(self):
        """Let go."""
        self.threads.add(threading.get_ident())
        self.closed += 1


@pytest.fixture
def engine():
    """Make an engine; at the end it goes on, whatever it was waiting for."""
    made = Engine()
    yield made
    made.goes_on.set()


@pytest.fixture
def clerk(engine):
    """Make the clerk of that engine."""
    made = Clerk(lambda: engine, lambda: NOW)
    yield made
    engine.goes_on.set()
    made.close()


def test_the_clerk_reads_the_books_each_time(clerk):
    """As they are now."""
    assert [clerk.books(PATIENCE).books.counts.pending for _ in range(2)] == [1, 2]


def test_a_queue_that_is_slow_is_asked_once_and_not_waited_for(clerk, engine):
    """The books of before stay, with since when an answer is awaited; then it comes."""
    clerk.books(PATIENCE)
    engine.goes_on.clear()
    for _ in range(3):
        answer = clerk.books(0.0)
        assert (answer.books.counts.pending, answer.asked) == (1, NOW)
    engine.goes_on.set()
    answer = clerk.books(PATIENCE)
    assert (answer.books.counts.pending, answer.asked) == (2, None)


def test_an_error_is_told_beside_the_books_of_before(clerk, engine):
    """And the queue is opened anew for the next question."""
    clerk.books(PATIENCE)
    engine.error = EngineUnavailable("refused")
    answer = clerk.books(PATIENCE)
    assert (answer.books.counts.pending, answer.error, engine.closed) == (1, engine.error, 1)
    engine.error = None
    assert clerk.books(PATIENCE).error is None


def test_a_queue_that_is_gone_has_no_books(clerk, engine):
    """Those of before would be of nothing."""
    clerk.books(PATIENCE)
    engine.error = NoQueue("there is no queue")
    assert clerk.books(PATIENCE)[:2] == (None, engine.error)


def test_a_queue_that_was_replaced_is_opened_anew(tmp_path):
    """The file that is open still has all that was in it, but it is nobody's queue any more."""

    def open():
        if not (tmp_path / "queue").exists():
            raise NoQueue("there is no queue")
        one = Engine()
        one.where = str(tmp_path / "queue")
        return one

    clerk = Clerk(open, lambda: NOW)
    (tmp_path / "queue").touch()
    assert [clerk.books(PATIENCE).books.counts.pending for _ in range(2)] == [1, 2]
    (tmp_path / "queue").rename(tmp_path / "old")
    assert isinstance(clerk.books(PATIENCE).error, NoQueue)
    (tmp_path / "queue").touch()
    assert clerk.books(PATIENCE).books.counts.pending == 1
    clerk.close()


def test_what_is_done_is_done_in_the_engines_own_thread(clerk, engine):
    """And what came of it is told, also an error."""
    outcomes = SimpleQueue()
    clerk.books(PATIENCE)
    clerk.do(lambda one: f"{one.counts().pending} pending", outcomes.put)
    assert outcomes.get(timeout=PATIENCE) == "2 pending"
    clerk.do(lambda one: 1 / 0, outcomes.put)
    assert isinstance(outcomes.get(timeout=PATIENCE), ZeroDivisionError)
    assert engine.threads != {threading.get_ident()}
    assert len(engine.threads) == 1


def test_leaving_closes_the_queue(clerk, engine):
    """In its thread."""
    clerk.books(PATIENCE)
    clerk.close()
    assert engine.closed == 1


def test_leaving_does_not_wait_for_a_queue_that_hangs(clerk, engine, monkeypatch):
    """It is left behind."""
    monkeypatch.setattr("minionize.status.top.clerk.FAREWELL", 0.0)
    engine.goes_on.clear()
    clerk.books(0.0)
    assert engine.is_asked.wait(PATIENCE)
    clerk.close()
    assert engine.closed == 0


@pytest.fixture
def scenes(tmp_path, clerk):
    """Start a looker; returns it with the scenes it delivers."""
    Minion(tmp_path).starts("a", ago=5)
    delivered = SimpleQueue()
    looker = Looker(EventFiles(str(tmp_path)), clerk, lambda: NOW, STYLE, patience=PATIENCE)
    looker.start(delivered.put)
    yield looker, delivered
    looker.close()


def test_the_looker_reads_what_is_new(scenes, tmp_path):
    """Each time it is told to look; between, it lists what it knows."""
    looker, delivered = scenes
    looker.ask(Wish(Wanted(IN_FLIGHT)), look=True)
    first = delivered.get(timeout=PATIENCE)
    assert (first.number, len(first.listing.keys), first.detail.command) == (1, 1, "./simulate 1")
    Minion(tmp_path, "other").starts("b", ago=2)
    looker.ask(Wish(Wanted(TABS[2])))
    assert len(delivered.get(timeout=PATIENCE).listing.keys) == 1
    looker.ask(Wish(Wanted(IN_FLIGHT)), look=True)
    last = delivered.get(timeout=PATIENCE)
    assert (last.number, len(last.listing.keys)) == (2, 2)


def test_what_goes_wrong_is_in_the_log_once(scenes, engine):
    """In full: the line on the screen has no room for it. When it begins again, it is there again."""
    looker, delivered = scenes
    logs = []
    for error in (EngineUnavailable("refused\nIs it running?"),) * 2 + (None, EngineUnavailable("refused")):
        engine.error = error
        looker.ask(Wish(Wanted(LOG)), look=True)
        texts = [entry.text for entry in delivered.get(timeout=PATIENCE).listing.items]
        logs.append(texts.count("refused"))
    assert logs == [1, 1, 1, 2]


def test_wishes_that_come_fast_are_answered_together(scenes, engine):
    """The newest one, with the look that one of them asked for."""
    looker, delivered = scenes
    engine.goes_on.clear()
    looker.ask(Wish(Wanted(IN_FLIGHT)), look=True)
    assert engine.is_asked.wait(PATIENCE)
    looker.ask(Wish(Wanted(TABS[1])), look=True)
    looker.ask(Wish(Wanted(TABS[2])))
    looker.ask(Wish(Wanted(TABS[3])))
    engine.goes_on.set()
    shown = [delivered.get(timeout=PATIENCE) for _ in range(2)]
    assert [(scene.number, scene.wish.wanted.view) for scene in shown] == [(1, IN_FLIGHT), (2, TABS[3])]
    assert delivered.empty()


def test_a_fault_of_ours_is_delivered(scenes, monkeypatch):
    """To be told by the thread that has a terminal."""
    looker, delivered = scenes
    monkeypatch.setattr("minionize.status.top.looker.build", lambda *args: 1 / 0)
    looker.ask(Wish(Wanted(IN_FLIGHT)), look=True)
    assert isinstance(delivered.get(timeout=PATIENCE), ZeroDivisionError)


def show(monkeypatch, directory, open):
    """Run the program without a screen, as the command does."""
    monkeypatch.setattr(program.Top, "run", partialmethod(App.run, headless=True, size=(80, 24)))
    return program.show(EventFiles(str(directory)), open, STYLE, "", 2.0)


def test_neither_queue_nor_events_is_told_to_the_caller(monkeypatch, tmp_path):
    """It is no dashboard then."""

    def refuse():
        raise NoQueue("there is no queue")

    assert show(monkeypatch, tmp_path, refuse) is program.NOTHING


def test_what_can_never_be_opened_ends_it(monkeypatch, tmp_path):
    """Two queues here, a package that is not installed: with the error, not in a corner of the screen."""

    def refuse():
        raise UsageError("there is more than one queue here")

    with pytest.raises(UsageError, match="more than one queue"):
        show(monkeypatch, tmp_path, refuse)


def test_a_fault_of_ours_ends_it(monkeypatch, tmp_path, engine):
    """It is raised, for the command to tell; nothing is printed with all its variables."""
    monkeypatch.setattr("minionize.status.top.face.head", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        show(monkeypatch, tmp_path, lambda: engine)
