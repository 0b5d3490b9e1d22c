"""The courier: whom it keeps waiting, and whom not. Its engine is a double that halts where a test says so."""

from __future__ import annotations

import queue
import threading

import pytest

from minionize.courier import Courier, Renewed, Trouble
from minionize.errors import EngineUnavailable
from minionize.model import Ack, Counts, Delivery, Task

#: Seconds that a test waits for an event before it fails. No test asserts a time.
PATIENCE = 30.0
BOOKS = Counts(pending=0, delayed=0, leased=0, done=7, dead=0)
TASK = Task("1", "1", 1, 1)


class Step:
    """A call of the engine that halts: the test waits until it is there, and lets it go on."""

    def __init__(self):
        self._reached, self._go = threading.Event(), threading.Event()

    def __call__(self):
        """Be there, and wait."""
        self._reached.set()
        assert self._go.wait(PATIENCE)

    def wait(self):
        """Wait until the engine is there."""
        assert self._reached.wait(PATIENCE)

    def go_on(self):
        """Let it go on."""
        self._go.set()


class Engine:
    """Does what a script says at each call of a method, and notes the calls. It never has a task to give."""

    def __init__(self, **script):
        self.calls, self._script = [], {name: list(steps) for name, steps in script.items()}
        self._bell = threading.Event()
        self.waits = threading.Event()

    def _play(self, method):
        self.calls.append(method)
        steps = self._script.get(method)
        step = steps.pop(0) if steps else None
        if isinstance(step, Exception):
            raise step
        if step:
            step()

    def exchange(self, settled=(), *, limit=0, wait=0.0):
        """Settle; where there is time to wait, wait until somebody wakes us."""
        self._play("settle" if settled else "ask")
        if wait:
            self.waits.set()
            assert self._bell.wait(PATIENCE)
        self._bell.clear()
        return Delivery()

    def renew(self, held):
        """Lose nothing."""
        self._play("renew")
        return []

    def counts(self):
        """Read the books."""
        self._play("counts")
        return BOOKS

    def wake(self):
        """Cut short a wait."""
        self._bell.set()

    def close(self):
        """Note it."""
        self.calls.append("close")


class Minion:
    """The main thread's side: starts a courier, and waits for its messages."""

    def __init__(self, engine):
        self.engine, self._news = engine, queue.Queue()
        self.courier = Courier(engine, lease=3600.0, patience=3600.0, notify=lambda: self._news.put(None))

    def hears(self, kind, where=lambda message: True):
        """Wait for a message of a kind, passing over all others."""
        while True:
            for message in self.courier.messages():
                if isinstance(message, kind) and where(message):
                    return message
            self._news.get(timeout=PATIENCE)

    def hears_that(self, condition):
        """Wait until something holds, looking whenever the courier says that there is news."""
        while not condition():
            self._news.get(timeout=PATIENCE)

    def leaves(self):
        """Close the courier, in time."""
        if "close" not in self.engine.calls:
            assert self.courier.close(PATIENCE)


@pytest.fixture
def meet():
    """Start couriers; they are gone at the end."""
    minions = []

    def start(**script):
        minions.append(Minion(Engine(**script)))
        return minions[-1]

    yield start
    for minion in minions:
        minion.leaves()


def test_the_courier_is_not_busy_while_it_waits_for_tasks(meet):
    """Settlements that travel when the queue has nothing are settled at once: only what follows waits for something."""
    minion = meet()
    minion.courier.ask(1)
    assert minion.engine.waits.wait(PATIENCE)
    minion.engine.waits.clear()
    minion.courier.settle([Ack(TASK)], urgent=True)
    assert minion.engine.waits.wait(PATIENCE)
    assert not minion.courier.busy
    assert minion.engine.calls[-2:] == ["settle", "ask"]


def test_a_renewal_asked_for_while_the_books_are_read_does_not_wait_for_tasks(meet):
    """A minion that goes on after Ctrl-Z resumes its children when it has that answer: not a third of a lease later."""
    step = Step()
    minion = meet(counts=[step])
    minion.courier.ask(1)
    assert minion.engine.waits.wait(PATIENCE)
    minion.courier.count()
    step.wait()
    minion.courier.renew()
    step.go_on()
    assert minion.hears(Renewed).asked


def test_a_renewal_asked_for_while_the_courier_waits_for_tasks_cuts_that_short(meet):
    """Whoever asks wakes the engine."""
    minion = meet()
    minion.courier.ask(1)
    assert minion.engine.waits.wait(PATIENCE)
    minion.courier.renew()
    assert minion.hears(Renewed).asked


def test_a_renewal_that_fails_in_an_outage_is_asked_for_again(meet):
    """Its answer comes when the queue is back; until then the children of a suspended minion stay as they are."""
    minion = meet(renew=[EngineUnavailable("no answer"), EngineUnavailable("still none")])
    minion.courier.renew()
    assert minion.hears((Trouble, Renewed)).text == "no answer"
    assert minion.hears(Renewed) == Renewed((), asked=True)
    assert minion.engine.calls == ["renew"] * 3


def test_the_courier_is_busy_until_the_engine_took_the_settlements(meet):
    """On their way they are in nobody's books yet; that they have arrived is news."""
    step = Step()
    minion = meet(settle=[step])
    assert not minion.courier.busy
    minion.courier.settle([Ack(TASK)], urgent=True)
    assert minion.courier.busy
    step.wait()
    assert minion.courier.busy
    step.go_on()
    minion.hears_that(lambda: not minion.courier.busy)
    assert minion.engine.calls == ["settle"]


def test_the_courier_stays_busy_through_an_outage(meet):
    """Settlements that the engine did not take are carried again."""
    step = Step()
    minion = meet(settle=[EngineUnavailable("no answer"), step])
    minion.courier.settle([Ack(TASK)], urgent=True)
    assert minion.hears(Trouble).text == "no answer"
    assert minion.courier.busy
    step.wait()
    assert minion.courier.busy
    step.go_on()
    minion.hears_that(lambda: not minion.courier.busy)
    assert minion.engine.calls == ["settle", "settle"]


def test_the_last_message_is_the_books_after_the_last_settlements(meet):
    """What a minion says at its end, and its exit code, are about the queue as it leaves it."""
    minion = meet()
    minion.courier.settle([Ack(TASK)])
    minion.leaves()
    assert list(minion.courier.messages())[-1] == BOOKS
    assert minion.engine.calls == ["settle", "counts", "close"]


def test_the_books_that_were_asked_for_know_of_the_settlements_before(meet):
    """What was handed over first travels first."""
    minion = meet()
    minion.courier.settle([Ack(TASK)])
    minion.courier.count()
    assert minion.hears(Counts) == BOOKS
    assert minion.engine.calls == ["settle", "counts"]
