"""Call a Python function once per task, in child processes of the minion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from minionize.callbacks.base import Callback
from minionize.errors import BadParam, UsageError
from minionize.params import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.model import Entry, NewTask


class FuncCallback(Callback):
    """Calls ``func`` with each param, the Python value of its JSON; what it returns, if that has JSON, is the task's result.

    ``setup`` and ``teardown`` are called in each child, before its first call and after its last: there is one child a slot,
    and another one after a crash. ``isolate=False`` calls the function in the minion itself, one task at a time: for
    debuggers, and for devices that do not survive a fork. A subclass may define ``call``, ``setup`` and ``teardown`` instead.
    """

    def __init__(
        self,
        func: Callable[..., Any] | None = None,
        *,
        setup: Callable[[], object] | None = None,
        teardown: Callable[[], object] | None = None,
        isolate: bool = True,
    ) -> None:
        """Take the function; raises UsageError for what cannot be called as one."""
        if func is None and type(self).call is FuncCallback.call:
            raise UsageError(f"{type(self).__name__} was given no function, and defines no call(self, param)")
        self.func = self.call if func is None else func
        _check(self.func)
        self._setup, self._teardown = setup, teardown
        self.launches: Literal["calls", "inline"] = "calls" if isolate else "inline"
        self.command = (name_of(self.func if func else type(self)),)

    def setup(self) -> None:
        """Call the setup that was given."""
        if self._setup is not None:
            self._setup()

    def teardown(self) -> None:
        """Call the teardown that was given."""
        if self._teardown is not None:
            self._teardown()

    def call(self, param: Any) -> Any:
        """Call the function with the param."""
        return self.func(param)

    def misfit(self, param: Any, error: TypeError) -> str:
        """Say why the function does not take this param; empty where it does, or where nobody can tell."""
        return "" if _was_entered(self.func, error) else _misfit(self.func, (param,), {})

    def examine(self) -> str:
        """Name the function, its arguments, and where it is defined."""
        from inspect import getsourcefile, getsourcelines

        signature = _signature(self.func)
        try:
            where = f"{getsourcefile(self.func)}, line {getsourcelines(self.func)[1]}"
        except (OSError, TypeError):
            where = getattr(self.func, "__module__", "") or "?"
        return f"{_bare(self.func)}{signature if signature is not None else '(...)'} of {where}"

    def show(self, task: NewTask | Entry) -> str:
        """Write the call."""
        return self._shown((jsontext.value(task.param),), {})

    def _shown(self, args: tuple[Any, ...], fields: dict[str, Any]) -> str:
        words = [repr(one) for one in args] + [f"{name}={value!r}" for name, value in fields.items()]
        if why := _misfit(self.func, args, fields):
            raise BadParam(why)
        return f"{_bare(self.func)}({', '.join(words)})"


class Spread(FuncCallback):
    """Calls ``func`` with the fields of an object as keywords, the items of a list as arguments, or else with the param."""

    def call(self, param: Any) -> Any:
        """Call the function with what is in the param."""
        if type(param) is dict:
            return self.func(**param)
        if type(param) is list:
            return self.func(*param)
        return self.func(param)

    def misfit(self, param: Any, error: TypeError) -> str:
        """Say why the function does not take what is in this param."""
        return "" if _was_entered(self.func, error) else _misfit(self.func, *_spread(param))

    def show(self, task: NewTask | Entry) -> str:
        """Write the call."""
        return self._shown(*_spread(jsontext.value(task.param)))


def _spread(param: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(param, dict):
        return (), param
    return tuple(param) if isinstance(param, list) else (param,), {}


def _signature(func: Callable[..., Any]) -> Any:
    """Give its signature; None where it has none, as some that are written in C."""
    from inspect import signature

    try:
        return signature(func)
    except (TypeError, ValueError):
        return None


def _was_entered(func: Callable[..., Any], error: TypeError) -> bool:
    """Whether the error comes from inside the function: then it took its arguments, whatever its decorators did to them."""
    from inspect import unwrap

    code, trace = getattr(unwrap(func), "__code__", None), error.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    return trace is not None


def _misfit(func: Callable[..., Any], args: tuple[Any, ...], fields: dict[str, Any]) -> str:
    found = _signature(func)
    if found is None:
        return ""
    try:
        found.bind(*args, **fields)
    except TypeError as error:
        has = f"the param has {', '.join(fields)}" if fields else "the param is no object"
        return f"{_bare(func)}{found} cannot be called with this param: {error}\n  {has}"
    return ""


def _check(func: object) -> None:
    """Refuse what would be called to no effect."""
    if not callable(func):
        raise UsageError(f"{func!r} is no function: it cannot be called")
    flags = getattr(getattr(func, "__code__", None), "co_flags", 0)
    if flags & 0x80 or flags & 0x200:  # CO_COROUTINE, CO_ASYNC_GENERATOR
        raise UsageError(
            f"{_bare(func)} is async: called, it does nothing yet.\n"
            f"  Wrap it:  def run(param): return asyncio.run({_bare(func)}(param))"
        )
    if flags & 0x20:  # CO_GENERATOR
        raise UsageError(f"{_bare(func)} is a generator: called, it does nothing yet.\n  Let it return a list.")


def name_of(func: object) -> str:
    """Name a function as ``--python`` would find it."""
    module = getattr(func, "__module__", None) or "?"
    return f"{module}:{_bare(func)}"


def _bare(func: object) -> str:
    return getattr(func, "__qualname__", None) or type(func).__qualname__


def load(place: str, said: str) -> FuncCallback:
    """Load the function that ``package.module:function`` or ``path/to/file.py:function`` names.

    ``said`` is how its user said it. What ``@minionize`` decorates is taken with its hooks. Raises UsageError.
    """
    from minionize.callbacks.loading import find

    found = find(place, said)
    if isinstance(found, type) and issubclass(found, Callback):
        try:
            found = found()
        except TypeError as error:
            raise UsageError(f"{said}: {place} cannot be made without arguments: {error}") from error
    if isinstance(found, Callback) and not isinstance(found, FuncCallback):
        kind = type(found).__name__
        raise UsageError(f"{said}: {place} is no function, but a callback.\n  Run it:  minionizer({kind}()).run()")
    callback = found if isinstance(found, FuncCallback) else Spread(found)
    callback.command = (place,)
    return callback
