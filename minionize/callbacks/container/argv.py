"""The command lines of containers: what is the same for all tasks of a minion, and what each one adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minionize.callbacks.container import sight
from minionize.errors import UsageError
from minionize.settings.read import GIVEN_TO_CHILDREN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.callbacks.container.runtime import Runtime
    from minionize.callbacks.container.sight import Mount

#: The variables of a task. They are passed by name, and so taken from the environment of the runtime's client: what is in
#: them is in no command line for others to see. But for one: by MINION_ID a minion that goes on after ours would find the client,
#: and kill it in the middle of making a container.
VARIABLES = tuple(sorted(GIVEN_TO_CHILDREN - {"MINION_ID"}))
CLIENT = {b"MINION_ID": b""}
LABEL = "minionize"
#: Holds who made a container: see :mod:`minionize.callbacks.container.orphans`.
PROCESS_LABEL = "minionize.process"
_OURS = ("-d", "--detach", "--name")


def checked(extra: Sequence[str]) -> list[str]:
    """Return further options; raises UsageError for one by which a minion would lose its containers."""
    for word in extra:
        if word.partition("=")[0] in _OURS:
            raise UsageError(f"{word} is no option for containers here: a minion names its own, and waits for them.")
    return list(extra)


def options(runtime: Runtime, mounts: Sequence[Mount], network: str | None, extra: Sequence[str]) -> list[str]:
    """Write what every container gets, GPUs apart."""
    words = [word for mount in mounts for word in mount.option(runtime.kind)]
    if network is not None:
        words += sight.network(runtime.kind, network)
    if not runtime.has_containers:
        return [*words, *extra]
    # Our own copy of the output is the one that counts; an image is pulled before, not by each task.
    return [*(["--init"] if runtime.init else []), *runtime.user, "--pull=never", "--log-driver=none", *words, *extra]


def verb(runtime: Runtime, *, command: bool) -> list[str]:
    """Write the verb. apptainer has two: with ``command`` one that leaves the image's own aside, as its users expect."""
    if runtime.has_containers:
        return ["run", "--rm"]
    return ["exec" if command else "run"]


def bookkeeping(runtime: Runtime, uid: str, process: str, scratch: str) -> list[str]:
    """Write what only a running minion can say: by what a container is found again, and what its task is given.

    z lets SELinux agree that the container writes its result there.
    """
    mount = sight.Mount(scratch, scratch, "z").option(runtime.kind)
    if not runtime.has_containers:
        return [*mount]
    variables = [word for name in (*VARIABLES, f"MINION_ID={uid}") for word in ("--env", name)]
    return ["--label", f"{LABEL}={uid}", "--label", f"{PROCESS_LABEL}={process}", *mount, *variables]


def name(uid: str, number: int) -> str:
    """Name the container of a minion's execution, from 1."""
    return f"minion-{uid}-{number}"


def commands(runtime: Runtime, uid: str) -> dict[bytes, list[bytes]]:
    """Write what is done to containers, by its word; their names are appended. A sweep is of all those of a minion."""
    if not runtime.has_containers:
        return {}
    # A shell's, so that whoever outlives the minion needs nothing but to run it.
    script = b'ids=$("$0" ps -aq --filter "$1") || exit; shift; [ -z "$ids" ] || exec "$@" $ids'
    whose = f"label={LABEL}={uid}".encode()
    return {
        b"remove": remove(runtime),
        b"pause": [runtime.path, b"pause"],
        b"unpause": [runtime.path, b"unpause"],
        b"sweep": [b"/bin/sh", b"-c", script, runtime.path, whose, *remove(runtime)],
    }


def remove(runtime: Runtime) -> list[bytes]:
    """Write the command that ends containers, and gives them no time to argue."""
    return [runtime.path, b"rm", b"-f", *([b"-t", b"0"] if runtime.kind == "podman" else [])]
