"""``sweeper.py DIRECTORY COUNT SECONDS``: fill execo's ParamSweeper, take and finish its params, print how many per second.

Runs in the environment of minionize 0.3.4.
"""

from __future__ import annotations

import sys
import time

from execo_engine.sweep import ParamSweeper


def main() -> None:
    directory, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    sweeper = ParamSweeper(directory, sweeps=range(1, count + 1), save_sweeps=True)
    began = now = time.monotonic()
    done = 0
    while now - began < seconds:
        param = sweeper.get_next()
        if param is None:
            break
        sweeper.done(param)
        done += 1
        now = time.monotonic()
    print(done / (now - began) if done else 0.0)


main()
