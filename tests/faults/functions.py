"""What the tests of functions share: modules that minions call, and what their functions do to be seen."""

from __future__ import annotations

import sys
import textwrap

from harness import MINION

#: Begins every module: ``note`` writes a line to ``$CAMP/ran``, ``wait`` waits at ``$CAMP/gate``, ``append`` writes elsewhere.
_TOOLS = """\
import os, time
CAMP = os.environ["CAMP"]

def append(name, *words):
    fd = os.open(f"{CAMP}/{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    os.write(fd, (" ".join(map(str, words)) + "\\n").encode())
    os.close(fd)

def note(*words):
    append("ran", *words)

def wait(name="gate"):
    fd = os.open(f"{CAMP}/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:  # in steps: Python may miss a signal that comes just before a call that blocks
            try:
                if os.read(fd, 1):
                    return
            except BlockingIOError:
                pass
            time.sleep(0.005)
    finally:
        os.close(fd)

"""


def module(camp, text, name="f.py"):
    """Write a module; returns how its function ``f`` is named."""
    (camp.path / "tools.py").write_text(_TOOLS)
    (camp.path / name).write_text("from tools import *\n\n" + textwrap.dedent(text))
    return f"{name}:f"


def call(camp, text, *arguments, name="f.py", **options):
    """Start a minion that calls the function ``f`` of this text."""
    return camp.start(*MINION, "--python", module(camp, text, name), *arguments, **options)


def program(camp, text, *, name="program.py", **options):
    """Start this text as a program of its own."""
    module(camp, text, name)
    return camp.start(sys.executable, name, **options)


def ends(camp):
    """Read how executions ended, by the value of their params: their last ``task_end``."""
    return {event["param"]: event for event in camp.events()}


def children_of(pid):
    """List the children of a process."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [int(child) for child in children.read().split()]
