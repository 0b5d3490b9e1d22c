"""A stranger's empty directory: the real commands, typed in a clean environment, and what they leave.

Tests wait for what happens (a file appears, a process ends), at most for ``PATIENCE``, which is far longer than any of it
takes: it only decides how long a test that fails needs to say so.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds after which what should have happened has not.
PATIENCE = 30.0
#: The modules of the commands, for a checkout that is not installed.
_MODULES = {
    "minionize": "minionize",
    "minion-queue": "queue",
    "minion-status": "status",
    "minion-launch": "launch",
    "mtop": "top",
}


def until(happened: Callable[[], object], what: str = "") -> object:
    """Wait until something is true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (value := happened()):
        assert time.monotonic() < end, f"this never happened: {what or happened}"
        time.sleep(0.005)
    return value


def state(pid: int) -> str:
    """Tell the state of a process by the kernel's letter; empty where it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][:1]
    except OSError:
        return ""


def runs(pid: int) -> bool:
    """Tell whether a process has not ended; a zombie has."""
    return state(pid) not in ("", "Z", "X")


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class Running:
    """A command that was started. What it prints goes to files, so that it never waits for us."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self._process, self._out, self._err = process, out, err
        self.pid = process.pid

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return _text(self._out)

    @property
    def err(self) -> str:
        """What it has said so far."""
        return _text(self._err)

    def signal(self, number: int) -> None:
        """Send it a signal; it has not been reaped, so the pid is still its own."""
        os.kill(self.pid, number)

    def wait(self) -> Done:
        """Wait for its end."""
        code = self._process.wait(PATIENCE)
        return Done(code, self.out, self.err)

    def kill(self) -> None:
        """End it the hard way, if it runs, and reap it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)


class Gate:
    """Where children wait, by ``read _ < gate``, until they are let through one by one."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR)  # both ends: neither we nor a child ever wait for the other to open it

    def open(self, times: int = 1000) -> None:
        """Let so many through, now or when they come."""
        os.write(self._fd, b"\n" * times)

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)


class Place:
    """An empty directory, and the commands that are run in it."""

    def __init__(self, path: Path, here: str | None = None) -> None:
        """Make it below ``path``; the commands are run in ``here``, where that is given."""
        self.path, self._tmp, self._captured = Path(here) if here else path / "here", path / "tmp", path / "captured"
        for directory in (self.path, self._tmp, self._captured):
            directory.mkdir(parents=True, exist_ok=True)
        self._mark = f"ACCEPTANCE={path}"
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.path),
            "USER": "ana",
            "TMPDIR": str(self._tmp),
            "LC_ALL": "C.UTF-8",
            "ACCEPTANCE": str(path),
        }
        self._started: list[Running] = []
        self._gates: list[Gate] = []

    # ------------------------------------------------------------------ commands

    def start(self, *words: str | bytes, stdin: int = subprocess.DEVNULL, **options) -> Running:
        """Start a command; names in capitals are its environment, others are for Popen."""
        env = self.environ | {name: value for name, value in options.items() if name.isupper()}
        out, err = (self._captured / f"{len(self._started)}.{name}" for name in ("out", "err"))
        with out.open("wb") as out_file, err.open("wb") as err_file:
            rest = {"stdout": out_file, "stderr": err_file, "cwd": self.path}
            rest |= {name: value for name, value in options.items() if not name.isupper()}
            process = subprocess.Popen([*located(words[0]), *words[1:]], env=env, stdin=stdin, **rest)
        running = Running(process, out, err)
        self._started.append(running)
        return running

    def run(self, *words: str | bytes, input: bytes | None = None, **options) -> Done:
        """Run a command to its end, with ``input`` on its standard input."""
        if input is None:
            return self.start(*words, **options).wait()
        path = self._captured / f"{len(self._started)}.in"
        path.write_bytes(input)
        with path.open("rb") as stream:
            return self.start(*words, stdin=stream.fileno(), **options).wait()

    def queue(self, *words: str) -> str:
        """Run ``minion-queue`` within this process: to prepare and to look, where the start of another proves nothing."""
        from minionize.cli.queue import main

        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.path),
            mock.patch.dict(os.environ, self.environ, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(list(words))
        assert code == 0, err.getvalue()
        return out.getvalue()

    def put(self, *words: str) -> None:
        """Fill the queue with words."""
        self.queue("put", *words)

    def put_lines(self, *params: object) -> None:
        """Fill the queue with any JSON values."""
        lines = "".join(json.dumps(param, ensure_ascii=False) + "\n" for param in params)
        (self._captured / "params.jsonl").write_text(lines, encoding="utf-8")
        self.put("-f", str(self._captured / "params.jsonl"))

    def minionize(self, *words: str, **options) -> Done:
        """Run a minion to its end."""
        return self.run("minionize", *words, **options)

    # ------------------------------------------------------------------ files

    def script(self, name: str, text: str) -> str:
        """Write a program for ``/bin/sh``, and return how it is called."""
        path = self.path / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return f"./{name}"

    def gate(self) -> Gate:
        """Make the gate."""
        gate = Gate(self.path / "gate")
        self._gates.append(gate)
        return gate

    def write(self, name: str, content: bytes | str) -> str:
        """Write a file, and return its name."""
        (self.path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def lines(self, name: str) -> list[str]:
        """Read the whole lines of a file; none where there is no file yet."""
        text = _text(self.path / name)
        return text[: text.rfind("\n") + 1].splitlines()

    def wait_for_lines(self, name: str, count: int = 1) -> list[str]:
        """Wait until a file has at least so many lines."""
        until(lambda: len(self.lines(name)) >= count, f"{count} lines in {name}")
        return self.lines(name)

    def names(self) -> list[str]:
        """List the files there are."""
        return sorted(os.listdir(self.path))

    # ------------------------------------------------------------------ what became of it

    def books(self) -> dict[str, int]:
        """Read the books, without the states that no task is in."""
        counts = (line.split() for line in self.queue("show").splitlines()[1:6])
        return {name: int(count) for name, count in counts if count != "0"}

    def tasks(self, *options: str) -> list[tuple[str, str, int, str]]:
        """List the tasks: id, state, attempt, and the param with what is said of it."""
        lines = self.queue("list", "--limit", "0", *options).splitlines()
        rows = (re.fullmatch(r"(\S+)  (\S+) +(\d+)  (.*)", line) for line in lines)
        return [(row[1], row[2], int(row[3]), row[4]) for row in rows]

    def params(self) -> list[str]:
        """List the params, as JSON texts, in their order."""
        return [task[3] for task in self.tasks()]

    def show(self, id: str) -> str:
        """Show one task in full."""
        return self.queue("show", id)

    def events(self, type: str = "task_end") -> list[dict]:
        """Read the events of a type, minion by minion, in their order."""
        files = sorted(str(path.relative_to(self.path)) for path in self.path.glob("minion-report/*.jsonl"))
        events = (json.loads(line) for file in files for line in self.lines(file))
        return [event for event in events if event["type"] == type]

    def outcomes(self) -> list[str]:
        """Tell how the executions ended, minion by minion, in their order."""
        return [event["outcome"] for event in self.events()]

    # ------------------------------------------------------------------ the end

    def leave(self) -> None:
        """End what still runs of what we started, and see that nothing is left of it: no process, no scratch file."""
        for running in self._started:
            running.kill()
        for gate in self._gates:
            gate.close()
        until(lambda: not self.processes(), f"the end of all processes in {self.path}")
        assert not os.listdir(self._tmp), "scratch files were left"

    def processes(self) -> list[int]:
        """Find the processes that run here, started by us or by what we started."""
        mark, found = self._mark.encode(), []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                environ = Path("/proc", name, "environ").read_bytes()
            except OSError:
                continue
            if mark in environ.split(b"\0"):
                found.append(int(name))
        return found


#: A program that appends its arguments to the file ``argv``, as they are: how many, and each with a NUL after it.
RECORD = r"""printf '%s\0' "$#" "$@" >> argv"""


def recorded(place: Place) -> list[list[bytes]]:
    """Read the arguments of each run of :data:`RECORD`, in the order of the runs."""
    words = (place.path / "argv").read_bytes().split(b"\0")[:-1] if (place.path / "argv").exists() else []
    found = []
    while words:
        count = int(words[0])
        found.append(words[1 : count + 1])
        del words[: count + 1]
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""


def located(command: str | bytes) -> list[str | bytes]:
    """Find one of our commands beside this interpreter; others are looked for as usual."""
    if command not in _MODULES:
        return [command]
    script = Path(sys.executable).with_name(command)
    return [str(script)] if script.exists() else [sys.executable, "-m", f"minionize.cli.{_MODULES[command]}"]


__all__ = [
    "PATIENCE",
    "RECORD",
    "Done",
    "Gate",
    "Place",
    "Running",
    "located",
    "recorded",
    "runs",
    "signal",
    "state",
    "until",
]
