"""What the figures should be: a floor that must be reached, and a goal."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Target(NamedTuple):
    """A floor and a goal for one figure; ``floor`` is a bound from above where ``better`` is ``less``."""

    floor: float
    goal: float | None
    better: Literal["more", "less"] = "more"

    def verdict(self, value: float) -> str:
        """Say which of the two a value reaches."""
        if self.goal is not None and self._reaches(value, self.goal):
            return "goal"
        return "floor" if self._reaches(value, self.floor) else "MISSED"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.better == "more" else value <= bound


#: Rates as ratios to a peer's in the same round, so that another machine, or a busy one, changes them little.
ONE_MINION = Target(0.90, 1.0)
TWO_MINIONS = Target(1.0, 1.15)
SLOT_LOOP = Target(0.60, 0.75)
PARALLEL = Target(4.5, 5)
PARALLEL_RESULTS = Target(8, 9)
ORIGINAL_FILE = Target(2, 4)
ORIGINAL_EXECO = Target(4, 5)
SWEEPER = Target(15, 20)
#: A claim of a queue of a million over one of a queue of ten thousand.
FLAT = Target(1.2, 1.05, "less")

#: Claims per second by 8 processes, singly and in batches of 64.
CLAIMS_SINGLY = Target(8_000, 12_000)
CLAIMS_BATCHED = Target(90_000, 170_000)
#: The longest exchange of any of 8 processes (ms), and the largest share of the claims over the smallest.
WORST = Target(300, 150, "less")
FAIRNESS = Target(2, 1.5, "less")

#: A million params: seconds, MB on disk, and how many MB of memory a second million may cost.
PUT = Target(4, 2, "less")
PUT_FILE = Target(50, None, "less")
PUT_GROWTH = Target(8, None, "less")

#: Start to exit on an empty queue (ms), and the resident memory of a minion (MB).
START = Target(80, 55, "less")
MEMORY = Target(25, 18, "less")

#: The spool on a local disk: tasks per second by 8 processes, seconds to put 100 thousand, and how many files that makes.
SPOOL_DRAIN = Target(10_000, 20_000)
SPOOL_PUT = Target(3, 1.5, "less")
SPOOL_FILES = Target(2_500, None, "less")

#: No-op functions per second of one minion; its rate with one slot over that of the fastest peer that acknowledges, with one
#: worker process, and with two slots over that of the fastest of all with eight.
FUNCTIONS_SQLITE = Target(20_000, 50_000)
FUNCTIONS_REDIS = Target(20_000, 40_000)
FUNCTIONS_ONE = Target(12, 25)
FUNCTIONS_EIGHT = Target(5, 10)

#: minion-status on 100 thousand events: seconds at first and later, peak memory (MB), and the HTML report (MB); seconds on
#: ten thousand events in a thousand files.
STATUS_COLD = Target(2, 1.5, "less")
STATUS_WARM = Target(0.3, 0.2, "less")
STATUS_MEMORY = Target(60, 40, "less")
STATUS_HTML = Target(1, 0.3, "less")
STATUS_FILES = Target(1, 0.4, "less")
