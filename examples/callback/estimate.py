#!/usr/bin/env python3
"""A minion in Python: it makes the command line of each param, and judges what came of it."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING

from minionize import Dead, ProcessCallback, minionizer

if TYPE_CHECKING:
    from minionize.model import Task
    from minionize.policy import Ending

#: More points than this would take hours.
MOST = 10**9


class Estimate(ProcessCallback):
    """Runs pi.py with as many points as the digits that are wanted need."""

    command = ("pi.py",)  # what minion-status shows

    def to_cmd(self, param: dict[str, int]) -> list[str]:
        """Make the command line: the error shrinks with the square root of the points."""
        points = 100 ** param["digits"]
        if points > MOST:
            raise Dead(f"{param['digits']} digits would take {points:.0e} points")
        return [sys.executable, "pi.py", f"--points={points}", f"--seed={param['seed']}"]

    def conclude(self, task: Task, ending: Ending) -> None:
        """Look at the result: a program may exit with 0 and be wrong all the same."""
        if ending.exit == 0:
            error = abs(json.loads(ending.result or "nan") - math.pi)
            allowed = 5 * 10.0 ** -json.loads(task.param)["digits"]
            if not error < allowed:
                raise Dead(f"off by {error:.3g}, where {allowed:g} is allowed")


if __name__ == "__main__":
    sys.exit(minionizer(Estimate()).run())
