"""A message broker in memory: for faults that a real one cannot be made to show when a test wants it."""

from __future__ import annotations

import itertools
import threading
import time

from minionize.engines.broker.channel import Received
from minionize.errors import EngineUnavailable
from minionize.model import Counts


class Topics:
    """What is on the broker: per address the messages, in order, with when they are due and who holds them."""

    def __init__(self):
        self.changed = threading.Condition()
        self.messages = {"tasks": {}, "dead": {}}
        self.numbers = itertools.count(1)
        self.published = []

    def publish(self, message):
        """Lay a message down; copies are beside the fresh ones."""
        with self.changed:
            self.published.append(message)
            key = f"message-{next(self.numbers)}"
            self.messages["dead" if message.to == "dead" else "tasks"][key] = [
                message,
                time.monotonic() + message.delay,
                None,
            ]
            self.changed.notify_all()


class FakeBroker:
    """A client of it. ``failing`` names verbs that raise, once each, before (or with ``after:`` behind) what they do."""

    def __init__(self, topics, *, fences=False):
        self.topics, self.fences = topics, fences
        self.failing = []
        self.calls = []
        self.tasks = FakeChannel(self, "tasks")

    def dead(self):
        """Open the dead letters."""
        return FakeChannel(self, "dead")

    def publish(self, messages, confirmed=int):
        """Lay messages down."""
        with self.verb("publish"):
            for message in messages:
                self.topics.publish(message)
                confirmed(1)

    def is_empty(self):
        """Nothing is known."""
        return

    def counts(self):
        """Nothing is known."""
        return Counts()

    def clear(self):
        """Drop all."""
        with self.topics.changed:
            for messages in self.topics.messages.values():
                messages.clear()

    def close(self):
        """Let others have what we hold."""
        with self.topics.changed:
            for messages in self.topics.messages.values():
                for entry in messages.values():
                    if entry[2] is self.tasks:
                        entry[2] = None
            self.topics.changed.notify_all()

    def verb(self, name):
        """Note a call, and fail where that was asked for."""
        self.calls.append(name)
        return _Verb(self, name)


class _Verb:
    def __init__(self, broker, name):
        self._broker, self._name = broker, name

    def __enter__(self):
        self._fail(self._name)

    def __exit__(self, *exception):
        self._fail(f"after:{self._name}")

    def _fail(self, name):
        if name in self._broker.failing:
            self._broker.failing.remove(name)
            raise EngineUnavailable(f"the broker fails at {name}")


class FakeChannel:
    """A subscription in memory."""

    longest_delay = 10.0

    def __init__(self, broker, address):
        self._broker, self._address, self._woken = broker, address, False

    def take(self, limit, wait):
        """Take what is due and held by nobody."""
        until = time.monotonic() + wait
        with self._broker.verb("take"), self._broker.topics.changed:
            while True:
                now = time.monotonic()
                found = [(key, entry) for key, entry in self._messages.items() if entry[2] is None and entry[1] <= now][
                    :limit
                ]
                if found or now >= until or self._woken:
                    break
                self._broker.topics.changed.wait(min(until - now, 0.05))
            self._woken = False
            for _, entry in found:
                entry[2] = self
            return [Received(key, entry[0].data, dict(entry[0].attributes), None) for key, entry in found]

    def ack(self, messages):
        """Take ours off; refuse the others where this broker does."""
        with self._broker.verb("ack"), self._broker.topics.changed:
            refused = [message for message in messages if not self._is_ours(message)]
            for message in messages:
                if message not in refused or not self._broker.fences:
                    self._messages.pop(message.key, None)
            return refused if self._broker.fences else []

    def give_back(self, messages, delay=0.0):
        """Let others have them."""
        with self._broker.verb("give_back"), self._broker.topics.changed:
            for message in messages:
                if self._is_ours(message):
                    self._messages[message.key][1:] = [time.monotonic() + delay, None]
            self._broker.topics.changed.notify_all()

    def renew(self, messages):
        """Say which are ours."""
        with self._broker.verb("renew"):
            return [message for message in messages if not self._is_ours(message)] if self._broker.fences else []

    def steal(self, key):
        """Take a message for lost, as brokers do with a minion that was silent."""
        with self._broker.topics.changed:
            self._messages[key][2] = None

    def wake(self):
        """Cut the wait short."""
        with self._broker.topics.changed:
            self._woken = True
            self._broker.topics.changed.notify_all()

    def close(self):
        """Let others have what this channel holds."""
        with self._broker.topics.changed:
            for entry in self._messages.values():
                if entry[2] is self:
                    entry[2] = None

    @property
    def _messages(self):
        return self._broker.topics.messages[self._address]

    def _is_ours(self, message):
        return message.key in self._messages and self._messages[message.key][2] is self
