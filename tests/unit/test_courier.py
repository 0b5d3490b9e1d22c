"""The courier: what it carries to the engine and back, how it keeps leases, and how it bears an outage."""

from __future__ import annotations

import queue
import threading

import pytest

from minionize import courier as courier_module
from minionize.courier import Broken, Courier, Renewed, Trouble
from minionize.errors import EngineError, EngineUnavailable
from minionize.model import Ack, Counts, Delivery, Gone, Nack, Task

#: Seconds that a test waits for an event before it fails. No test asserts a time.
PATIENCE = 30.0
ONE, TWO, THREE = (Task(str(n), str(n), 1, 1) for n in (1, 2, 3))
GIVEN = Delivery((ONE, TWO))
DOWN = EngineUnavailable("no answer")


class Engine:
    """Answers as a script says, then that there is nothing; notes what it was asked and by which thread."""

    def __init__(self, answers=(), gone=()):
        self.asked, self.renewed, self.threads = queue.Queue(), queue.Queue(), set()
        self.closed = threading.Event()
        self.stuck = None
        self._answers, self._gone = list(answers), list(gone)
        self._bell = threading.Event()

    def exchange(self, settled=(), *, limit=0, wait=0.0):
        """Note what is settled and asked for, and give the next answer; wait where there is none, and time."""
        self.threads.add(threading.get_ident())
        if self.stuck:
            self.stuck.wait(PATIENCE)
        self.asked.put((list(settled), limit))
        if self._answers:
            answer = self._answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        if wait:
            self._bell.wait(PATIENCE)
            self._bell.clear()
        return Delivery()

    def renew(self, held):
        """Note what is held; say what the script says to be gone."""
        self.threads.add(threading.get_ident())
        self.renewed.put(list(held))
        answer = self._gone.pop(0) if self._gone else []
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def counts(self):
        """Know nothing."""
        return Counts()

    def wake(self):
        """Cut short a wait."""
        self._bell.set()

    def close(self):
        """Note it."""
        self.threads.add(threading.get_ident())
        self.closed.set()


class Minion:
    """The main thread's side."""

    def __init__(self, engine, lease, patience):
        self.engine, self._news = engine, queue.Queue()
        self.courier = Courier(engine, lease=lease, patience=patience, notify=lambda: self._news.put(None))

    def hears(self, kind):
        """Wait for a message of a kind, passing over all others."""
        while True:
            for message in self.courier.messages():
                if isinstance(message, kind):
                    return message
            self._news.get(timeout=PATIENCE)

    def hears_of(self, *tasks):
        """Wait for a delivery of these tasks."""
        while self.hears(Delivery).tasks != tasks:
            pass

    def sends(self):
        """Wait for the next settlements that reach the engine."""
        while True:
            settled, _ = self.engine.asked.get(timeout=PATIENCE)
            if settled:
                return settled


@pytest.fixture
def meet():
    """Start couriers; they are gone at the end."""
    minions = []

    def start(answers=(), *, gone=(), lease=3600.0, patience=3600.0):
        minions.append(Minion(Engine(answers, gone), lease, patience))
        return minions[-1]

    yield start
    for minion in minions:
        if minion.engine.stuck:
            minion.engine.stuck.set()
        if not minion.engine.closed.is_set():
            minion.courier.close(PATIENCE)
        assert minion.engine.closed.wait(PATIENCE)


# ---------------------------------------------------------------------- tasks and settlements


def test_tasks_come_when_they_are_asked_for_and_not_before(meet):
    """A minion that wants nothing takes nothing."""
    minion = meet([GIVEN])
    assert minion.engine.asked.empty()
    minion.courier.ask(2)
    assert minion.hears(Delivery) == GIVEN
    assert minion.engine.asked.get(timeout=PATIENCE) == ([], 2)


def test_a_wish_is_over_when_it_is_fulfilled(meet):
    """The main thread has to ask again: it knows what it needs then."""
    minion = meet([GIVEN])
    minion.courier.ask(2)
    minion.hears_of(ONE, TWO)
    minion.courier.settle([Ack(ONE)])
    assert minion.sends() == [Ack(ONE)]
    assert minion.engine.asked.empty()


def test_settling_and_asking_cost_one_trip(meet, monkeypatch):
    """The last batch is settled with the claim of the next one."""
    monkeypatch.setattr(courier_module, "FLUSH", 3600.0)
    minion = meet([GIVEN, Delivery((THREE,))])
    minion.courier.ask(2)
    minion.hears_of(ONE, TWO)
    minion.courier.settle([Ack(ONE), Nack(TWO)])
    minion.courier.ask(1)
    minion.hears_of(THREE)
    assert list(minion.engine.asked.queue) == [([], 2), ([Ack(ONE), Nack(TWO)], 1)]


def test_settlements_travel_though_nothing_is_asked_for(meet):
    """They wait for company, but not for ever; in the order in which they came."""
    minion = meet()
    minion.courier.settle([Ack(ONE)])
    minion.courier.settle([Ack(TWO), Ack(THREE)])
    settled = minion.sends()
    while len(settled) < 3:
        settled += minion.sends()
    assert settled == [Ack(ONE), Ack(TWO), Ack(THREE)]


def test_settlements_cut_short_a_wait_for_tasks(meet):
    """An engine that waits for something to give is woken to take them."""
    minion = meet()
    minion.courier.ask(1)
    minion.hears(Delivery)
    minion.courier.settle([Ack(ONE)])
    assert minion.sends() == [Ack(ONE)]


def test_a_wish_that_is_taken_back_is_not_fulfilled(meet):
    """Asking for none ends the wait."""
    minion = meet()
    minion.courier.ask(1)
    minion.hears(Delivery)
    minion.courier.ask(0)
    minion.courier.settle([Ack(ONE)], urgent=True)
    while minion.engine.asked.get(timeout=PATIENCE) != ([Ack(ONE)], 0):
        pass


def test_refused_settlements_are_told(meet):
    """Though nothing was asked for."""
    minion = meet([Delivery(gone=(Gone(ONE, "lost"),))])
    minion.courier.settle([Ack(ONE)])
    assert minion.hears(Delivery).gone == (Gone(ONE, "lost"),)


def test_one_thread_alone_talks_to_the_engine(meet):
    """And it is not ours."""
    minion = meet([GIVEN], lease=0.03)
    minion.courier.ask(2)
    minion.hears(Renewed)
    minion.courier.settle([Ack(ONE)])
    minion.sends()
    assert minion.courier.close(PATIENCE)
    assert len(minion.engine.threads) == 1
    assert threading.get_ident() not in minion.engine.threads


# ---------------------------------------------------------------------- leases


def test_what_is_held_is_renewed_again_and_again(meet):
    """All of it by name: what is not named would be given back."""
    minion = meet([GIVEN], lease=0.03)
    minion.courier.ask(2)
    for _ in range(3):
        assert minion.engine.renewed.get(timeout=PATIENCE) == [ONE, TWO]
        assert minion.hears(Renewed) == Renewed((), asked=False)


def test_nothing_is_renewed_where_nothing_is_held(meet):
    """A minion without tasks has no lease to prolong."""
    minion = meet(lease=0.03)
    minion.courier.ask(1)
    for _ in range(5):
        minion.hears(Delivery)
        minion.courier.count()
        minion.hears(Counts)
        minion.courier.ask(0)
        minion.courier.ask(1)
    assert minion.engine.renewed.empty()


def test_what_was_settled_is_renewed_no_more(meet):
    """Until the engine has taken the settlement it is ours."""
    minion = meet([GIVEN], lease=0.03)
    minion.courier.ask(2)
    minion.hears_of(ONE, TWO)
    minion.courier.settle([Ack(ONE)])
    assert minion.sends() == [Ack(ONE)]
    while (held := minion.engine.renewed.get(timeout=PATIENCE)) == [ONE, TWO]:
        pass
    assert held == [TWO]


def test_what_was_lost_is_told_and_renewed_no_more(meet):
    """Somebody else has it."""
    minion = meet([GIVEN], gone=[[Gone(ONE, "lost")]], lease=0.03)
    minion.courier.ask(2)
    assert minion.hears(Renewed).gone == (Gone(ONE, "lost"),)
    assert minion.engine.renewed.get(timeout=PATIENCE) == [ONE, TWO]
    assert minion.engine.renewed.get(timeout=PATIENCE) == [TWO]


def test_two_deliveries_of_a_task_are_two(meet):
    """One that was lost and came back is held while the lost one is settled."""
    again = ONE._replace(delivery=2)
    minion = meet([Delivery((ONE,)), Delivery((again,))], lease=3600.0)
    minion.courier.ask(1)
    minion.hears_of(ONE)
    minion.courier.ask(1)
    minion.hears_of(again)
    minion.courier.settle([Ack(ONE)], urgent=True)
    assert minion.sends() == [Ack(ONE)]
    minion.courier.renew()
    minion.hears(Renewed)
    assert minion.engine.renewed.get(timeout=PATIENCE) == [again]


# ---------------------------------------------------------------------- outages


@pytest.fixture
def impatient(monkeypatch):
    """Let retries follow each other at once."""
    monkeypatch.setattr(courier_module, "_RETRY", (0.001, 0.002))


def test_an_outage_is_told_once_and_its_end_too(meet, impatient):
    """However often the engine is asked meanwhile; the settlements arrive, once and in their order."""
    minion = meet([DOWN, DOWN, DOWN])
    minion.courier.settle([Ack(ONE), Ack(TWO)], urgent=True)
    assert minion.hears(Trouble).text == "no answer"
    assert minion.hears(Trouble).text == ""
    assert [minion.sends() for _ in range(4)] == [[Ack(ONE), Ack(TWO)]] * 4
    minion.courier.settle([Ack(THREE)], urgent=True)
    assert minion.sends() == [Ack(THREE)]


def test_what_is_settled_during_an_outage_stands_behind_what_waits(meet, impatient):
    """Nothing overtakes."""
    minion = meet([DOWN] * 5)
    minion.courier.settle([Ack(ONE)], urgent=True)
    minion.hears(Trouble)
    minion.courier.settle([Ack(TWO)])
    settled = minion.sends()
    while Ack(TWO) not in settled:
        settled = minion.sends()
    assert settled == [Ack(ONE), Ack(TWO)]


def test_leases_are_renewed_when_the_engine_is_back(meet, impatient):
    """An outage of a renewal is one as any other."""
    minion = meet([GIVEN], gone=[DOWN, DOWN], lease=0.03)
    minion.courier.ask(2)
    assert minion.hears(Trouble).text == "no answer"
    assert minion.hears(Trouble).text == ""
    assert minion.hears(Renewed).gone == ()


def test_an_outage_that_lasts_breaks_the_courier(meet, impatient):
    """After its patience; then it gives up, and says with what."""
    minion = meet([GIVEN, *[DOWN] * 1000], patience=0.01)
    minion.courier.ask(2)
    minion.hears_of(ONE, TWO)
    minion.courier.settle([Ack(ONE)], urgent=True)
    assert minion.hears(Broken).error is DOWN
    assert minion.engine.closed.wait(PATIENCE)


def test_an_engine_that_never_answered_is_not_waited_for_that_long(meet, impatient, monkeypatch):
    """Whoever starts a minion wants to hear of a wrong address."""
    monkeypatch.setattr(courier_module, "START_PATIENCE", 0.01)
    minion = meet([DOWN] * 1000)
    minion.courier.ask(1)
    assert minion.hears(Broken).error is DOWN


@pytest.mark.parametrize("error", [EngineError("damaged"), ValueError("a fault of ours"), SystemExit(3)])
def test_an_error_that_will_not_go_away_breaks_the_courier_at_once(meet, error):
    """The main thread hears of whatever it is."""
    minion = meet([error])
    minion.courier.ask(1)
    assert minion.hears(Broken).error is error
    assert minion.engine.closed.wait(PATIENCE)


# ---------------------------------------------------------------------- the end


def test_closing_sends_what_is_left_first(meet):
    """And takes nothing more, whatever was wished for."""
    minion = meet([GIVEN])
    minion.courier.ask(2)
    minion.hears_of(ONE, TWO)
    minion.courier.settle([Ack(ONE)])
    minion.courier.ask(5)
    assert minion.courier.close(PATIENCE)
    asked = list(minion.engine.asked.queue)
    assert [settled for settled, _ in asked if settled] == [[Ack(ONE)]]
    assert minion.engine.closed.is_set()


def test_closing_cuts_short_a_wait(meet):
    """A minion that leaves does not wait for tasks."""
    minion = meet()
    minion.courier.ask(1)
    minion.hears(Delivery)
    assert minion.courier.close(PATIENCE)


def test_closing_gives_up_on_an_engine_that_does_not_answer(meet):
    """It says so; the thread goes on alone, and may still be in time."""
    minion = meet()
    minion.engine.stuck = threading.Event()
    minion.courier.settle([Ack(ONE)], urgent=True)
    assert not minion.courier.close(0.01)
    minion.engine.stuck.set()
    assert minion.sends() == [Ack(ONE)]


def test_closing_in_an_outage_tries_once_more_and_says_what_is_wrong(meet, impatient):
    """Nobody waits for a server when leaving."""
    minion = meet([DOWN] * 1000)
    minion.courier.settle([Ack(ONE)], urgent=True)
    minion.hears(Trouble)
    assert minion.courier.close(PATIENCE)
    assert minion.hears(Broken).error is DOWN


def test_an_engine_that_fails_to_close_is_closed(meet):
    """What it held comes back when the lease ends."""
    minion = meet()
    real = minion.engine.close

    def close():
        real()
        raise EngineError("gone")

    minion.engine.close = close
    assert minion.courier.close(PATIENCE)
