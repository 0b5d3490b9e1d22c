"""Read the small files in which Linux says where a process is."""

from __future__ import annotations


def read(path: str) -> str:
    """Return the text of a file; empty where there is none, or none for us."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
