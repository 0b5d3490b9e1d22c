"""This machine: minions as detached processes, that go on when the terminal is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize import place
from minionize.errors import LaunchError
from minionize.launchers import detached
from minionize.launchers.ask import answer
from minionize.launchers.base import Command, Element, Handle, Launcher, Plan
from minionize.launchers.detached import Process
from minionize.launchers.shell import line

if TYPE_CHECKING:
    from collections.abc import Sequence


class LocalLauncher(Launcher):
    """Minions on this machine."""

    help = "on this machine, detached"
    passes_environment = True

    def hosts(self) -> frozenset[str] | None:
        """Name this one."""
        return frozenset((place.identity().host,))

    def script(self, plan: Plan) -> str:
        """Write what the shell is told."""
        return detached.to_start(plan, range(plan.size), plan.directory, plan.logs)

    def commands(self, plan: Plan) -> list[Command]:
        """Show it."""
        return [_shell(self.script(plan))]

    def submit(self, plan: Plan) -> Handle:
        """Start them."""
        command = self.commands(plan)[0]
        begun, failed = detached.started(command, place.identity().host, plan.size, lambda _: "")
        return {
            "job": f"pid {begun[0].pid}{', ...' if plan.size > 1 else ''}",
            "processes": [one._asdict() for one in begun],
            "failed": failed,
        }

    def status(self, handle: Handle, count: int) -> list[Element]:
        """Look for their processes."""
        processes = _processes(handle)
        return elements(processes, detached.found(answer(_shell(detached.to_look(processes))), processes))

    def stop(self, handle: Handle, *, kill: bool = False) -> None:
        """Send SIGTERM, or SIGKILL."""
        self._signal(handle, "KILL" if kill else "TERM")

    def drain(self, handle: Handle) -> None:
        """Send SIGUSR1."""
        self._signal(handle, "USR1")

    def by_hand(self, handle: Handle) -> str:
        """Name the processes."""
        return line(("kill", *(str(entry["pid"]) for entry in handle["processes"])))

    def _signal(self, handle: Handle, name: str) -> None:
        answer(_shell(detached.to_signal(_processes(handle), name)))


def elements(processes: Sequence[Process], runs: dict[int, bool]) -> list[Element]:
    """Describe minions that are processes."""
    return [
        Element(
            one.number,
            "running" if runs[one.number] else "ended",
            f"pid {one.pid}",
            one.host,
            key=("process", one.boot, str(one.pid), str(one.start)),
        )
        for one in processes
    ]


def _shell(script: str) -> Command:
    return Command(("/bin/sh",), "", script)


def _processes(handle: Handle) -> list[Process]:
    """Read them from the record; raises LaunchError on another machine, where their pids mean others."""
    processes = [Process.of(entry) for entry in handle["processes"]]
    here = place.identity()
    for one in processes:
        if one.boot != here.boot and one.host != here.host:
            raise LaunchError(f"these minions are on {one.host}, and this is {here.host}: ask there.")
    return processes
