"""Run a program once per param, from a queue, on machines that may vanish at any moment."""

from __future__ import annotations

__version__ = "1.0.0"
