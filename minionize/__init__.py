"""Run a program once per param, from a queue, on machines that may vanish at any moment.

    from minionize import ProcessCallback, minionizer

    class Simulate(ProcessCallback):
        def to_cmd(self, param):
            return ["./a.out", str(param["seed"])]

    minionizer(Simulate()).run()

The names below are imported when they are first used: a minion pays for what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "1.0.0"

if TYPE_CHECKING:
    from typing import Any

    from minionize.app import minionizer
    from minionize.callbacks.container import ContainerCallback, DockerCallback
    from minionize.callbacks.func import FuncCallback
    from minionize.callbacks.process import ProcessCallback
    from minionize.decorator import minionize
    from minionize.errors import Dead, Interrupted, MinionizeError, Retry
    from minionize.slots.calls.current import current_task

#: Where each public name lives.
_NAMES = {
    "ContainerCallback": "minionize.callbacks.container",
    "Dead": "minionize.errors",
    "DockerCallback": "minionize.callbacks.container",
    "FuncCallback": "minionize.callbacks.func",
    "Interrupted": "minionize.errors",
    "MinionizeError": "minionize.errors",
    "ProcessCallback": "minionize.callbacks.process",
    "Retry": "minionize.errors",
    "current_task": "minionize.slots.calls.current",
    "minionize": "minionize.decorator",
    "minionizer": "minionize.app",
}

__all__ = [
    "ContainerCallback",
    "Dead",
    "DockerCallback",
    "FuncCallback",
    "Interrupted",
    "MinionizeError",
    "ProcessCallback",
    "Retry",
    "current_task",
    "minionize",
    "minionizer",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
