"""What a slot of calls needs to know of a function."""

from __future__ import annotations

from typing import Any, Protocol


class Callee(Protocol):
    """A function and what belongs to it, as a child sees it."""

    def setup(self) -> None:
        """Prepare, once in each child, before its first call."""

    def teardown(self) -> None:
        """Clean up, once in each child, when it ends in order."""

    def call(self, param: Any) -> Any:
        """Call it with a param; what it returns is the result."""

    def misfit(self, param: Any, error: TypeError) -> str:
        """Say why the function cannot be called with this param, if that is what this error means; else nothing."""
