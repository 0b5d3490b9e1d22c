"""Slurm: ``sbatch`` with an array of minions, ``squeue``, ``scancel``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from minionize.errors import LaunchError, LaunchRefused, UsageError
from minionize.launchers.ask import answer, ask, missing
from minionize.launchers.base import Command, Element, Handle, Launcher, Plan, State
from minionize.launchers.extra import words_of
from minionize.launchers.shell import clock, directive, line, running, setting_up, unless_closed
from minionize.settings import launching, table

if TYPE_CHECKING:
    from typing import Self

    from minionize.settings import Settings
    from minionize.settings.setting import Setting

#: Seconds before the end of a job at which a minion is asked to take no more tasks.
_WARNING = 60
_HINT = """Partitions and their limits:  sinfo -s
More options for sbatch:      minion-launch slurm --extra '--partition=NAME --account=NAME' ..."""
_PENDING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
)
_RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
#: What squeue is asked for, and how wide each is printed: it cuts, and has no other separator.
_COLUMNS = (("ArrayTaskID", 16), ("State", 24), ("NodeList", 256), ("exit_code", 16), ("Reason", 96))


class SlurmLauncher(Launcher):
    """Minions as one array job of Slurm."""

    help = "as an array job of Slurm"
    settings: ClassVar[tuple[Setting[Any], ...]] = (launching.BESTEFFORT, launching.EXTRA)
    keeps_time = True
    overview = "squeue --me -O JobID,Name,State,Comment"

    def __init__(self, extra: tuple[str, ...] = (), *, best_effort: bool = False) -> None:
        """Take further options for sbatch."""
        self._extra, self._best_effort = extra, best_effort
        # Sites set SBATCH_EXPORT=NONE; an option is stronger.
        said = [word.partition("=")[2] for word in extra if word.startswith("--export=")]
        exported = (said or [os.environ.get("SBATCH_EXPORT", "ALL")])[-1]
        self.passes_environment = "--export" not in extra and "ALL" in exported.upper().split(",")

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read the options for sbatch."""
        return cls(words_of(settings), best_effort=settings[launching.BESTEFFORT])

    def available(self) -> str:
        """Look for its commands."""
        return missing("sbatch", "squeue", "scancel")

    def hosts(self) -> frozenset[str] | None:
        """Ask for the nodes; None where there is no answer."""
        try:
            return frozenset(ask("sinfo", "-h", "-N", "-o", "%n").split()) or None
        except LaunchError:
            return None

    def defaults(self) -> dict[str, str]:
        """Let children have most of the time between Slurm's SIGTERM and its SIGKILL, and keep the rest to give back."""
        found = {"MINION_PREEMPTIBLE": "1"} if self._best_effort else {}
        wait = _configured("KillWait")
        return found | ({table.GRACE.name: f"{min(20.0, int(wait) * 0.6):g}s"} if wait.isdigit() else {})

    def script(self, plan: Plan) -> str:
        """Write the job."""
        head = "\n".join(f"#SBATCH {_quoted(option)}" for option in self._options(plan))
        return f"#!/bin/sh\n{head}\n\n{unless_closed(plan)}\n{setting_up(plan, plan.directory)}\n{running(plan)}\n"

    def _options(self, plan: Plan) -> list[str]:
        many = plan.size > 1
        if "\\" in plan.logs:
            raise UsageError(
                f"Slurm cannot write logs where a name holds a backslash: {plan.logs}\n  Elsewhere:  --logs DIR"
            )
        # A warning that comes first thing in a short job would end it before it began.
        warning = min(_WARNING, int(plan.walltime // 10)) if plan.walltime else _WARNING
        options = [
            f"--job-name={plan.name}",
            f"--comment={_comment(plan.id)}",
            f"--chdir={plan.directory}",
            f"--output={plan.logs.replace('%', '%%')}/{'%A_%a' if many else '%j'}.log",
            "--open-mode=append",
            "--requeue",
            f"--signal=B:USR1@{max(1, warning)}",
        ]
        options += [f"--array=0-{plan.size - 1}"] if many else []
        options += [f"--time={clock(plan.walltime)}"] if plan.walltime else []
        options += [f"--cpus-per-task={plan.slots}"] if plan.slots and plan.slots > 1 else []
        return options

    def commands(self, plan: Plan) -> list[Command]:
        """Show how it is submitted: sbatch reads the script from its standard input, and keeps it."""
        return [Command(("sbatch", "--parsable", *self._extra), plan.directory, self.script(plan))]

    def submit(self, plan: Plan) -> Handle:
        """Submit it; Slurm's answer is the job, and its cluster where there are several."""
        try:
            said = answer(self.commands(plan)[0], _HINT)
        except LaunchRefused as error:
            if "timed out" in str(error).lower():  # the controller may have heard it all the same
                raise LaunchError(f"{error}\n  It may have taken the job:  squeue --me -o '%i %j %k'") from error
            raise
        jobs = re.findall(r"^(\d+)(?:;(\S+))?\s*$", said, re.MULTILINE)
        if not jobs:
            raise LaunchError(f"sbatch did not say what the job is called, but: {said.strip()!r}\n  See:  squeue --me")
        return _handle(*jobs[-1], size=plan.size)

    def recall(self, id: str, logs: str, count: int) -> Handle | None:
        """Look for the job that has the launch's id for a comment."""
        rows = (
            row.split()
            for row in ask("squeue", "--me", "-h", "-t", "all", "-O", "ArrayJobID:32,Comment:64").splitlines()
        )
        return next((_handle(row[0], size=count) for row in rows if row[1:] == [_comment(id)]), None)

    def status(self, handle: Handle, count: int) -> list[Element]:
        """Ask squeue, which knows jobs for some minutes after their end, and sacct for those that it has forgotten."""
        found = {row.number: row for row in _queued(handle)}
        if len(found) < count:
            found = {row.number: row for row in _accounted(handle)} | found
        return [_element(handle, found.get(number) or _Row(number)) for number in range(count)]

    def stop(self, handle: Handle, *, kill: bool = False) -> None:
        """End it: SIGTERM, and SIGKILL when Slurm's patience is over."""
        if kill:
            _cancel(handle, "--state=PENDING")
            _cancel(handle, "--state=RUNNING", "--batch", "--signal=KILL")  # without --batch, SIGTERM would come first
        else:
            _cancel(handle)

    def drain(self, handle: Handle) -> None:
        """Take back what waits, and send SIGUSR1 to the minions that run."""
        _cancel(handle, "--state=PENDING")
        _cancel(handle, "--state=RUNNING", "--batch", "--signal=USR1")

    def by_hand(self, handle: Handle) -> str:
        """Name Slurm's own command."""
        return line(("scancel", *(("-M", handle["cluster"]) if handle["cluster"] else ()), handle["job"]))


class _Row(NamedTuple):
    number: int
    state: str = ""
    host: str = ""
    exit: int | None = None
    reason: str = ""


def _quoted(option: str) -> str:
    """Quote the value of an option as the lines of a script for sbatch have it."""
    name, _, value = directive(option).partition("=")
    if not value or re.fullmatch(r"[\w@%+=:,./-]*", value, re.ASCII):
        return option
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def _comment(id: str) -> str:
    return f"minion-launch:{id}"


def _handle(job: str, cluster: str = "", *, size: int) -> Handle:
    return {"job": job, "cluster": cluster, "home": "" if cluster else _configured("ClusterName"), "array": size > 1}


def _configured(name: str) -> str:
    """Ask for a word of the configuration; empty where there is no answer."""
    try:
        found = re.search(rf"^{name}\s*=\s*(\S+)", ask("scontrol", "show", "config"), re.MULTILINE)
    except LaunchError:
        return ""
    return found[1] if found else ""


def _cluster(handle: Handle) -> tuple[str, ...]:
    """Name the cluster; raises LaunchError on a front end of another one, where that number is another job."""
    if handle["cluster"]:
        return ("-M", handle["cluster"])
    home, here = handle.get("home"), _configured("ClusterName")
    if home and here and home != here:
        raise LaunchError(f"job {handle['job']} is one of the cluster {home}, and this is {here}: ask there.")
    return ()


def _cancel(handle: Handle, *options: str) -> None:
    answer(Command(("scancel", *_cluster(handle), *options, handle["job"])))


def _queued(handle: Handle) -> list[_Row]:
    columns = ",".join(f"{name}:{width}" for name, width in _COLUMNS)
    try:
        text = ask("squeue", *_cluster(handle), "-h", "-r", "-t", "all", "-j", handle["job"], "-O", columns)
    except LaunchError as error:
        if "Invalid job id" in str(error):
            return []
        raise
    return [_queue_row(row) for row in text.splitlines() if row.strip() and not row.startswith("CLUSTER:")]


def _queue_row(text: str) -> _Row:
    cells, at = [], 0
    for _, width in _COLUMNS:
        cells.append(text[at : at + width].strip())
        at += width
    index, state, host, exit, reason = cells
    return _Row(
        int(index) if index.isdigit() else 0,
        state,
        host,
        _exit_code(int(exit)) if exit.isdigit() else None,
        "" if reason in ("None", "(null)") else reason,
    )


def _exit_code(status: int) -> int:
    """Read a wait status as shells do."""
    return status >> 8 if not status & 0x7F else 128 + (status & 0x7F)


def _accounted(handle: Handle) -> list[_Row]:
    """Ask the accounting, which not every site has."""
    try:
        text = ask(
            "sacct", *_cluster(handle), "-n", "-P", "-X", "-j", handle["job"], "-o", "JobID,State,NodeList,ExitCode"
        )
    except LaunchError:
        return []
    return [row for row in map(_accounting_row, text.splitlines()) if row]


def _accounting_row(text: str) -> _Row | None:
    id, state, host, exit = (*text.split("|"), "", "", "", "")[:4]
    index = id.partition("_")[2] or "0"
    if not index.isdigit():  # 12_[4-9]: what has never begun is one row
        return None
    code, _, signal = exit.partition(":")
    number = (int(code) or (128 + int(signal) if int(signal or 0) else 0)) if code.isdigit() else None
    return _Row(int(index), state.split(" ")[0], "" if host == "None assigned" else host, number)


def _element(handle: Handle, row: _Row) -> Element:
    job = f"{handle['job']}_{row.number}" if handle["array"] else handle["job"]
    state = _state(row.state)
    note = row.reason
    if state == "ended":
        note = row.state.lower() if row.state not in ("COMPLETED", "FAILED", "") else ""
        note = note or ("" if row.state else "Slurm has forgotten it")
    return Element(
        row.number,
        state,
        job,
        row.host,
        row.exit if state == "ended" and row.host else None,  # what never began has not ended well
        note,
        ("slurm", handle["job"], str(row.number) if handle["array"] else ""),
    )


def _state(name: str) -> State:
    return "pending" if name in _PENDING else "running" if name in _RUNNING else "ended"
