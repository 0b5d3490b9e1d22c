"""Functions that do nothing, from the sqlite and from the Redis engine, beside the workers of other task queues.

All get one number from a message, and leave the time of their call in eight bytes. Minions have their default settings.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from bench import servers, targets
from bench.bare import Bare
from bench.children import Failed
from bench.drains import SERVER
from bench.environments import Missing
from bench.measure import in_turn, ratio, rounds_of, spread
from bench.minions import Minions
from bench.workers import PEERS, Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from bench.drains import Drain
    from bench.measure import Spread
    from bench.plan import Plan
    from bench.report import Report
    from bench.servers import Server
    from bench.targets import Target

#: Tasks of one run of a minion; usually, and in a quick run.
_TASKS = (60_000, 20_000)
_BARE = "bare loop on Redis"
_ONE, _TWO = "minionize, redis -j 1", "minionize, redis -j 2"


class Kind(NamedTuple):
    """One of those that are measured; ``processes`` is how many workers a peer has, and 0 where it is none."""

    run: Callable[[], Drain]
    target: Target | None = None
    processes: int = 0
    acked: bool = True


def measure(plan: Plan, report: Report) -> None:
    """Print the rates, ours over those of the peers, and what a task takes of CPUs and memory, and where."""
    rounds = plan.times(3, 1)
    report.theme("functions", f"functions that do nothing, from the first call to the last, {rounds_of(rounds)}")
    with ExitStack() as stack:
        directory = stack.enter_context(plan.place())
        kinds = _minions("sqlite", Minions(plan, directory, _TASKS[plan.quick]), targets.FUNCTIONS_SQLITE)
        try:
            server = stack.enter_context(servers.redis())
        except Missing as why:
            report.note(f"Redis, and with it all peers, was left out: {why}")
        else:
            kinds |= _on_redis(plan, report, directory, server, stack.enter_context(_client(server)))
        drains = _run(report, rounds, kinds)
    _print_rates(report, kinds, drains)
    _print_ratios(report, kinds, drains)
    _print_costs(report, kinds, drains)


# ---------------------------------------------------------------------- who is measured


def _on_redis(plan: Plan, report: Report, directory: str, server: Server, client: Redis) -> dict[str, Kind]:
    minions = Minions(plan, directory, _TASKS[plan.quick], server, client)
    bare = Bare(directory, _TASKS[plan.quick], server, client)
    return {
        **_minions("redis", minions, targets.FUNCTIONS_REDIS),
        _BARE: Kind(bare.stamped),
        f"{_BARE}, empty": Kind(bare.empty),
        **_peers(plan, report, directory, server, client),
    }


def _client(server: Server) -> Redis:
    from redis import Redis

    return Redis.from_url(server.settings["REDIS_URL"])


def _minions(engine: str, minions: Minions, target: Target) -> dict[str, Kind]:
    kinds = {}
    for slots in (1, 2):
        name = f"minionize, {engine} -j {slots}"
        kinds[name] = Kind(lambda slots=slots: minions.stamped(slots), target)
        kinds[f"{name}, empty"] = Kind(lambda slots=slots: minions.empty(slots), target)
    return kinds


def _peers(plan: Plan, report: Report, directory: str, server: Server, client: Redis) -> dict[str, Kind]:
    """Let each put its tasks; those that cannot be had are left out."""
    kinds = {}
    for peer in PEERS:
        try:
            workers = Workers(peer, plan.cache, directory, server, client)
        except (Missing, Failed) as why:
            report.note(f"{peer.name} was left out: {_last_line(why)}")
            continue
        for way in peer.ways:
            name = f"{peer.name} {way.words}{'' if peer.acked else ' (no ack)'}"
            kinds[name] = Kind(
                lambda workers=workers, way=way: workers.drain(way.command), None, way.processes, peer.acked
            )
    return kinds


def _run(report: Report, rounds: int, kinds: dict[str, Kind]) -> dict[str, list[Drain]]:
    """Run all in turn; a peer that fails is left out from then on."""
    failed: dict[str, Failed] = {}

    def attempt(name: str) -> Drain | None:
        if name in failed:
            return None
        try:
            return kinds[name].run()
        except Failed as why:
            if not kinds[name].processes:
                raise
            failed[name] = why
            return None

    drains = in_turn(rounds, {name: lambda name=name: attempt(name) for name in kinds})
    for name, why in failed.items():
        report.note(f"{name} was left out: {_last_line(why)}")
    return {name: [one for one in runs if one] for name, runs in drains.items() if name not in failed}


# ---------------------------------------------------------------------- what is printed


def _print_rates(report: Report, kinds: dict[str, Kind], drains: dict[str, list[Drain]]) -> None:
    for name, runs in drains.items():
        report.add(name, spread(_rates(runs)), "/s", kinds[name].target)


def _print_ratios(report: Report, kinds: dict[str, Kind], drains: dict[str, list[Drain]]) -> None:
    """Print ours over each peer, and over the best: that acknowledges, with one worker; of all, with eight."""
    peers = [name for name in drains if kinds[name].processes]
    for name in peers:
        ours = _ONE if kinds[name].processes == 1 else _TWO
        report.add(f"{_short(ours)} / {name}", ratio(_rates(drains[ours]), _rates(drains[name])))
    for words, ours, processes, target in (
        ("best that acks, one process", _ONE, 1, targets.FUNCTIONS_ONE),
        ("best of all, eight processes", _TWO, 8, targets.FUNCTIONS_EIGHT),
    ):
        rivals = [_rates(drains[name]) for name in peers if _competes(kinds[name], processes)]
        if rivals:
            best = [max(rates) for rates in zip(*rivals, strict=True)]
            report.add(f"{_short(ours)} / {words}", ratio(_rates(drains[ours]), best), target=target)


def _competes(kind: Kind, processes: int) -> bool:
    return kind.processes == processes and (kind.acked or processes > 1)


def _print_costs(report: Report, kinds: dict[str, Kind], drains: dict[str, list[Drain]]) -> None:
    """Print the CPU time of a task, ours part by part, and the memory of a worker with all its processes."""
    watched = {name: runs for name, runs in drains.items() if runs[0].parts}
    for name, runs in watched.items():
        report.add(f"{name}: CPU a task", spread([one.cpu for one in runs]), "us")
        if not kinds[name].processes:
            for part in runs[0].parts:
                _print_part(report, part, spread([one.parts[part] for one in runs]))
    for name, runs in watched.items():
        report.add(f"{name}: memory", spread([one.memory for one in runs]), "MB")


def _print_part(report: Report, part: str, used: Spread) -> None:
    if used.high:
        report.add(f"  {'and the' if part == SERVER else 'in its'} {part}", used, "us")


def _last_line(why: Exception) -> str:
    """Leave out the traceback of somebody else's program."""
    return str(why).splitlines()[-1]


def _short(name: str) -> str:
    return name.removeprefix("minionize, ")


def _rates(runs: list[Drain]) -> list[float]:
    return [one.rate for one in runs]
