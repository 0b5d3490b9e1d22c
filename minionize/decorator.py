"""``@minionize``: a function that is a minion when it is run."""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any, overload

from minionize.callbacks.func import Spread

if TYPE_CHECKING:
    from collections.abc import Callable


class Minionized(Spread):
    """A function that can still be called as before, and is called once per param of a queue by :meth:`run`."""

    def __init__(self, func: Callable[..., Any], **hooks: Any) -> None:
        """Take the function, and what :class:`minionize.FuncCallback` takes beside it."""
        super().__init__(func, **hooks)
        update_wrapper(self, func)

    def __call__(self, /, *args: Any, **fields: Any) -> Any:
        """Call the function, here and now."""
        return self.func(*args, **fields)

    def run(self) -> int:
        """Work until there is a reason to leave, as ``minionize`` does with a command; returns the exit code."""
        from minionize.app import minionizer

        return minionizer(self).run()


@overload
def minionize(func: Callable[..., Any]) -> Minionized: ...


@overload
def minionize(
    *,
    setup: Callable[[], object] | None = None,
    teardown: Callable[[], object] | None = None,
    isolate: bool = True,
) -> Callable[[Callable[..., Any]], Minionized]: ...


def minionize(func: Callable[..., Any] | None = None, **hooks: Any) -> Any:
    """Make a minion of a function: an object param is passed as keywords, a list as arguments, anything else as one.

    What it returns is the task's result. ``setup`` and ``teardown`` are called once in each process that calls it;
    ``isolate=False`` calls it in the minion itself, for debuggers and for devices that do not survive a fork.
    """
    if func is None:
        return lambda func: Minionized(func, **hooks)
    return Minionized(func, **hooks)
