"""Containers of minions that are gone with their wardens: the next minion on the host that uses the runtime removes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minionize import processes
from minionize.callbacks.container import argv
from minionize.model import Identity

if TYPE_CHECKING:
    from minionize.callbacks.container.runtime import Runtime

#: What docker (``=``) and podman (``:``) show of the label that :func:`signature` wrote.
_SIGNATURE = re.compile(re.escape(argv.PROCESS_LABEL) + r"[=:](\d+)\.(\d+)\.([0-9a-f-]*)\.(\d*)")


def signature(me: Identity) -> str:
    """Write who makes a container, for others to tell whether that process is gone."""
    return f"{me.pid}.{me.start}.{me.boot}.{''.join(filter(str.isdigit, me.namespace))}"


def remove(runtime: Runtime, me: Identity) -> int:
    """Remove what minions left that are certainly gone; says how many containers. A runtime that fails says so elsewhere."""
    if not runtime.has_containers:
        return 0
    answer = runtime.call("ps", "-a", "--filter", f"label={argv.LABEL}", "--format", "{{.ID}} {{.Labels}}")
    left = [line.split(" ")[0] for line in answer.out.splitlines() if _is_left(line, me)]
    if left:
        runtime.call(*(word.decode() for word in argv.remove(runtime)[1:]), *left)
    return len(left)


def _is_left(line: str, me: Identity) -> bool:
    match = _SIGNATURE.search(line)
    if match is None:
        return False
    pid, start, boot, namespace = match.groups()
    return processes.is_gone(Identity("", "", int(pid), int(start), boot, f"pid:[{namespace}]"), me)
