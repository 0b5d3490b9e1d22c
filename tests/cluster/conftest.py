"""Each test has a directory on a real cluster; what it left running there is ended, and would be a failure."""

from __future__ import annotations

import pytest
from servers import oar, slurm
from site_of_a_user import OarSite, SlurmSite


@pytest.fixture
def on_slurm(tmp_path):
    """Return a directory from which jobs go to Slurm."""
    site = SlurmSite(slurm.shared(), tmp_path)
    yield site
    site.leave()


@pytest.fixture
def on_oar():
    """Return a directory from which jobs go to OAR."""
    site = OarSite(oar.shared())
    yield site
    site.leave()
