"""``python -m bench``: measure everything, and print it beside what it should be."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from bench import claims, clients, engines, eta, functions, processes, put, slots, startup, status
from bench.children import Failed, nothing_left
from bench.peers import Original
from bench.plan import Plan
from bench.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable

_THEMES: dict[str, Callable[[Plan, Report], None]] = {
    "processes": processes.measure,
    "slots": slots.measure,
    "claims": claims.measure,
    "put": put.measure,
    "engines": engines.measure,
    "functions": functions.measure,
    "startup": startup.measure,
    "clients": clients.measure,
    "status": status.measure,
    "eta": eta.measure,
}


def main() -> int:
    """Run the bench; returns its exit code."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="minionize-bench-") as directory, nothing_left():
        plan = Plan(directory, options.cache, Original(options.cache), options.quick, options.rounds)
        report = Report(directory, quick=options.quick)
        try:
            for name in options.only or _THEMES:
                _THEMES[name](plan, report)
                report.end()
        except Failed as error:
            sys.stderr.write(f"\nbench: {error}\n")
            return 1
        finally:
            if options.json:
                report.save(options.json)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure minionize beside its peers.")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer: two minutes in all")
    parser.add_argument("--only", action="append", choices=_THEMES, metavar="THEME", help=", ".join(_THEMES))
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds of every theme (default: its own number)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument(
        "--cache", metavar="DIR", default=_cache(), help="where peers are installed (default: %(default)s)"
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of rounds: 1 or more")
    return int(text)


def _cache() -> str:
    base = os.environ.get("TMPDIR") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "minionize-bench")


if __name__ == "__main__":
    sys.exit(main())
