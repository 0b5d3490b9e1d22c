"""A terminal whose content is drawn anew, in place; it is left as it was found, however the program ends."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# Another page, so that what the terminal showed before comes back; no cursor, which would jump about.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
_QUIT = {b"q", b"Q"}
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class Screen:
    """The terminal that ``out`` is, from ``with`` on. Ctrl-C ends what it shows, and so does ``q``."""

    def __init__(self, out: TextIO) -> None:
        """Take the terminal; it is touched when it is entered."""
        self._out = out
        self._input = _Input(sys.stdin)
        self._handlers: dict[int, Any] = {}
        self._bell = self._ringer = -1

    def __enter__(self) -> Self:
        """Show an empty page."""
        self._bell, self._ringer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._ringer, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, _end) for number in _ENDINGS}
        # That a new size came is seen by the bell; the handler is there so that it rings.
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, _nothing)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
        self._enter()
        return self

    def __exit__(self, *error: object) -> None:
        """Bring back what was there."""
        self._leave()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(self._bell)
        os.close(self._ringer)

    def draw(self, lines: Sequence[str]) -> None:
        """Draw lines in one write, over those that are there: nothing is erased first, so nothing flickers."""
        shown = fitting(lines, shutil.get_terminal_size().lines)
        self._out.write(_HOME + "\n".join(line + _REST_OF_LINE for line in shown) + _REST_OF_SCREEN)
        self._out.flush()

    def pause(self, seconds: float) -> bool:
        """Wait so long, or until the window has another size; tells whether to go on (False: ``q`` was typed)."""
        ready, _, _ = select.select([self._bell, *self._input.files], [], [], seconds)
        if self._bell in ready:
            os.read(self._bell, 4096)
        return not any(self._input.typed() in _QUIT for _ in set(ready) - {self._bell})

    def _enter(self) -> None:
        self._input.silence()
        self._out.write(_ENTER)
        self._out.flush()

    def _leave(self) -> None:
        self._out.write(_LEAVE)
        self._out.flush()
        self._input.restore()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its terminal back; ``fg`` goes on here."""
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._enter()


class _Input:
    """Standard input, where it is a terminal that is ours: what is typed is not shown, and does not wait for its line."""

    def __init__(self, stream: TextIO | None) -> None:
        self._fd = stream.fileno() if stream is not None and stream.isatty() else -1
        self._before: list[Any] | None = None

    @property
    def files(self) -> list[int]:
        return [self._fd] if self._before is not None else []

    def silence(self) -> None:
        # Whoever changes a terminal from the background is stopped.
        if self._fd < 0 or os.tcgetpgrp(self._fd) != os.getpgrp():
            return
        self._before = termios.tcgetattr(self._fd)
        quiet = termios.tcgetattr(self._fd)
        quiet[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(self._fd, termios.TCSANOW, quiet)

    def restore(self) -> None:
        if self._before is not None:
            termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._before)
            self._before = None

    def typed(self) -> bytes:
        """Read a key; the end of the input is like any other that means nothing, but is not waited for again."""
        key = os.read(self._fd, 1)
        if not key:
            self._fd, self._before = -1, None
        return key


def fitting(lines: Sequence[str], rows: int) -> list[str]:
    """Leave out lines in the middle, where there are more than rows: what it is stands first, what to act on last."""
    if len(lines) <= rows:
        return list(lines)
    head = min(3, rows // 2)
    return [*lines[:head], *lines[len(lines) - (rows - head) :]]


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _nothing(number: int, frame: FrameType | None) -> None:
    pass
