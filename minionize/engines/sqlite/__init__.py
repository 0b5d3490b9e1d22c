"""The embedded queue: one SQLite file on a local disk, shared by every minion of the host.

``schema``  what is in the file, and opening it
``guard``   the fair lock around every write
``store``   transactions, the books, and what is taken back from lost minions
``admin``   put, list, retry, release, remove, drain: what people do
``engine``  claim, settle, renew: what a minion does
"""

from __future__ import annotations

from minionize.engines.sqlite.engine import SqliteEngine

__all__ = ["SqliteEngine"]
