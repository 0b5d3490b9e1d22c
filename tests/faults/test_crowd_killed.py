"""A crowd of minions on one queue, of which one after the other is killed by kill -9, and replaced."""

from __future__ import annotations

import os
from collections import defaultdict

import pytest
from harness import wait_until
from servers import pubsub_server, pulsar_server, redis_server
from servers.need import EVERYTHING

from minionize import plugins

MINIONS = 8
PARAMS = 5000 if EVERYTHING else 1500
#: So many runs lie between two kills: on a small machine that is about half a second.
BETWEEN = PARAMS // 10

#: The engines, and what their minions need besides.
ENGINES = {
    "sqlite": dict,
    "spool": dict,
    "execo": dict,
    "redis": lambda: {"REDIS_URL": redis_server.shared().url, "REDIS_STREAM": redis_server.stream_name()},
    # What a killed minion had asked for, and not got yet, comes back when the subscription's deadline of 10 s is over.
    "google": lambda: {**pubsub_server.shared().environment(pubsub_server.name()), "MINION_IDLE_TIMEOUT": "12s"},
    "pulsar": lambda: pulsar_server.shared().environment(pulsar_server.topic_name()),
}
#: A lease that is over soon; and no task is given up, as it is not to blame for any of this.
COMMON = {"MINION_LEASE": "2s", "MINION_MAX_CRASHES": "1000"}


class Crowd:
    """The minions that are alive."""

    def __init__(self, camp, variables):
        self.camp, self.variables = camp, variables
        self.command = camp.script("command", 'echo "$1 $MINION_ID" >> ran')
        self.alive = [self._start() for _ in range(MINIONS)]
        self.killed = []

    def _start(self):
        return self.camp.minion("-q", self.command, "{}", variables=self.variables)

    def lose_one(self):
        """Kill the one that has lived longest, and start another one in its place."""
        victim = self.alive.pop(0)
        victim.kill()
        self.killed.append(victim.pid)
        self.alive.append(self._start())

    def end(self):
        """Wait until all have left; returns their exit codes."""
        return [minion.code() for minion in self.alive]


def books(camp, variables):
    """Read the books as people do: as far as the engine knows them."""
    process = camp.queue("show", variables=variables)
    assert process.code() == 0, process.err
    rows = [line.split() for line in process.out.splitlines()[1:6]]
    return {name: int(count) for name, count in rows if count != "unknown"}


def runs_of(camp):
    """Tell, for each param, which minions ran it, in order."""
    runs = defaultdict(list)
    for line in camp.runs():
        param, minion = line.split()
        runs[int(param)].append(minion)
    return runs


@pytest.mark.parametrize("engine", ENGINES)
def test_a_crowd_that_is_killed_one_by_one_loses_nothing(camp, engine):
    """Each param is done, none is run twice but where a killed minion had it, and the books add up all the time."""
    variables = {**COMMON, "MINION_ENGINE": engine, **ENGINES[engine]()}
    put = camp.queue("put", f"1..{PARAMS}", variables=variables)
    assert put.code() == 0, put.err
    exact = plugins.find("engine", engine).traits.counts == "exact"
    crowd = Crowd(camp, variables)
    for count in range(BETWEEN, PARAMS - BETWEEN, BETWEEN):
        wait_until(lambda count=count: size_of(camp.ran) > count * len("1000 123456789abc\n"), f"{count} runs")
        crowd.lose_one()
        if exact:
            assert sum(books(camp, variables).values()) == PARAMS
    assert crowd.end() == [0] * MINIONS
    at_the_end = {"pending": 0, "delayed": 0, "leased": 0, "done": PARAMS, "dead": 0}.items()
    assert books(camp, variables).items() <= at_the_end

    victims = {event["minion"] for event in camp.events("minion_start") if event["pid"] in crowd.killed}
    runs = runs_of(camp)
    assert set(runs) == set(range(1, PARAMS + 1))
    survived = {param: [minion for minion in ran if minion not in victims] for param, ran in runs.items()}
    assert {param: ran for param, ran in survived.items() if len(ran) > 1} == {}


def size_of(path):
    """Return the size of a file; 0 where there is none yet."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
