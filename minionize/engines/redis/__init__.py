"""A queue in a Redis (or Valkey) stream: for minions on many machines with a server between them.

``connect``   the address, connections, and Redis's errors as ours
``server``    what a server says of itself
``scripts``   the Lua scripts (``lua/``): every change of the books is one of them
``messages``  what is in the stream, read as tasks and as entries of the books
``settlements``  what became of tasks, as words of a script
``store``     calling a script; what is done where the server lost its data
``waiting``   waiting for a task without asking again and again
``admin``     put, list, retry, release, remove, drain: what people do
``engine``    claim, settle, renew: what a minion does
"""

from __future__ import annotations

from minionize.engines.redis.engine import RedisEngine

__all__ = ["RedisEngine"]
