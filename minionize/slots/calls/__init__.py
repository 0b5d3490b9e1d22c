"""Functions, called in child processes of a minion.

``helper``   a process made before any client and any thread: it forks the children, reaps them, and says how they ended
``child``    calls the function, once per task
``channel``  what the minion and the child of one slot say to each other
``pool``     the slots, as the minion sees them
``inline``   the same without any process: for debuggers
"""
