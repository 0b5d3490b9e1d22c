"""Reading as a param what somebody else published."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from minionize.errors import BadParam, UsageError
from minionize.params import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Reads a text as JSON text; raises whatever it likes where it cannot.
    Decoder = Callable[[str], str]


def decoder(name: str, variable: str) -> Decoder:
    """Find what a setting names: ``identity``, ``json`` or ``module:function``; raises UsageError.

    The function is given the text and returns any JSON value. The module may be in the current directory. ``variable`` is
    the setting, for errors.
    """
    if name == "identity":
        return jsontext.encode
    if name == "json":
        return jsontext.parse
    module, _, attribute = name.partition(":")
    sys.path.insert(0, "")
    try:
        function = getattr(import_module(module), attribute)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise UsageError(f"{variable}={name} cannot be loaded: {why}\n  It is MODULE:FUNCTION") from error
    finally:
        sys.path.remove("")
    if not callable(function):
        raise UsageError(f"{variable}={name} is no function")
    return lambda text: jsontext.encode(function(text))


def read(raw: bytes, decode: Decoder) -> tuple[str, str]:
    """Read what was published: its JSON text and an empty string, or what it looks like and why it is no param."""
    try:
        return decode(raw.decode("utf-8")), ""
    except UnicodeDecodeError as error:
        why = f"it is no UTF-8 ({error.reason} at byte {error.start})"
    except BadParam as error:
        why = str(error).partition("\n")[0]
    except Exception as error:  # noqa: BLE001 - a decoder of somebody else's may raise anything
        why = f"{type(error).__name__}: {error}"
    return jsontext.encode(raw.decode("utf-8", "replace")), why
