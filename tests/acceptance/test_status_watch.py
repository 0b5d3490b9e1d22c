"""``minion-status --watch`` on a real terminal: it draws in place, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal

import pytest

from .harness import located, until
from .terminal import Terminal

ENTER, LEAVE, HOME = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l", "\x1b[H"


@pytest.fixture
def watching(here):
    """Return what starts ``minion-status`` on a terminal, where a queue waits with three params."""
    here.put("1..3")
    started = []

    def start(*options, **size):
        started.append(Terminal(here, *located("minion-status"), "-w", "0.5", *options, **size))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda terminal: terminal.types("\x03"), 0),
        (lambda terminal: terminal.types("q"), 0),
        (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 143),
        (lambda terminal: terminal.process.send_signal(signal.SIGHUP), 129),
    ],
    ids=["Ctrl-C", "q", "SIGTERM", "SIGHUP"],
)
def test_it_leaves_the_terminal_as_it_was(watching, end, code):
    """The page from before, the cursor, and what is typed is shown again."""
    terminal = watching()
    terminal.until("waiting for a minion")
    assert terminal.drawn.startswith(ENTER + HOME)
    assert not terminal.echoes
    end(terminal)
    assert terminal.ends() == code
    assert terminal.drawn.count(ENTER) == terminal.drawn.count(LEAVE) == 1
    assert terminal.echoes
    left = terminal.drawn.partition(LEAVE)[2]
    assert ("waiting for a minion" in left) == (code == 0)  # the last look stays, below what was typed


def test_it_draws_over_what_is_there(watching, here):
    """Line by line from the top; nothing is erased before it is drawn, so nothing flickers."""
    terminal = watching()
    place = terminal.until("waiting for a minion")
    here.minionize("-q", "true")
    place = terminal.until("done 3", terminal.until("finished", place))
    assert "\x1b[2J" not in terminal.drawn
    frame = terminal.drawn[:place].rpartition(HOME)[2]
    assert all(line.endswith("\x1b[K\r") for line in frame.split("\n")[:-1])


def test_a_window_of_another_size_is_filled_anew(watching):
    """At once, and not wider or higher than it is."""
    terminal = watching("--ascii", "--color=never", rows=24, columns=80)
    place = terminal.until("waiting for a minion")
    terminal.resize(5, 44)
    terminal.until("\x1b[J", terminal.until(HOME, terminal.until("\x1b[J", place)))
    frame = terminal.drawn.rpartition("\x1b[J")[0].rpartition(HOME)[2].replace("\x1b[K", "").split("\r\n")
    assert len(frame) <= 5
    assert max(map(len, frame)) <= 44
    terminal.types("q")
    assert terminal.ends() == 0


def test_it_ends_with_the_run_where_it_is_to_wait(watching, here):
    """The exit code is that of the run."""
    terminal = watching("--wait")
    terminal.until("waiting for a minion")
    here.minionize("-q", "--max-attempts", "1", "sh", "-c", "test {} -lt 3")
    assert terminal.ends() == 1
    assert "done 2" in terminal.drawn.partition(LEAVE)[2]


def test_suspended_it_gives_the_terminal_back(watching):
    """And goes on where it was."""
    terminal = watching()
    place = terminal.until("waiting for a minion")
    terminal.types("\x1a")
    place = terminal.until(LEAVE, place)
    until(lambda: terminal.echoes, "a terminal as it was")
    until(lambda: os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT), "its stop")
    terminal.process.send_signal(signal.SIGCONT)
    terminal.until("waiting for a minion", terminal.until(ENTER, place))
    terminal.types("q")
    assert terminal.ends() == 0


def test_in_a_pipe_there_is_a_line_each_time(here):
    """No escape among them; who reads no more ends it."""
    here.put("1..3")
    done = here.run(
        "sh", "-c", f"{' '.join(map(str, located('minion-status')))} -w 0.5 | head -n 2; echo ${{PIPESTATUS-}}"
    )
    assert [line.split()[1:] for line in done.out.splitlines()[:2]] == [
        ["waiting", "0.0%", "done", "0", "in", "flight", "0", "pending", "3"]
    ] * 2
    assert done.err == ""
