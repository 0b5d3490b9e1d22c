"""From keyword arguments of docker-py's ``containers.run`` to options of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minionize.callbacks.container import sight
from minionize.errors import BadParam, Misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: Keywords that are spelled as the option is, but for the dashes: with a value, and with an option for each item of a list.
_VALUES = frozenset(
    (
        *("blkio_weight", "cgroup_parent", "cgroupns", "cpu_period", "cpu_quota", "cpu_shares", "cpus", "cpuset_cpus"),
        *("cpuset_mems", "hostname", "mac_address", "network", "oom_score_adj", "pids_limit", "platform", "shm_size"),
        *("stop_signal", "user"),
    )
)
_LISTS = frozenset(
    ("cap_add", "cap_drop", "devices", "dns", "dns_opt", "dns_search", "group_add", "security_opt", "volumes_from")
)
_SWITCHES = frozenset(("oom_kill_disable", "privileged", "publish_all_ports", "read_only"))
#: Those that are spelled otherwise.
_OPTIONS = {
    "devices": "--device",
    "dns_opt": "--dns-option",
    "ipc_mode": "--ipc",
    "mem_limit": "--memory",
    "mem_reservation": "--memory-reservation",
    "mem_swappiness": "--memory-swappiness",
    "memswap_limit": "--memory-swap",
    "network_mode": "--network",
    "pid_mode": "--pid",
    "publish_all_ports": "--publish-all",
    "userns_mode": "--userns",
    "uts_mode": "--uts",
    "working_dir": "--workdir",
}
#: An option for each pair of a dict, and what stands between its parts.
_PAIRS = {
    "environment": ("--env", "="),
    "extra_hosts": ("--add-host", ":"),
    "labels": ("--label", "="),
    "storage_opt": ("--storage-opt", "="),
    "sysctls": ("--sysctl", "="),
    "tmpfs": ("--tmpfs", ":"),
}
#: What happens anyway: the original forced three of these itself.
_GRANTED = frozenset(("auto_remove", "detach", "init", "remove", "stderr", "stdout", "stream"))


class UnknownKeyword(Misfit):
    """A keyword that has no place on the command line: the callback's fault, until something has run."""

    def __init__(self, name: str, kind: str) -> None:
        """Name it."""
        super().__init__(f"the command line of {kind} has nothing for {name!r}   (to_kwargs)")


def translate(kind: str, keywords: Mapping[str, Any]) -> list[str]:
    """Write the options for keywords; raises UnknownKeyword for one that has none, BadParam for a value it cannot have."""
    write = _write_apptainer if kind == "apptainer" else _write
    options: list[str] = []
    for name, value in keywords.items():
        if value is None or value is False or name in _GRANTED:
            continue
        try:
            options += write(kind, name, value)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise BadParam(f"{name} cannot be {value!r}   (to_kwargs)") from error
    return options


def _write(kind: str, name: str, value: Any) -> Iterable[str]:
    if name in _SPECIAL:
        return _SPECIAL[name](kind, value)
    if name in _PAIRS:
        option, between = _PAIRS[name]
        return [word for item in _joined(value, between) for word in (option, item)]
    option = _OPTIONS.get(name) or f"--{name.replace('_', '-')}"
    if name in _SWITCHES:
        return (option,)
    if name in _LISTS:
        return [word for item in _items(value) for word in (option, str(item))]
    if name in _VALUES or name in _OPTIONS:
        return option, str(value)
    raise UnknownKeyword(name, kind)


def _write_apptainer(kind: str, name: str, value: Any) -> Iterable[str]:
    if name == "environment":
        items = list(_joined(value, "="))
        if any("," in item for item in items):
            raise ValueError(items)  # it would read two variables
        return [word for item in items for word in ("--env", item)]
    if name == "working_dir":
        return "--pwd", str(value)
    if name == "volumes":
        return [word for volume in _volumes(value) for word in ("--bind", volume)]
    if name in ("network", "network_mode"):
        return sight.network(kind, str(value))
    if name in ("gpus", "device_requests"):
        return _SPECIAL[name](kind, value)
    raise UnknownKeyword(name, kind)


def _items(value: Any) -> list[Any]:
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(value)
    return list(value)


def _joined(value: Any, between: str) -> Iterator[str]:
    """Write the pairs of a dict; a list holds them written already. A variable that is None is left out."""
    if not isinstance(value, dict):
        yield from map(str, _items(value))
        return
    for name, one in value.items():
        if one is not None:
            yield f"{name}{between}{one}" if one != "" or between == "=" else str(name)


def _volumes(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield from map(str, _items(value))
        return
    for here, bound in value.items():
        there, mode = (bound, "") if isinstance(bound, str) else (bound["bind"], bound.get("mode", ""))
        yield ":".join(filter(None, (here, there, mode)))


def _ulimits(kind: str, value: Any) -> Iterator[str]:
    for limit in _items(value):
        lowered = {name.lower(): number for name, number in limit.items()}
        soft, hard = (lowered.get(name) for name in ("soft", "hard"))
        limits = [int(one) for one in (soft, hard) if one is not None]
        yield from ("--ulimit", f"{lowered['name']}={limits[0]}:{limits[-1]}")


def _device_requests(kind: str, value: Any) -> Iterator[str]:
    for request in _items(value):
        lowered = {name.lower(): one for name, one in request.items()}
        ids = lowered.get("deviceids") or lowered.get("device_ids")
        count = lowered.get("count") or (0 if ids else -1)
        wanted = f"device={','.join(map(str, ids))}" if ids else "all" if count == -1 else str(int(count))
        yield from sight.gpus(kind, f'"{wanted}"' if ids and len(ids) > 1 and kind == "docker" else wanted)


def _mounts(kind: str, value: Any) -> Iterator[str]:
    for mount in _items(value):
        if isinstance(mount, str):
            yield from ("--volume", mount)
            continue
        lowered = {name.lower(): one for name, one in mount.items()}
        words = [f"type={lowered.get('type') or 'volume'}", f"target={lowered['target']}"]
        words += [f"source={lowered['source']}"] if lowered.get("source") else []
        yield from ("--mount", ",".join([*words, *(["readonly"] if lowered.get("readonly") else [])]))


def _ports(kind: str, value: Any) -> Iterator[str]:
    """Write ``{"80/tcp": 8080}``, where the host's side may be a port, an address and a port, a list of them, or None."""
    for inside, outside in value.items():
        for one in outside if isinstance(outside, list) else [outside]:
            here = "" if one is None else f"{':'.join(map(str, one)) if isinstance(one, tuple) else one}:"
            yield from ("--publish", f"{here}{inside}")


def _gpus(kind: str, value: Any) -> Iterable[str]:
    return sight.gpus(kind, str(value))


def _nano_cpus(kind: str, value: Any) -> Iterable[str]:
    return "--cpus", f"{int(value) / 1e9:g}"


def _no_network(kind: str, value: Any) -> Iterable[str]:
    return "--network", "none"


def _bound(kind: str, value: Any) -> Iterable[str]:
    return [word for volume in _volumes(value) for word in ("--volume", volume)]


_SPECIAL: dict[str, Callable[[str, Any], Iterable[str]]] = {
    "device_requests": _device_requests,
    "gpus": _gpus,
    "mounts": _mounts,
    "nano_cpus": _nano_cpus,
    "network_disabled": _no_network,
    "ports": _ports,
    "ulimits": _ulimits,
    "volumes": _bound,
}
