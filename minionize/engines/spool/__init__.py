"""The spool: a queue that is one directory on a shared file system, for machines that share nothing else.

There is no lock and no server. Params lie in *chunks*, small files that are claimed by ``rename()`` into the folder of a
minion: the file server lets one of many succeed. What became of them a minion appends to its *log*, a file that only it
writes. Its *token*, an empty file whose name tells what it holds and how long its log is, says what of the log counts:
a batch is settled once the log is on disk and the token has its new name. Who takes over a dead minion takes its token
away first: then a rename by one who was only frozen fails, and it knows that it has lost everything.

``names``     what the names of chunks and tokens say
``chunk``     the lines of a chunk
``files``     the few things that are done to files, and what their errors mean
``tree``      the directory: its folders, opening and making it
``clock``     the file server's clock
``holder``    a minion's folder, log and token: transactions
``recovery``  taking over what lost minions hold
``market``    chunks that are to be had
``look``      the books, listings, the end
``putting``   put
``editing``   finding tasks, and changing those that nobody runs
``session``   the open spool
``admin``     what people do
``draft``     what an exchange is about to do
``engine``    claim, settle, renew: what a minion does
"""

from __future__ import annotations

from minionize.engines.spool.engine import SpoolEngine

__all__ = ["SpoolEngine"]
