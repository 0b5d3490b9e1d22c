"""A queue in Google Cloud Pub/Sub: for minions anywhere, with a service between them that is not theirs to run.

``address``   the names of topics and subscriptions
``connect``   credentials, and the way to the service (or to its emulator)
``errors``    Google's errors as ours
``calls``     what is asked of a subscription: pull, acknowledge, prolong
``pace``      how much is pulled at once, and how long that may take
``delays``    when a message is due
``keeper``    what is due within a moment
``channel``   the thread that pulls, and the tasks that are held
``dead``      the dead letters, for people who look
``objects``   whether topics and subscriptions exist; making them
``broker``    publish, clear; the parts put together
``engine``    what settings say
"""

from __future__ import annotations

from minionize.engines.google.engine import GoogleEngine

__all__ = ["GoogleEngine"]
