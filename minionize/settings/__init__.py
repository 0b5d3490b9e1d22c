"""Configuration: one table of settings (`table`), and how their values are found (`read`)."""

from __future__ import annotations

from minionize.settings.read import Settings, load
from minionize.settings.setting import Setting

__all__ = ["Setting", "Settings", "load"]
