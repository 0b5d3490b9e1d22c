"""When a message is due.

Pub/Sub has no delay of its own: a message is handed out when it was published. So it says how long it is to wait, and whoever
gets it sooner lets go of it for the rest of that time, or for the longest that the service allows, again and again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from minionize.engines.broker.channel import Received

#: The attribute that holds a delay, in seconds.
DELAY = "minionize_delay"
#: The longest delay, in seconds: ten years. A callback may ask for an infinite one.
_LONGEST = 3650 * 86400.0


def with_delay(attributes: Mapping[str, str], delay: float) -> dict[str, str]:
    """Write a delay beside other attributes."""
    rest = {name: value for name, value in attributes.items() if name != DELAY}
    return {**rest, DELAY: f"{min(delay, _LONGEST):.3f}"} if delay > 0 else rest


def remaining(message: Received, now: float) -> float:
    """Tell the seconds until a message is due: never more than its delay, however wrong our clock is."""
    try:
        delay = float(message.attributes.get(DELAY, "0"))
    except ValueError:
        return 0.0
    if not 0 < delay <= _LONGEST:
        return 0.0
    due: float = message.handle.published + delay
    return max(0.0, min(delay, due - now))


class Clock:
    """What time it is at the service: what ours says, but not before what the service has published.

    Where ours is an hour behind, a delay of seconds would else begin anew for an hour.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Know nothing of the service yet; ``now`` is our own clock."""
        self._now, self._published = now, float("-inf")  # the latest time of the service, less our monotonic one then

    def learn(self, published: Iterable[float]) -> None:
        """Look at when messages were published that we have just got."""
        self._published = max(self._published, max(published, default=float("-inf")) - time.monotonic())

    def now(self) -> float:
        """Tell the time, in seconds since the epoch."""
        return max(self._now(), self._published + time.monotonic())
