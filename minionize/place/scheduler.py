"""The scheduler's job around this process: its name, whether it may be killed at any moment, and the time it has left.

The environment knows most. A scheduler's command is run only inside a job of that scheduler, and only for the rest.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How long a scheduler's command may take to answer, in seconds.
_PATIENCE = 5.0

#: Per scheduler: its name, and the variables of the job's id, its array's id and its index in that.
_SCHEDULERS = (
    ("oar", "OAR_JOB_ID", "OAR_ARRAY_ID", "OAR_ARRAY_INDEX"),
    ("slurm", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"),
    ("flux", "FLUX_JOB_ID", "", "FLUX_TASK_RANK"),
    ("aws-batch", "AWS_BATCH_JOB_ID", "", "AWS_BATCH_JOB_ARRAY_INDEX"),
    ("kubernetes", "KUBERNETES_SERVICE_HOST", "", "JOB_COMPLETION_INDEX"),
)


def job(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``scheduler`` and ``id`` of the job around us, its ``array`` and ``index`` where it has them; else nothing."""
    environ = os.environ if environ is None else environ
    for scheduler, id, array, index in _SCHEDULERS:
        if environ.get(id):
            found = {"scheduler": scheduler, "id": environ[id]}
            found |= {key: environ[name] for key, name in (("array", array), ("index", index)) if environ.get(name)}
            return _completed(found, environ)
    return {}


def _completed(found: dict[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Fill in what has no variable of its own: a pod is named by its host, a Batch child by ``parent:index``."""
    if found["scheduler"] == "kubernetes":
        found["id"] = environ.get("HOSTNAME") or os.uname().nodename
    elif found["scheduler"] == "aws-batch" and ":" in found["id"]:
        found["array"], _, index = found["id"].rpartition(":")
        found.setdefault("index", index)
    return found


def in_job_or_container(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether somebody else may stop us and our children at once: a scheduler, or who runs this container."""
    environ = os.environ if environ is None else environ
    return (
        os.getpid() == 1
        or bool(job(environ) or environ.get("container"))
        or any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))
    )


def best_effort(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether this is an OAR best-effort job, which is killed as soon as somebody needs its place.

    Not every version of OAR puts the types of a job into its environment (2.5.9 does not): then ``oarstat`` is asked.
    """
    environ = os.environ if environ is None else environ
    id = environ.get("OAR_JOB_ID")
    if not id:
        return False
    types = environ.get("OAR_JOB_TYPES")
    if types is not None:
        return any(entry.partition("=")[0].strip() == "besteffort" for entry in types.split(";"))
    lines = (line.partition("=") for line in _ask("oarstat", "-f", "-j", id).splitlines())
    return any(key.strip() == "types" and "besteffort" in value.replace(",", " ").split() for key, _, value in lines)


def lifetime(environ: Mapping[str, str] | None = None) -> float | None:
    """Return the seconds until the end of the OAR or Slurm job around us; None where there is no end, or none known."""
    environ = os.environ if environ is None else environ
    if environ.get("OAR_JOB_ID"):
        return _oar_lifetime(environ)
    if environ.get("SLURM_JOB_ID"):
        return _slurm_lifetime(environ)
    return None


def _oar_lifetime(environ: Mapping[str, str]) -> float | None:
    walltime = environ.get("OAR_JOB_WALLTIME_SECONDS", "")
    if not walltime.isdecimal():
        return None
    try:
        # OAR writes this file when the job starts; this minion may be started much later.
        started = os.stat(environ.get("OAR_NODE_FILE") or environ.get("OAR_NODEFILE") or "").st_mtime
    except OSError:
        started = time.time()
    return max(0.0, started + int(walltime) - time.time())


def _slurm_lifetime(environ: Mapping[str, str]) -> float | None:
    end = environ.get("SLURM_JOB_END_TIME", "")
    if end.isdecimal() and int(end) > 0:
        return max(0.0, int(end) - time.time())
    # An array's id is also that of its last element: asked for by id alone, that one would get the times of all.
    array, index = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
    id = f"{array}_{index}" if array and index else environ["SLURM_JOB_ID"]
    return slurm_time(_ask("squeue", "-h", "-j", id, "-o", "%L").strip())


def slurm_time(text: str) -> float | None:
    """Read what Slurm writes for a length of time: ``1-02:03:04``, ``02:03:04``, ``03:04``; None: ``UNLIMITED``."""
    days, dash, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdecimal() for part in parts) or (dash and not days.isdecimal()) or not 2 <= len(parts) <= 3:
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return float(int(days or 0) * 86400 + seconds)


def _ask(*command: str) -> str:
    """Return what a scheduler's command answers; empty where it is missing, fails, or takes too long."""
    import subprocess

    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout
