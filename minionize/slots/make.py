"""Makes the slots that a callback asks for: for programs, for calls in child processes, or for calls in the minion."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, cast

from minionize.errors import UsageError
from minionize.slots import output
from minionize.slots.warden import Warden

if TYPE_CHECKING:
    import select
    from collections.abc import Callable

    from minionize.callbacks.base import Callback
    from minionize.console import Console
    from minionize.options import Options
    from minionize.slots.base import Slots
    from minionize.slots.calls.callee import Callee
    from minionize.slots.calls.helper import Helper


class Staff:
    """The processes that a minion needs beside its children. They are forked before any client, and any thread."""

    def __init__(self, callback: Callback, uid: str, options: Options) -> None:
        """Fork them; raises UsageError where that many slots cannot be had."""
        self._callback, self._uid, self._options = callback, uid, options
        self._warden = Warden(uid, options.slots, callback.container_commands)
        self._helper: Helper | None = None
        if callback.launches == "calls":
            try:
                self._helper = self._make_helper()
            except BaseException:
                self._warden.bury()
                raise

    def slots(self, poller: select.epoll, console: Console, suffix: str, pulse: Callable[[], object]) -> Slots:
        """Make the slots; ``suffix`` is for names of output files, ``pulse`` shows that the minion lives while it is in a call."""
        options, warden, callback = self._options, self._warden, self._callback
        if callback.launches == "inline":
            from minionize.slots.calls.inline import InlineSlots

            if options.slots > 1:
                raise UsageError("isolate=False calls the function in the minion itself, one task at a time:  -j 1")
            return InlineSlots(cast("Callee", callback), warden, self._uid, pulse, timeout=options.timeout)
        outputs = self._outputs(poller, console, suffix)
        if self._helper is not None:
            from minionize.slots.calls.pool import CallPool

            return CallPool(outputs, poller, warden, self._helper, timeout=options.timeout, grace=options.grace)
        from minionize.slots.pool import Pool

        environment = {**os.environb, b"MINION_ID": self._uid.encode()}
        return Pool(
            outputs, poller, warden, environment, callback.prepare, timeout=options.timeout, grace=options.grace
        )

    def dismiss(self) -> None:
        """See them off. What still runs then is ended."""
        self._warden.bury()

    def _make_helper(self) -> Helper:
        from minionize.slots.calls.channel import Channel
        from minionize.slots.calls.child import server
        from minionize.slots.calls.helper import Helper

        options = self._options
        _warn_of_threads()
        serve = server(cast("Callee", self._callback), {"MINION_ID": self._uid}, keeps_output=options.output != "none")
        try:
            channels = [Channel(index) for index in range(options.slots)]
            return Helper(channels, self._warden, serve, grace=options.grace)
        except BlockingIOError:  # too many processes, not files
            raise
        except OSError as error:
            raise _too_many(options.slots, error) from error

    def _outputs(self, poller: select.epoll, console: Console, suffix: str) -> list[output.Output]:
        mode, helper = self._options.output, self._helper
        pipes = [channel.pipes for channel in helper.channels] if helper else [None] * self._options.slots
        try:
            return [output.make(mode, poller, console, suffix, index, pair) for index, pair in enumerate(pipes)]
        except OSError as error:
            raise _too_many(self._options.slots, error) from error


def _too_many(slots: int, error: OSError) -> UsageError:
    return UsageError(
        f"{slots} slots are more than this process may have files open: {error.strerror}.\n"
        f"  Fewer:  minionize -j 64     or more files:  ulimit -n {slots * 16 + 64}"
    )


def _warn_of_threads() -> None:
    """Say that threads are left behind, and perhaps something locked that they would have unlocked."""
    threading = sys.modules.get("threading")
    count = threading.active_count() - 1 if threading else 0
    if count > 0 and sys.stderr is not None:
        threads = "a thread runs" if count == 1 else f"{count} threads run"
        sys.stderr.write(
            f"minionize: {threads} already. The processes that call the function have none of that, and what one has"
            " locked stays locked there.\n  Start threads in setup, or call the function here:  isolate=False\n"
        )
