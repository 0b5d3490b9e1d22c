"""The model that every view shows: plain data. Times are seconds since the epoch, lengths seconds; None is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from minionize.status.failures import Cause
    from minionize.status.statistics import Chart, Duration

#: ``waiting``: there is work, but no minion was ever seen. ``stalled``: there is work, and no minion is alive.
RunState = Literal["waiting", "running", "finished", "stalled"]


class Run(NamedTuple):
    """The run as a whole. ``now`` is the moment the numbers are for, ``still`` how long no minion has been alive."""

    engine: str
    queue: str
    where: str
    directory: str
    state: RunState
    now: float
    started: float | None
    elapsed: float | None
    still: float | None
    command: tuple[str, ...]


class Tally(NamedTuple):
    """Params by state, and executions. ``source``: the queue's books, or events alone (then the rest is unknown).

    ``in_flight`` = leased - lost; ``lost`` is held by minions that are lost. ``total`` is the sum of the books.
    """

    source: Literal["queue", "events"]
    total: int | None
    pending: int | None
    delayed: int | None
    leased: int | None
    done: int | None
    dead: int | None
    in_flight: int | None
    lost: int | None
    executions: int

    @property
    def left(self) -> int | None:
        """Params that are neither done nor dead."""
        if self.total is None or self.done is None or self.dead is None:
            return None
        return self.total - self.done - self.dead

    @property
    def success_rate(self) -> float | None:
        """Divide the done by the done and the dead; None where there are neither."""
        if self.done is None or self.dead is None or not self.done + self.dead:
            return None
        return self.done / (self.done + self.dead)


class Eta(NamedTuple):
    """When the run is expected to end: ``seconds`` from now, from the last ``k`` executions."""

    seconds: float
    at: float
    k: int


class Rates(NamedTuple):
    """Executions that ended per second: in the last 1, 5 and 15 minutes, and since the start."""

    one: float | None
    five: float | None
    fifteen: float | None
    mean: float | None


class Durations(NamedTuple):
    """Of executions that were done, and of those that failed or ran out of time."""

    done: Duration | None
    failed: Duration | None


class Failed(NamedTuple):
    """A task whose last execution failed. ``row`` is its event's, for EventFiles.event; ``failure`` where only the queue knows."""

    id: str
    at: float
    host: str
    minion: str
    dead: bool
    row: int | None
    stored: Any = None


class FailureGroup(NamedTuple):
    """Failed tasks with one cause, newest first. ``share`` is of all failed tasks, ``top_share`` that of the host with most."""

    number: int
    cause: Cause
    share: float
    first: float
    last: float
    hosts: int
    top_host: str
    top_share: float
    tasks: tuple[Failed, ...]

    @property
    def size(self) -> int:
        """How many tasks."""
        return len(self.tasks)


class InFlight(NamedTuple):
    """A task that a minion holds, for ``age`` seconds; ``param`` is JSON text.

    ``running`` executes for more than a second, ``held`` has just begun or waits for a slot, a ``straggler`` runs longer
    than nearly all, and ``lost`` has a minion without a heartbeat.
    """

    id: str
    param: str
    attempt: int
    delivery: int
    minion: str
    host: str
    since: float | None
    age: float | None
    times_p50: float | None
    state: Literal["running", "held", "straggler", "lost"]


class Minion(NamedTuple):
    """A minion. ``busy_share`` = seconds inside executions / (seconds up x slots)."""

    uid: str
    host: str
    pid: int
    job: dict[str, Any]
    slots: int
    state: Literal["busy", "idle", "lost", "ended"]
    reason: str
    started: float | None
    seen: float
    up: float | None
    done: int
    failed: int
    busy_share: float | None
    running: int


class Node(NamedTuple):
    """A host. ``times_fleet`` = its median duration / everybody's; ``others`` = the rate of failure elsewhere."""

    host: str
    up: int
    minions: int
    done: int
    failed: int
    p50: float | None
    times_fleet: float | None
    others: float
    bad: bool
    last: float | None

    @property
    def fail_rate(self) -> float:
        """Failed executions / those that were done or failed."""
        return self.failed / (self.done + self.failed) if self.done + self.failed else 0.0


class Warning(NamedTuple):
    """Something to act on: ``text`` for people, ``command`` to type (may be empty), ``facts`` for programs."""

    code: str
    text: str
    command: str
    facts: dict[str, Any]


class Status(NamedTuple):
    """All of it. ``straggler_after`` is the age from which a task in flight is one."""

    run: Run
    counts: Tally
    eta: Eta | None
    rates: Rates
    chart: Chart | None
    durations: Durations
    failures: tuple[FailureGroup, ...]
    in_flight: tuple[InFlight, ...]
    minions: tuple[Minion, ...]
    nodes: tuple[Node, ...]
    straggler_after: float | None
    warnings: tuple[Warning, ...]

    @property
    def up(self) -> int:
        """How many minions are alive."""
        return sum(1 for minion in self.minions if minion.state in ("busy", "idle"))
