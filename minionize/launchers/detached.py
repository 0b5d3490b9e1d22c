"""Minions as processes of their own, on this machine or another: what ``/bin/sh`` is told there to start them, to look, to signal.

All is said on the shell's standard input, so that nothing depends on how a command line is quoted on the way. What it answers
are lines that begin with a mark: whatever else a login prints is not ours.
"""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from minionize.errors import LaunchError, LaunchRefused
from minionize.launchers.ask import refusal, tell
from minionize.launchers.shell import line, setting_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from minionize.launchers.base import Command, Plan

#: What lines that are meant for us begin with.
MARK = "minion-launch:"
_ANSWER = re.compile(rf"^{MARK} (\d+) (\S+)(?: (\d+) (\S+))?$", re.MULTILINE)

# The fields of /proc/PID/stat behind the name, which is in brackets and may hold anything: the state is the first of them,
# the start time (clock ticks since boot) the twentieth. The empty line ends whatever a login has printed without a line end.
_BEGUN = """\
begun() {
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    set -- ${stat##*) }
    case $1 in Z | X | x) return 1 ;; esac
    begun=${20}
}
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
boot=${boot:--}
echo
"""


class Process(NamedTuple):
    """A minion's process: its number in the launch, its host, and what tells it from another one that has its pid."""

    number: int
    host: str
    pid: int
    start: int
    boot: str

    @classmethod
    def of(cls, entry: Mapping[str, object]) -> Process:
        """Read one from the record of a launch."""
        return cls(*(entry[name] for name in cls._fields))  # type: ignore[arg-type]


def to_start(plan: Plan, numbers: Sequence[int], directory: str, logs: str) -> str:
    """Write what starts these minions, each in a session of its own, with a log of its own."""
    program = quote(plan.argv[0])
    return f"""\
{{
{setting_up(plan, directory)}
{_queue(plan)}command -v {program} >/dev/null || {{ echo there is no {program} on this machine >&2; exit 71; }}
mkdir -p {quote(logs)} || exit 71
{_BEGUN}
for number in {" ".join(map(str, numbers))}; do
    : >>{quote(logs)}/$number.log || exit 71
    (exec setsid {line(plan.argv)} </dev/null >>{quote(logs)}/$number.log 2>&1) &
    begun $! || begun=0
    echo "{MARK} $number $! $begun $boot"
done
}} </dev/null
"""


def _queue(plan: Plan) -> str:
    if not plan.queue:
        return ""
    path = quote(plan.queue)
    return f'[ -e {path} ] || {{ echo there is no queue {path} in "$PWD" on this machine >&2; exit 71; }}\n'


def started(command: Command, host: str, size: int, hint: Callable[[int], str]) -> tuple[list[Process], list[str]]:
    """Tell a shell to start minions; returns those that were, and what was wrong where not all were.

    Raises LaunchRefused where none was; ``hint`` says what to try after an exit code.
    """
    said = tell(command)
    begun = [
        Process(int(number), host, int(pid), int(start), boot)
        for number, pid, start, boot in _ANSWER.findall(said.out)
        if start
    ]
    if not begun:
        raise LaunchRefused(refusal(command, said, hint(said.code)))
    if len(begun) < size:
        return begun, [f"only {len(begun)} of {size} minions were started on {host}: {refusal(command, said)}"]
    return begun, []


def to_look(processes: Iterable[Process]) -> str:
    """Write what tells of each minion whether it runs."""
    return _for_each(processes, f'echo "{MARK} $1 running"', f'echo "{MARK} $1 ended"')


def to_signal(processes: Iterable[Process], name: str) -> str:
    """Write what sends a signal (``TERM``) to each minion that runs, and tells which do."""
    return _for_each(processes, f'kill -{name} $2 && echo "{MARK} $1 running"', f'echo "{MARK} $1 ended"')


def _for_each(processes: Iterable[Process], runs: str, over: str) -> str:
    calls = "\n".join(f"look {one.number} {one.pid} {one.start} {quote(one.boot)}" for one in processes)
    return f"""\
{{
{_BEGUN}
look() {{
    if [ "$4" = "$boot" ] && begun $2 && [ "$3" = "$begun" ]; then {runs}; else {over}; fi
}}
{calls}
}} </dev/null
"""


def found(answer: str, processes: Sequence[Process]) -> dict[int, bool]:
    """Read the answer to :func:`to_look` or :func:`to_signal`: which run. Raises LaunchError where it is none."""
    states = {int(number): state == "running" for number, state, *_ in _ANSWER.findall(answer)}
    for one in processes:
        if one.number not in states:
            raise LaunchError(f"{one.host} did not say what became of minion {one.number}, but: {answer[-200:]!r}")
    return states
