"""``mtop`` on a real terminal, with a real queue and minions at work: tmux is the terminal."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from servers.need import lacking

from .harness import located, signal, until

#: Fails for odd params; the others wait until they are let through.
WORK = 'case $1 in *[13579]) echo "reading $1" >&2; echo "cannot open m_$1.bin" >&2; exit 3;; esac; read _ < gate'


class Terminal:
    """A terminal of its own, in a tmux of its own."""

    def __init__(self, place, columns, rows, command, environ):
        self._tmux = ["tmux", "-S", str(place.path.parent / "tmux"), "-f", "/dev/null"]
        self._place = place
        ended = f"{shlex.join(command)}; echo ENDED $?; read _"
        size = ["-x", str(columns), "-y", str(rows)]
        environ = place.environ | {"SHELL": "/bin/sh", "TERM": "xterm-256color"} | environ
        subprocess.run([*self._tmux, "new-session", "-d", *size, ended], env=environ, cwd=place.path, check=True)

    def _do(self, *words):
        done = subprocess.run([*self._tmux, *words], env=self._place.environ, check=False, capture_output=True)
        return done.stdout.decode(errors="replace")

    @property
    def text(self):
        """What stands on it."""
        return self._do("capture-pane", "-p")

    def press(self, *keys):
        """Press keys, as tmux names them."""
        self._do("send-keys", *keys)

    def resize(self, columns, rows):
        """Make it another size."""
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    def shows(self, pattern):
        """Wait until something stands on it."""
        until(lambda: re.search(pattern, self.text), f"{pattern} on the terminal")

    def close(self):
        """Take it away, with what runs on it."""
        self._do("kill-server")


@pytest.fixture
def terminal(here):
    """Return what opens terminals with ``mtop`` on them."""
    if shutil.which("tmux") is None:
        lacking("there is no tmux")
    opened = []

    def open(columns, rows, *arguments, **environ):
        opened.append(Terminal(here, columns, rows, [*located("mtop"), *arguments], environ))
        return opened[-1]

    yield open
    for one in opened:
        one.close()


def test_a_run_is_looked_at_and_changed(here, terminal):
    """From what is in flight to the stderr of a failure; a retry; the pager; another size; and out again."""
    gate = here.gate()
    here.put("seed=1..4")
    minion = here.start("minionize", "-j", "2", here.script("work", WORK), "{seed}", MINION_MAX_ATTEMPTS="1")
    until(lambda: here.books() == {"leased": 2, "dead": 2}, "both kinds of params")
    pager = here.script("pager", "cat > paged")
    screen = terminal(80, 24, "--refresh", "0.5", PAGER=pager)
    screen.shows(r"1 In flight 2 2 Failures 2")
    screen.shows(r"> .* seed=[24] .* running")
    screen.press("2", "Enter")
    screen.shows(r"group 1: exit 3: cannot open m_#\.bin")
    screen.shows(r"stderr, its end:\n +reading [13]\n +cannot open m_[13]\.bin")
    screen.press("o")
    assert re.fullmatch(r"reading ([13])\ncannot open m_\1.bin\n", "\n".join(here.wait_for_lines("paged", 2)) + "\n")
    screen.shows("stderr, its end:")
    screen.press("R")
    screen.shows("Put 1 dead task back, as if new\\?")
    screen.press("y")
    screen.shows("1 task put back")
    screen.press("7")
    screen.shows(r"mtop +ana: minion-queue retry \w+: 1 task put back")
    screen.resize(120, 30)
    screen.shows(r"~/minion-report")
    assert max(map(len, screen.text.splitlines())) <= 120
    screen.press("D")
    screen.shows("Ask all minions of this queue to leave")
    screen.press("y")
    screen.shows(r"drained by ana@\S+ .* ago: minions leave   D resumes")
    gate.open()
    assert minion.wait().code == 99
    screen.shows("STALLED: no minion alive")
    screen.press("q")
    screen.shows(r"ENDED 0")


def test_ctrl_c_leaves_it_too(here, terminal):
    """The terminal is as it was."""
    here.put("a")
    screen = terminal(80, 24)
    screen.shows("waiting for a minion, 1 param left")
    screen.press("C-c")
    screen.shows("ENDED 0")
    assert "waiting" not in screen.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_leaves_the_terminal_as_it_was(here, terminal, number):
    """Not full of what nobody can type in any more."""
    here.put("a")
    screen = terminal(80, 24)
    screen.shows("waiting for a minion, 1 param left")
    ends = ("/mtop\0", "minionize.cli.top\0")
    [pid] = [pid for pid in here.processes() if Path(f"/proc/{pid}/cmdline").read_text("utf-8").endswith(ends)]
    os.kill(pid, number)
    screen.shows(f"ENDED {128 + number}")
    assert "waiting" not in screen.text


def test_a_directory_with_nothing_in_it(here, terminal):
    """No dashboard: what is missing, and what to type."""
    screen = terminal(80, 24)
    screen.shows(r"mtop: no queue here and no events in ./minion-report[^$]*ENDED 5")
    assert here.names() == []


def test_an_error_is_told_on_the_terminal(here, terminal):
    """As every command does, not in a corner of the screen."""
    here.put("a")
    os.mkdir(here.path / "minion-queue.d")
    screen = terminal(80, 24)
    screen.shows(r"mtop: there is more than one queue here[^$]*ENDED 2")
