"""Other machines, over ssh: minions as detached processes there, in a directory that all machines share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from minionize.errors import LaunchError, LaunchRefused, UsageError
from minionize.launchers import detached
from minionize.launchers.ask import answer, missing
from minionize.launchers.base import Command, Element, Handle, Launcher, Plan
from minionize.launchers.detached import Process
from minionize.launchers.extra import words_of
from minionize.launchers.local import elements
from minionize.launchers.shell import line
from minionize.settings import launching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from minionize.settings import Settings
    from minionize.settings.setting import Setting

#: Hosts that are spoken to at once.
_AT_ONCE = 16
#: Seconds that a host may take to let us in: ssh takes the first word on it, so that --extra may say otherwise.
_PATIENCE = 20
#: What ssh itself ends with where it did not come in.
_NO_WAY_IN = 255
_COME_IN = """ssh must come in without a question. Try:  ssh -o BatchMode=yes {host} true
Options for ssh:  minion-launch ssh --extra '-p 2222 -i KEY' ..."""
_COPE = """Machines are to share this directory. Another one there:  --chdir /path
Another Python there:  --interpreter /path/to/python3"""


class SshLauncher(Launcher):
    """Minions on other machines, that ssh reaches without asking for a password."""

    help = "on other machines, over ssh"
    looks_for_queue = True
    settings: ClassVar[tuple[Setting[Any], ...]] = (launching.HOSTS, launching.CHDIR, launching.EXTRA)

    def __init__(self, hosts: tuple[str, ...], directory: str | None = None, extra: tuple[str, ...] = ()) -> None:
        """Take the hosts, the directory there (None: as here), and options for ssh."""
        self._hosts, self._directory = hosts, directory
        self._ssh = ("ssh", *extra, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_PATIENCE}")

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read the hosts."""
        text = settings[launching.HOSTS]
        return cls(hosts_of(text) if text else (), settings[launching.CHDIR], words_of(settings))

    def available(self) -> str:
        """Look for ssh, and for hosts."""
        return missing("ssh") or ("" if self._hosts else "no hosts: --hosts a,b, or MINION_LAUNCH_HOSTS, says where")

    def default_count(self) -> int:
        """Start one on each host."""
        return max(1, len(self._hosts))

    def hosts(self) -> frozenset[str] | None:
        """Name them, without the user's name there."""
        return frozenset(host.rpartition("@")[2] for host in self._hosts)

    def script(self, plan: Plan) -> str:
        """Write what each host is told, so that it can be run by hand."""
        return "".join(
            f"{line(command.argv)} <<'{plan.id}'\n{command.input}{plan.id}\n" for command in self.commands(plan)
        )

    def commands(self, plan: Plan) -> list[Command]:
        """Show it: hosts take minions in turn."""
        return [command for _, command, _ in self._starts(plan)]

    def _starts(self, plan: Plan) -> list[tuple[str, Command, int]]:
        """Say what each host is told, and how many minions it is to start."""
        directory = self._directory or plan.directory
        within = os.path.relpath(plan.logs, plan.directory)
        logs = plan.logs if within.startswith("..") else os.path.join(directory, within)
        turns = {host: range(plan.size)[n :: len(self._hosts)] for n, host in enumerate(self._hosts)}
        return [
            (host, _told(self._ssh, host, detached.to_start(plan, numbers, directory, logs)), len(numbers))
            for host, numbers in turns.items()
            if numbers
        ]

    def submit(self, plan: Plan) -> Handle:
        """Start them on all hosts; what does not work on one of them is said, and the others go on."""
        begun: list[Process] = []
        failed: list[str] = []
        starts = self._starts(plan)
        results = _at_once([_call(self._start, *start) for start in starts])
        for (host, *_), result in zip(starts, results, strict=True):
            if isinstance(result, LaunchError):
                failed.append(f"{host}: {result}")
            else:
                begun += result[0]
                failed += result[1]
        if not begun:
            surely = all(isinstance(result, LaunchRefused) for result in results)
            raise (LaunchRefused if surely else LaunchError)("\n".join(failed))
        return {
            "job": ",".join(dict.fromkeys(one.host for one in begun)),
            "ssh": list(self._ssh),
            "processes": [one._asdict() for one in sorted(begun)],
            "failed": failed,
        }

    def _start(self, host: str, command: Command, size: int) -> tuple[list[Process], list[str]]:
        come_in = _COME_IN.format(host=host)
        return detached.started(command, host, size, lambda code: come_in if code == _NO_WAY_IN else _COPE)

    def status(self, handle: Handle, count: int) -> list[Element]:
        """Ask each host for its own; of those that do not answer nobody knows."""
        described: list[Element] = []
        for _, own, answered in _ask_all(handle, detached.to_look):
            if isinstance(answered, LaunchError):
                why = str(answered).splitlines()[1:2] or [str(answered)]
                described += [
                    Element(one.number, "unknown", f"pid {one.pid}", one.host, note=why[0].strip()) for one in own
                ]
            else:
                described += elements(own, detached.found(answered, own))
        return sorted(described)

    def stop(self, handle: Handle, *, kill: bool = False) -> None:
        """Send SIGTERM, or SIGKILL."""
        _signal_all(handle, "KILL" if kill else "TERM")

    def drain(self, handle: Handle) -> None:
        """Send SIGUSR1."""
        _signal_all(handle, "USR1")

    def by_hand(self, handle: Handle) -> str:
        """Name the processes, host by host."""
        own: dict[str, list[str]] = {}
        for entry in handle["processes"]:
            own.setdefault(entry["host"], []).append(str(entry["pid"]))
        return "; ".join(line((*handle["ssh"], host, "kill", *pids)) for host, pids in own.items())


def hosts_of(text: str) -> tuple[str, ...]:
    """Read ``a,b``, or a file with one host a line; raises UsageError for what ssh would take for an option."""
    if os.path.isfile(text):
        with open(text, encoding="utf-8", errors="replace") as stream:
            lines = [entry.partition("#")[0].strip() for entry in stream]
    else:
        lines = [part.strip() for part in text.split(",")]
    hosts = tuple(dict.fromkeys(filter(None, lines)))
    for host in hosts:
        if "-" in (host[:1], host.rpartition("@")[2][:1]) or not host.isprintable() or any(c.isspace() for c in host):
            raise UsageError(f"{host!r} is no host: --hosts takes names with commas between, or a file with one a line")
    if not hosts:
        raise UsageError(f"--hosts {text!r} names no host")
    return hosts


def _told(ssh: Iterable[str], host: str, script: str) -> Command:
    # exec, in the words of whichever login shell: from there on it is /bin/sh that reads.
    return Command((*ssh, host, "exec /bin/sh"), "", script)


def _call(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)


def _at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make the calls in threads; what a call raises as LaunchError is its result."""
    from concurrent.futures import ThreadPoolExecutor

    def made(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except LaunchError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(made, calls))


def _ask_all(
    handle: Handle, script: Callable[[list[Process]], str]
) -> list[tuple[str, list[Process], str | LaunchError]]:
    by_host: dict[str, list[Process]] = {}
    for entry in handle["processes"]:
        one = Process.of(entry)
        by_host.setdefault(one.host, []).append(one)
    told = [_told(handle["ssh"], host, script(own)) for host, own in by_host.items()]
    answers = _at_once([_call(answer, command) for command in told])
    return [(host, own, answered) for (host, own), answered in zip(by_host.items(), answers, strict=True)]


def _signal_all(handle: Handle, name: str) -> None:
    asked = _ask_all(handle, lambda own: detached.to_signal(own, name))
    failed = [f"{host}: {answered}" for host, _, answered in asked if isinstance(answered, LaunchError)]
    if failed:
        raise LaunchError("not all hosts could be told:\n" + "\n".join(failed))
