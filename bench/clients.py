"""What the clients of servers cost a minion: its start and its memory, beside those of the client alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.children import answer, command, run, script
from bench.engines import SERVERS, Kind, kinds
from bench.measure import in_turn, ratio, rounds_of, spread
from bench.startup import memory_of_minion

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.report import Report


def measure(plan: Plan, report: Report) -> None:
    """Print it for each engine that has a client."""
    rounds = plan.times(7, 3)
    report.theme("clients", f"a minion with nothing to do, beside its client alone, {rounds_of(rounds)}")
    with kinds(report, *SERVERS) as engines, plan.place() as directory:
        for kind in engines:
            _measure(plan, report, directory, kind, rounds)


def _measure(plan: Plan, report: Report, directory: str, kind: Kind, rounds: int) -> None:
    """Compare from start to exit, and in memory; the client alone connects and asks one question."""
    name = os.path.basename(directory)
    settings = {"MINION_ENGINE": kind.name, **kind.settings}
    settings |= {"REDIS_STREAM": name, "GOOGLE_TOPIC_ID": name, "GOOGLE_SUBSCRIPTION": name, "PULSAR_TOPIC": name}
    run(directory, command("queue", "put", "1", **settings))
    run(directory, command("minionize", "-q", "--idle-timeout", "1", "/bin/true", **settings))
    alone = script("client.py", kind.name)
    alone = alone._replace(variables={**alone.variables, **settings})
    minion = command("minionize", "-q", "--idle-timeout", "1ms", "/bin/true", **settings)
    times = in_turn(
        rounds, {"alone": lambda: 1000 * run(directory, alone), "minion": lambda: 1000 * run(directory, minion)}
    )
    report.add(f"{kind.name}: the client alone, from start to exit", spread(times["alone"]), "ms")
    report.add(f"{kind.name}: a minion with nothing to do", spread(times["minion"]), "ms")
    report.add(f"{kind.name}: minion / client alone", ratio(times["minion"], times["alone"]))
    memory = in_turn(
        plan.times(3, 1),
        {"alone": lambda: float(answer(directory, alone)), "minion": lambda: memory_of_minion(directory, settings)},
    )
    report.add(f"{kind.name}: the client alone, resident", spread(memory["alone"]), "MB")
    report.add(f"{kind.name}: a minion whose task runs, resident", spread(memory["minion"]), "MB")
