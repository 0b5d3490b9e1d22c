"""``slot_loop.py COUNT SLOTS``: run ``/bin/true N`` that often in a minion's slots, with no queue; print the seconds it took.

What a minion's main thread does for its children, all of it: output passed on live, environment, result file, warden.
"""

from __future__ import annotations

import os
import select
import sys
import time

from minionize import place
from minionize.console import Console
from minionize.model import Task
from minionize.signals import Signals
from minionize.slots import output
from minionize.slots.pool import Ended, Pool
from minionize.slots.warden import Warden


def main() -> None:
    count, slots = int(sys.argv[1]), int(sys.argv[2])
    uid = place.identity().uid
    warden = Warden(uid, slots)
    wake, poller = Signals(), select.epoll()
    console = Console(wake.notify)
    outputs = [output.make("live", poller, console) for _ in range(slots)]
    pool = Pool(outputs, poller, warden, {**os.environb, b"MINION_ID": uid.encode()}, timeout=None, grace=5.0)
    poller.register(wake.reader, select.EPOLLIN)
    try:
        print(f"{_run(pool, poller, wake, count):.6f}")
    finally:
        warden.bury()


def _run(pool: Pool, poller: select.epoll, wake: Signals, count: int) -> float:
    began = time.monotonic()
    begun = ended = 0
    while ended < count:
        while pool.free and begun < count:
            begun += 1
            number = str(begun)
            if isinstance(pool.start(Task(number, number, 1, 1), [b"/bin/true", number.encode()]), Ended):
                sys.exit("cannot start /bin/true")
        for fd, _ in poller.poll():
            if fd == wake.reader:
                wake.read()
                ended += sum(_succeeded(one) for one in pool.reap())
            else:
                pool.readers[fd].read()
    return time.monotonic() - began


def _succeeded(ended: Ended) -> bool:
    if ended.ending.exit != 0:
        sys.exit(f"/bin/true ended badly: {ended.ending}")
    return True


main()
