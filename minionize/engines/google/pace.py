"""How much is pulled at once, and how long that may take.

A pull that ends before its answer is here brings nothing, and its messages come again when the service's hold on them ends,
perhaps as many and as slowly. So the next one has more time, for fewer messages, until they arrive.
"""

from __future__ import annotations

#: The most messages of one pull.
_MOST = 1000
#: Seconds beyond its wait that a pull has: the emulator answers a second before the time is over, the service when it likes.
_MARGIN = 1.0
#: The longest time, in seconds, that a pull has.
_LONGEST = 30.0


class Pace:
    """What this network carried so far."""

    def __init__(self) -> None:
        """Expect a fast one. ``limit``: the messages that a pull may ask for."""
        self.limit = _MOST
        self._time = 0.0

    def timeout(self, wait: float) -> float:
        """Tell the seconds that a pull has which waits so long for a first message."""
        return max(wait + _MARGIN, self._time)

    def nothing_came(self, wait: float) -> None:
        """Note a pull without an answer: perhaps there was nothing, perhaps too much for its time."""
        self._time = max(wait + _MARGIN, min(_LONGEST, 2 * self.timeout(wait)))
        self.limit = max(1, self.limit // 4)

    def came(self, seconds: float) -> None:
        """Note a pull that brought messages after so many seconds."""
        self._time = min(_LONGEST, 2 * seconds)
        self.limit = min(_MOST, 2 * self.limit)
