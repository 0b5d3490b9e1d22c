"""``peak.py MODULE ARG...``: run one of our commands, then print the most memory that it ever had, in kB, on a line of its own."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> int:
    command = import_module(f"minionize.cli.{sys.argv[1]}")
    code: int = command.main(sys.argv[2:])
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
    return code


sys.exit(main())
