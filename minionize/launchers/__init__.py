"""Start many minions: on this machine, by a scheduler, over ssh. ``base`` says what a launcher is.

Each launcher is a file; ``slurm`` and ``oar`` write a script that a scheduler runs, ``local`` and ``ssh`` start detached
processes (``detached``). ``records`` remembers each launch, so that it can be asked after later, from another shell.
"""
