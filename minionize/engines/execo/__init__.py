"""A directory of execo's ParamSweeper as a queue, with what execo lacks kept in a journal beside its files.

``client``     the one import of execo, and what that import must not leave behind
``directory``  whether a directory is a ParamSweeper's, and may be trusted
``values``     what is in a sweep as JSON, and back
``sweeper``    the ParamSweeper: take, finish, cancel, and its list of sweeps
``journal``    our file: appended to, a line an exchange
``books``      what the journal's lines make: tasks, minions, leases
``turns``      the lock, and how books and ParamSweeper are brought to agree, whoever died where
``store``      counting, and what is taken back from lost minions
``admin``      put, list, retry, release, remove, drain: what people do
``engine``     claim, settle, renew: what a minion does
"""

from __future__ import annotations

from minionize.engines.execo.engine import ExecoEngine

__all__ = ["ExecoEngine"]
