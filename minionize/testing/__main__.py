"""``python -m minionize.testing MODULE:MAKER [WORDS]``: run the contract, or the clauses whose sentence has these words."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from minionize.testing.contract import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.testing.contract import Maker

USAGE = """usage: python -m minionize.testing MODULE:MAKER [WORDS]

Run the contract of engines on the one that MAKER (a class or function of MODULE, called once per clause) opens.
WORDS: only the clauses whose sentence has these words.
Exit code: 0 every clause that applies is kept, 1 some are broken, 2 MAKER cannot be found."""


def find(address: str) -> Callable[[], Maker]:
    """Import ``module:name``; raises ValueError saying what is wrong with it."""
    module, _, name = address.partition(":")
    if not module or not name:
        raise ValueError(f"{address!r} is not MODULE:MAKER")
    try:
        found = getattr(import_module(module), name)
    except ImportError as error:
        raise ValueError(f"cannot import {module}: {error}") from error
    except AttributeError as error:
        raise ValueError(str(error)) from error
    if not callable(found):
        raise ValueError(f"{address} cannot be called")  # noqa: TRY004 - the one error of an address
    return found  # type: ignore[no-any-return]


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        wanted = list(arguments) in (["-h"], ["--help"])
        print(USAGE, file=sys.stdout if wanted else sys.stderr)
        return 0 if wanted else 2
    try:
        make = find(arguments[0])
    except ValueError as error:
        print(f"{error}\n\n{USAGE}", file=sys.stderr)
        return 2
    words = arguments[1] if len(arguments) == 2 else ""
    report = run(make, lambda clause: words.lower() in clause.name.lower())
    print(report)
    return 0 if report.kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
