"""What a run did, does and will do: event files and the queue's books, joined into one model.

``ledger`` adds events up, ``read`` follows a directory of event files, ``build`` makes the numbers of ``model`` from
both; ``text``, ``tables`` and ``document`` are views. Nothing here is imported by a minion, and nothing here writes.
"""
