"""A minion of a machine of its own: takes tasks of a spool until all are settled, and says what it was told is done.

Its process is not seen by the others, so that only its lease tells that it is gone. Each line that it prints is an id whose ack
was accepted, written after that.
"""

from __future__ import annotations

import os
import sys

from minionize.engines.spool import SpoolEngine
from minionize.errors import EngineUnavailable
from minionize.model import Ack, Identity


def main(path, uid, lease):
    """Work."""
    me = Identity(uid, f"host-of-{uid}", 1, 1, "boot", uid)
    engine = again(lambda: SpoolEngine(path, me, lease=lease, max_crashes=10**6))
    settled = []
    while True:
        delivery = again(lambda: engine.exchange(settled, limit=7, wait=0.2))  # noqa: B023 - called at once
        refused = {one.task.id for one in delivery.gone}
        told = "".join(f"{ack.task.id}\n" for ack in settled if ack.task.id not in refused)
        os.write(1, told.encode())
        settled = [Ack(task) for task in delivery.tasks]
        if delivery.state == "ended":
            break
    engine.close()


def again(act):
    """Do it, as often as the queue does not answer."""
    while True:
        try:
            return act()
        except EngineUnavailable as error:
            print(error, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
