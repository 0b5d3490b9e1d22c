"""What containers see of this host: directories, GPUs, the network. Written as options of each runtime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from minionize.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What may stand behind a mount: z and Z are for SELinux, which apptainer knows nothing of.
_MODES = ("ro", "rw", "z", "Z")
_SYNTAX = "HERE:THERE or HERE:THERE:ro, with THERE an absolute path"


class Mount(NamedTuple):
    """``here`` on this host is ``there`` in containers."""

    here: str
    there: str
    mode: str = ""

    def option(self, kind: str) -> tuple[str, str]:
        """Write it for a runtime."""
        if kind == "apptainer":
            mode = self.mode if self.mode in ("ro", "rw") else ""
            return "--bind", ":".join(filter(None, (self.here, self.there, mode)))
        return "--volume", ":".join(filter(None, self))


def mounts(entries: Iterable[str], described: str) -> list[Mount]:
    """Read ``HERE:THERE[:ro]``; a relative HERE is below the current directory. Raises UsageError, which names the entry."""
    return [_mount(entry, described) for entry in entries]


def _mount(entry: str, described: str) -> Mount:
    here, _, rest = entry.strip().partition(":")
    there, colon, mode = rest.partition(":")
    if not here or not there.startswith("/") or (colon and mode not in _MODES):
        raise UsageError(f"{entry!r} is no mount   ({described})\n  Write it as {_SYNTAX}")
    path = os.path.abspath(os.path.expanduser(here))
    check_path(path)
    return Mount(path, there, mode)


def check_path(path: str, cure: str = "") -> None:
    """See that a path can be written in a mount; raises UsageError, with what to do about it."""
    if ":" in path or "," in path:
        raise UsageError(f"a path with a colon or a comma cannot be mounted: {path}{cure}")


def check(wanted: Sequence[Mount]) -> None:
    """See that what is to be mounted is there: docker would make an empty directory of root's; raises UsageError."""
    for mount in wanted:
        if not os.path.exists(mount.here):
            raise UsageError(
                f"there is no {mount.here}, which is to be mounted at {mount.there}.\n  If it is for output:  mkdir {mount.here}"
            )


def gpus(kind: str, wanted: str) -> list[str]:
    """Write GPUs for a runtime; podman finds them by the names of its Container Device Interface."""
    if kind == "docker":
        return ["--gpus", wanted]
    if kind == "podman":
        names = wanted.removeprefix("device=").strip('"').split(",")
        return [f"--device={name if '/' in name else f'nvidia.com/gpu={name}'}" for name in names]
    if wanted != "all":
        raise UsageError(f"apptainer shows containers all GPUs or none, and not {wanted!r}:  --gpus all")
    return ["--nv"]


def network(kind: str, wanted: str) -> list[str]:
    """Write the network for a runtime; apptainer's containers are in that of the host unless they are told."""
    if kind == "apptainer":
        return [] if wanted == "host" else ["--net", "--network", wanted]
    return ["--network", wanted]
