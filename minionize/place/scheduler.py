"""The scheduler's job around this process: its name, and whether it may be killed at any moment.

The environment knows most. A scheduler's command is run only inside a job of that scheduler, and only for the rest.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How long a scheduler's command may take to answer, in seconds.
PATIENCE = 5.0

#: What is told of a job besides its scheduler; ``restarts``: how often it was begun again under the same id.
_FACTS = ("id", "array", "index", "node", "restarts")
#: Per scheduler: its name, and the variables of these facts.
_SCHEDULERS = (
    ("oar", "OAR_JOB_ID", "OAR_ARRAY_ID", "OAR_ARRAY_INDEX"),
    ("slurm", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURMD_NODENAME", "SLURM_RESTART_COUNT"),
    ("flux", "FLUX_JOB_ID", "", "FLUX_TASK_RANK"),
    ("aws-batch", "AWS_BATCH_JOB_ID", "", "AWS_BATCH_JOB_ARRAY_INDEX"),
    ("kubernetes", "KUBERNETES_SERVICE_HOST", "", "JOB_COMPLETION_INDEX"),
)


def job(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``scheduler`` and ``id`` of the job around us, and what else is known of it; outside a job nothing.

    That is its ``array``, its ``index`` there, the ``node`` by the scheduler's name, and ``restarts``.
    """
    environ = os.environ if environ is None else environ
    for scheduler, *names in _SCHEDULERS:
        if environ.get(names[0]):
            found = {"scheduler": scheduler}
            found |= {fact: environ[name] for fact, name in zip(_FACTS, names, strict=False) if environ.get(name)}
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
    from minionize.place.question import Question

    answer = Question("oarstat", "-f", "-j", id).wait(PATIENCE)
    lines = (line.partition("=") for line in answer.splitlines())
    return any(key.strip() == "types" and "besteffort" in value.replace(",", " ").split() for key, _, value in lines)
