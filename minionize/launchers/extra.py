"""Options that a launcher hands on as they are: ``--extra '--constraint=x'``."""

from __future__ import annotations

from shlex import split
from typing import TYPE_CHECKING

from minionize.errors import UsageError
from minionize.settings import launching

if TYPE_CHECKING:
    from minionize.settings import Settings


def words_of(settings: Settings) -> tuple[str, ...]:
    """Read ``--extra`` as the words of a command line; raises UsageError where it is none."""
    text = settings[launching.EXTRA]
    try:
        return tuple(split(text)) if text else ()
    except ValueError as error:
        raise UsageError(f"{settings.describe(launching.EXTRA)} is no command line: {error}") from error
