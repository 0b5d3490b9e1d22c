"""What every test stands on: a clean environment, and properties that are tried without a time limit."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from servers.sharedfs import shared_volume, two_mounts

#: Fixtures of the whole session belong here: a module that imports one makes another of it.
__all__ = ["shared_volume", "two_mounts"]

# A busy machine makes a slow example, not a wrong one; the same examples every time make a test that can be believed.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

OURS = (
    "MINION",
    "SQLITE_",
    "FILE_",
    "REPORTER_",
    "DRY",
    "SPOOL_",
    "EXECO_",
    "REDIS_",
    "GOOGLE_",
    "PUBSUB_",
    "PULSAR_",
    "OAR_",
    "SLURM_",
    "AWS_BATCH_",
    "KUBERNETES_",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Take away what the shell that runs the tests says about minions."""
    for name in list(os.environ):
        if name.startswith(OURS) and name != "MINIONIZE_TEST_ALL":
            monkeypatch.delenv(name)
