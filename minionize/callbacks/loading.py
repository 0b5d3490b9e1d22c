"""Find an object by ``package.module:name`` or ``path/to/file.py:name``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from minionize.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType


#: What is being imported, as its user said it.
_importing: list[str] = []


def find(place: str, said: str) -> Any:
    """Import the module and return what it calls by that name; ``said`` names its setting, for errors.

    Modules are looked for in the current directory too, and those beside a file as if it were run. Raises UsageError.
    """
    where, _, name = place.rpartition(":")
    _importing.append(said)
    try:
        module = _file(where, said) if where.endswith(".py") or os.sep in where else _module(where, said)
    finally:
        _importing.pop()
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"{said}: {where} has no {part}.{_nearest(part, found)}") from None
    return found


def refuse_while_importing() -> None:
    """Raise UsageError where a module that is only imported for its function runs a minion itself."""
    if _importing:
        raise UsageError(
            f"{_importing[-1]}: importing it runs a minion, which was left out.\n"
            '  Run it only as a program:  if __name__ == "__main__": ...'
        )


def _module(name: str, said: str) -> ModuleType:
    from importlib import import_module

    _look_in(os.getcwd())
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise UsageError(
                f"{said}: there is no module {error.name}.\n  Looked in {os.getcwd()} and where Python looks."
                "  A file:  --python path/to/file.py:function"
            ) from None
        raise _broken(said, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(said, error) from error


def _file(path: str, said: str) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    if not os.path.isfile(path):
        raise UsageError(f"{said}: there is no file {path} (in {os.getcwd()})")
    name = os.path.splitext(os.path.basename(path))[0]
    if name in sys.stdlib_module_names:
        raise UsageError(f"{said}: {path} hides Python's own module {name}.\n  Give the file another name.")
    _look_in(os.path.dirname(os.path.abspath(path)))
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{said}: {path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _broken(said, error) from error
    return module


def _look_in(directory: str) -> None:
    if directory not in sys.path:
        sys.path.insert(0, directory)


def _broken(said: str, error: BaseException) -> UsageError:
    """Say what went wrong in the user's module, and in which line of it."""
    if isinstance(error, SystemExit):
        return UsageError(
            f"{said}: importing it ends the program.\n"
            '  Run what it runs only as a program:  if __name__ == "__main__": ...'
        )
    line = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen") and file != __file__:
            line = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return UsageError(f"{said}: importing it fails{line}\n  {type(error).__name__}: {error}")


def _nearest(name: str, found: Any) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, [known for known in dir(found) if not known.startswith("_")], n=1)
    return f" Did you mean {close[0]}?" if close else ""
