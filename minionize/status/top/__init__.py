"""``mtop``: the live dashboard in a terminal.

Three threads: the one of textual draws and takes keys, the ``clerk`` is the only one that uses the engine, and the
``looker`` reads events and makes from both what is to be shown. None waits for another: a queue that does not answer is
shown as such. ``views``, ``listing``, ``head``, ``detail``, ``journal`` and ``verbs`` know nothing of textual.
"""
