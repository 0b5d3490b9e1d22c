"""A queue in the memory of one process: for standard input, and for tests.

``queue``   the books and the lines, which the minions of one process share
``engine``  claim, settle, renew: what a minion does
``admin``   list, retry, release, remove, drain: what people do
"""

from __future__ import annotations

from minionize.engines.memory.engine import MemoryEngine
from minionize.engines.memory.queue import MemoryQueue, Source

__all__ = ["MemoryEngine", "MemoryQueue", "Source"]
