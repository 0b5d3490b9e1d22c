"""OAR: ``oarsub`` with an array of minions, ``oarstat``, ``oardel``."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, ClassVar

from minionize.errors import LaunchError, UsageError
from minionize.launchers.ask import answer, ask, missing, refusal, tell
from minionize.launchers.base import Command, Element, Handle, Launcher, Plan, State
from minionize.launchers.extra import words_of
from minionize.launchers.shell import clock, directive, line, running, setting_up, unless_closed
from minionize.settings import launching

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from minionize.settings import Settings
    from minionize.settings.setting import Setting

#: Seconds between the signal that tells a minion to leave (12: SIGUSR2) and its end by force.
_WARNING, _SIGNAL = 60, 12
_SCRIPT = "job.sh"
_HINT = """What there is:              oarnodes
Ask for something else:     minion-launch oar --resources /nodes=1 ...
More options for oarsub:    minion-launch oar --extra "-q QUEUE --project NAME" ..."""
_STATES: dict[str, State] = {
    **dict.fromkeys(("Waiting", "Hold", "toLaunch", "toAckReservation", "Launching"), "pending"),
    **dict.fromkeys(("Running", "Suspended", "Resuming", "Finishing"), "running"),
    **dict.fromkeys(("Terminated", "Error", "toError"), "ended"),
}


class OarLauncher(Launcher):
    """Minions as one array job of OAR."""

    help = "as an array job of OAR"
    settings: ClassVar[tuple[Setting[Any], ...]] = (launching.BESTEFFORT, launching.RESOURCES, launching.EXTRA)
    keeps_time = True
    overview = "oarstat -u"

    def __init__(self, extra: tuple[str, ...] = (), resources: str | None = None, *, best_effort: bool = False) -> None:
        """Take further options for oarsub, and what is asked for."""
        self._extra, self._resources, self._best_effort = extra, resources, best_effort

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read the options for oarsub."""
        return cls(words_of(settings), settings[launching.RESOURCES], best_effort=settings[launching.BESTEFFORT])

    def available(self) -> str:
        """Look for its commands; OAR lets everybody submit but root."""
        return missing("oarsub", "oarstat", "oardel") or ("" if os.geteuid() else "OAR takes no jobs of root")

    def hosts(self) -> frozenset[str] | None:
        """Ask for the nodes; None where there is no answer."""
        try:
            nodes = json.loads(ask("oarnodes", "-J"))
        except (LaunchError, ValueError):
            return None
        resources = nodes.values() if isinstance(nodes, dict) else nodes
        return frozenset(str(one["network_address"]) for one in resources if one.get("network_address")) or None

    def defaults(self) -> dict[str, str]:
        """OAR kills without a word: what a best-effort job held comes back when its leases end, and is no crash."""
        return {"MINION_PREEMPTIBLE": "1"} if self._best_effort else {}

    def script(self, plan: Plan) -> str:
        """Write the job; raises UsageError where OAR would take a line of the command for one of its own."""
        body = f"{unless_closed(plan)}\n{setting_up(plan, plan.directory)}\n{running(plan)}\n"
        if re.search(r"^#OAR\s", body, re.MULTILINE):  # it reads the whole file, also what is quoted
            raise UsageError("a line of the command or of --before begins with #OAR, which OAR would take for its own.")
        if "'" in plan.logs:  # and the node would be taken out of service
            raise UsageError(f"OAR cannot start jobs where a name holds a quote: {plan.logs}\n  Elsewhere:  --logs DIR")
        head = "\n".join(f"#OAR {directive(option)}" for option in self._options(plan))
        return f"#!/bin/sh\n{head}\n\n{body}"

    def _options(self, plan: Plan) -> list[str]:
        # The log is named without its directory: oarsub is run there, and neither quotes nor blanks mean the same to it.
        options = [f"-n {plan.name}", "-O %jobid%.log", "-E %jobid%.log"]
        options += [f"--checkpoint {_WARNING}", f"--signal {_SIGNAL}"]
        options += [f"--array {plan.size}"] if plan.size > 1 else []
        options += ["-t besteffort", "-t idempotent"] if self._best_effort else []
        if not any(word.startswith(("-l", "--resource")) for word in self._extra):  # a second -l is an alternative
            options += [f"-l {self._wanted(plan)}"]
        return options

    def _wanted(self, plan: Plan) -> str:
        wanted = self._resources or ("/nodes=1" if plan.slots is None else f"/nodes=1/core={plan.slots}")
        if not plan.walltime:
            return wanted
        if "walltime=" in wanted:
            raise UsageError(f"--resources {wanted} and --walltime: say the walltime once.")
        return f"{wanted},walltime={clock(plan.walltime)}"

    def commands(self, plan: Plan) -> list[Command]:
        """Show how it is submitted: in the directory of its log, where the script must stay for as long as it waits."""
        return [Command(("oarsub", *self._extra, "-S", f"./{_SCRIPT}"), plan.logs)]

    def submit(self, plan: Plan) -> Handle:
        """Submit it; the array has the id of its first job."""
        path = os.path.join(plan.logs, _SCRIPT)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(self.script(plan))
        os.chmod(path, 0o700)
        said = answer(self.commands(plan)[0], _HINT)
        jobs = re.findall(r"^OAR_JOB_ID=(\d+)$", said, re.MULTILINE)
        array = re.search(r"^OAR_ARRAY_ID=(\d+)$", said, re.MULTILINE)
        if not jobs:
            raise LaunchError(f"oarsub did not say what the job is called, but: {said.strip()!r}\n  See:  oarstat -u")
        return {"job": array[1] if array else jobs[0], "directory": plan.logs}

    def recall(self, id: str, logs: str, count: int) -> Handle | None:
        """Look for the jobs that were submitted in the directory of the logs."""
        jobs = _parsed(ask("oarstat", "-f", "-J", "--sql", f"launching_directory LIKE '%/{id}'"))
        return {"job": str(jobs[0]["array_id"]), "directory": logs} if jobs else None

    def status(self, handle: Handle, count: int) -> list[Element]:
        """Ask oarstat. A job that was started again has a new id, and the same index in the same array."""
        newest = {int(job["array_index"]) - 1: job for job in _jobs(handle)}
        return [_element(number, newest.get(number)) for number in range(count)]

    def stop(self, handle: Handle, *, kill: bool = False) -> None:
        """End it: OAR itself would kill at once, so minions are sent SIGTERM, and only what waits is deleted."""
        if kill:
            _delete(_of(handle, "pending", "running"))
        else:
            _delete(_of(handle, "pending"))
            _signal("SIGTERM", _of(handle, "running"))

    def drain(self, handle: Handle) -> None:
        """Delete what waits, and send SIGUSR1 to the minions that run."""
        _delete(_of(handle, "pending"))
        _signal("SIGUSR1", _of(handle, "running"))

    def by_hand(self, handle: Handle) -> str:
        """Name OAR's own command."""
        return line(("oardel", "--array", handle["job"]))


def _jobs(handle: Handle) -> list[dict[str, Any]]:
    """Ask for all jobs of the array, the oldest first; none where another OAR has another array of that number."""
    jobs, folder = (
        _parsed(ask("oarstat", "--array", handle["job"], "-f", "-J")),
        os.path.basename(handle.get("directory", "")),
    )
    return [job for job in jobs if not folder or os.path.basename(job.get("launchingDirectory") or folder) == folder]


def _parsed(text: str) -> list[dict[str, Any]]:
    text = text.strip()
    try:
        jobs = json.loads(text) if text else {}
    except ValueError as error:
        raise LaunchError(f"oarstat -J did not answer in JSON, but: {text[:200]!r}") from error
    return sorted(jobs.values(), key=lambda job: int(job["Job_Id"]))


def _element(number: int, job: dict[str, Any] | None) -> Element:
    if job is None:
        return Element(number, "ended", note="OAR has forgotten it")
    state = _STATES.get(job["state"], "unknown")
    status = job.get("exit_code")
    exit = None
    if state == "ended" and isinstance(status, int):
        exit = status >> 8 if not status & 0x7F else 128 + (status & 0x7F)
    note = str(job["state"]).lower() if job["state"] not in ("Waiting", "Running", "Terminated") else ""
    if state == "ended" and not job.get("startTime"):
        note = "never begun"
    id = str(job["Job_Id"])
    hosts = job.get("assigned_network_address") or []
    return Element(number, state, id, ",".join(dict.fromkeys(hosts)), exit, note, ("oar", id))


def _of(handle: Handle, *states: State) -> list[str]:
    return [str(job["Job_Id"]) for job in _jobs(handle) if _STATES.get(job["state"]) in states]


def _delete(ids: Sequence[str]) -> None:
    _oardel(ids)


def _signal(name: str, ids: Sequence[str]) -> None:
    _oardel(ids, "-s", name)


def _oardel(ids: Sequence[str], *options: str) -> None:
    """Delete or signal jobs. One that has ended meanwhile makes oardel fail, and is what was wanted."""
    if not ids:
        return
    command = Command(("oardel", *options, *ids))
    said = tell(command)
    complaints = [line for line in said.err.splitlines() if line.strip()]
    if said.code and not all("not running" in line or "already killed" in line for line in complaints):
        raise LaunchError(refusal(command, said))
