"""A terminal for the tests: what is drawn on it can be read, and keys can be typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios

from .harness import PATIENCE, until


class Terminal:
    """A terminal in which a command runs in the foreground."""

    def __init__(self, place, *words, rows=24, columns=80):
        """Start it; what it draws is read by :meth:`until`."""
        self._fd, inner = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            words,
            cwd=place.path, env={**place.environ, "TERM": "xterm"}, stdin=inner, stdout=inner, stderr=inner,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - there is no thread
        )  # fmt: skip
        self._inner, self.drawn = inner, ""

    def resize(self, rows, columns):
        """Give the window another size, as its user would."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def types(self, keys):
        """Type something."""
        os.write(self._fd, keys.encode())

    def until(self, text, after=0):
        """Read until a text is drawn, behind so many characters; return where that ends."""
        until(lambda: self._read() is None and text in self.drawn[after:], f"{text!r} in {self.drawn[-2000:]!r}")
        return self.drawn.index(text, after) + len(text)

    def ends(self):
        """Wait for the end of the command; return its exit code."""
        until(lambda: self._read() is None and self.process.poll() is not None, "its end")
        self._read()
        return self.process.returncode

    @property
    def echoes(self):
        """Whether what is typed is shown, as before."""
        flags = termios.tcgetattr(self._inner)[3]
        return bool(flags & termios.ECHO) and bool(flags & termios.ICANON)

    def close(self):
        """End what still runs, and take the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._inner)
        os.close(self._fd)

    def _read(self):
        while select.select([self._fd], [], [], 0.01)[0]:
            self.drawn += os.read(self._fd, 65536).decode("utf-8", "replace")
