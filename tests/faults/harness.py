"""What the tests of faults share: a camp where minions work, gates that children wait at, and waits that are bounded."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time

from minionize import place
from minionize.engines.sqlite import SqliteEngine

#: Seconds that a test waits for an event before it fails. No test asserts a time.
PATIENCE = 30.0
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MINION = (sys.executable, "-m", "minionize.cli.minionize")
QUEUE = (sys.executable, "-m", "minionize.cli.queue")
HALTING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "halting.py")


def wait_until(condition, what):
    """Wait until a condition holds, and return what it gave; fail after a while, saying what was waited for."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE:g} s in vain: {what() if callable(what) else what}")
        time.sleep(0.005)
    return value


def state_of(pid):
    """Return the kernel's letter for the state of a process (R, S, T, Z, ...); empty where there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(") ")[2][0]
    except (OSError, IndexError):
        return ""


def has_ended(pid):
    """Tell whether a process runs no more: what is left of it, if anything, waits for its parent only."""
    return state_of(pid) in ("", "Z", "X")


def wait_for_the_end_of(*pids):
    """Wait until none of these processes runs."""
    for pid in pids:
        wait_until(lambda pid=pid: has_ended(pid), f"the end of process {pid}")


def wait_for_lines(path, count):
    """Wait until a file has so many whole lines, and return them."""
    return wait_until(lambda: lines if len(lines := lines_of(path)) >= count else None, f"{count} lines in {path}")


def lines_of(path):
    """Read the whole lines of a file; none where there is no file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []


def read_byte(fd, what):
    """Wait for a byte from a pipe; empty at its end."""
    assert select.select([fd], [], [], PATIENCE)[0], f"waited {PATIENCE:g} s in vain: {what}"
    return os.read(fd, 1)


def peak_memory(pid):
    """Read the largest resident size that a process ever had, in bytes."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


class Gate:
    """A named pipe that shell scripts wait at: ``read _ < gate``."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = str(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)  # whoever reads finds a writer, and no end

    def open(self, times=1000):
        """Let so many readers pass."""
        os.write(self._fd, b"\n" * times)

    def close(self):
        """Let go of the pipe."""
        os.close(self._fd)


class Process:
    """A command that a test started."""

    def __init__(self, popen, out, err):
        self.popen, self.out_path, self.err_path = popen, out, err
        self.pid = popen.pid

    @property
    def out(self):
        """What it wrote to its standard output so far."""
        return read(self.out_path)

    @property
    def err(self):
        """What it wrote to its standard error so far."""
        return read(self.err_path)

    def code(self):
        """Wait for its end; returns its exit code."""
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.popen.args} does not end. It said:\n{self.err}") from None

    def signal(self, number):
        """Send it a signal."""
        self.popen.send_signal(number)

    def kill(self):
        """End it as nobody can resist, and reap it."""
        self.popen.kill()
        self.popen.wait()

    def has_said(self, text):
        """Wait until its standard error holds a text."""
        wait_until(lambda: text in self.err, lambda: f"{text!r} in {self.err!r}")

    def has_taken(self, number):
        """Wait until no signal of that number waits for it any more: its handler has run."""
        bit = 1 << (number - 1)
        wait_until(lambda: not pending_signals(self.pid) & bit, f"process {self.pid} takes signal {number}")


class Halted(Process):
    """A minion that stops at one step of its loop (see halting.py)."""

    def __init__(self, process, said, go):
        super().__init__(process.popen, process.out_path, process.err_path)
        self._said, self._go = said, go

    def wait(self):
        """Wait until it is there."""
        assert read_byte(self._said, "the minion halts") == b"!", f"it never came there, but said:\n{self.err}"

    def go_on(self):
        """Let it go on, and not halt again."""
        os.write(self._go, b"!")


class Camp:
    """A directory in which minions work, with an environment that is the same everywhere."""

    def __init__(self, directory):
        self.path = directory
        self.queue_path = str(directory / "minion-queue.db")
        self.ran = str(directory / "ran")
        (directory / "scratch").mkdir()
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": ROOT,
            "HOME": str(directory),
            "TMPDIR": str(directory / "scratch"),
            "CAMP": str(directory),
            "MINION_BACKOFF": "0s",
            "MINION_GRACE": "10s",
        }
        self._processes, self._gates, self._fds = [], [], []

    # ------------------------------------------------------------------ what to run

    def gate(self, name="gate"):
        """Make a gate; its path is ``$CAMP/name``."""
        gate = Gate(self.path / name)
        self._gates.append(gate)
        return gate

    def script(self, name, text):
        """Write a shell script, and return how it is called."""
        path = self.path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return f"./{name}"

    # ------------------------------------------------------------------ running

    def start(self, *argv, stdin=subprocess.DEVNULL, stdout=None, variables=None, **options):
        """Start a command here."""
        number = len(self._processes)
        out, err = str(self.path / f"{number}.out"), str(self.path / f"{number}.err")
        with open(out, "wb") as out_file, open(err, "wb") as err_file:
            popen = subprocess.Popen(
                argv,
                cwd=self.path,
                env={**self.environment, **(variables or {})},
                stdin=stdin,
                stdout=out_file if stdout is None else stdout,
                stderr=err_file,
                **options,
            )
        process = Process(popen, out, err)
        self._processes.append(process)
        return process

    def minion(self, *arguments, **options):
        """Start ``minionize`` with these arguments."""
        return self.start(*MINION, *arguments, **options)

    def queue(self, *arguments, **options):
        """Start ``minion-queue`` with these arguments."""
        return self.start(*QUEUE, *arguments, **options)

    def put(self, *words):
        """Fill the queue."""
        process = self.queue("put", *words)
        assert process.code() == 0, process.err
        return process.out

    def halting(self, step, *arguments, **options):
        """Start a minion that halts at a step, the first time it comes there."""
        said, its_said = os.pipe()
        its_go, go = os.pipe()
        self._fds += said, go
        process = self.start(
            *(sys.executable, HALTING, step, str(its_said), str(its_go), *arguments),
            pass_fds=(its_said, its_go),
            **options,
        )
        os.close(its_said)
        os.close(its_go)
        return Halted(process, said, go)

    # ------------------------------------------------------------------ looking

    def engine(self, **options):
        """Open the queue."""
        return SqliteEngine(self.queue_path, place.identity(), **options)

    def counts(self):
        """Read the books."""
        engine = self.engine()
        try:
            return engine.counts()
        finally:
            engine.close()

    def all_entries(self):
        """List the tasks."""
        engine = self.engine()
        try:
            return list(engine.list())
        finally:
            engine.close()

    def entries(self):
        """List the tasks, by the value of their params."""
        return {json.loads(entry.param): entry for entry in self.all_entries()}

    def lease(self):
        """Read when the lease of the only minion ends, on the monotonic clock."""
        with contextlib.closing(sqlite3.connect(self.queue_path)) as db:
            return db.execute("SELECT deadline FROM minion WHERE deadline IS NOT NULL").fetchone()[0]

    def events(self, type="task_end"):
        """Read the events of all minions, those of each in their order."""
        events = []
        directory = self.path / "minion-report"
        for name in sorted(os.listdir(directory)):
            text = (directory / name).read_text()
            assert text == "" or text.endswith("\n"), "a line that is not whole"
            events += [json.loads(line) for line in text.splitlines()]
        return [event for event in events if event["type"] == type]

    def outcomes(self):
        """Read how executions ended, the last word on each: by param and delivery."""
        return {(event["param"], event["delivery"]): event["outcome"] for event in self.events()}

    def runs(self):
        """Read what the children noted in ``$CAMP/ran``."""
        return lines_of(self.ran)

    # ------------------------------------------------------------------ the end

    def is_empty(self):
        """Wait until nothing that was started here runs."""
        wait_until(lambda: not self._left_over(), lambda: f"these end: {self._left_over()}")

    def end(self):
        """End what was started, and see that nothing of it is left."""
        for gate in self._gates:
            gate.close()
        for fd in self._fds:
            os.close(fd)
        for process in self._processes:
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGKILL)
            process.popen.wait()
        try:
            self.is_empty()
        finally:
            for pid in self._left_over():
                os.kill(pid, signal.SIGKILL)

    def _left_over(self):
        """List the processes that carry this camp's name in their environment."""
        entry = f"\0CAMP={self.path}\0".encode()
        return {
            int(name): state_of(name)
            for name in os.listdir("/proc")
            if name.isdigit() and entry in b"\0" + read_bytes(f"/proc/{name}/environ") and not has_ended(name)
        }


def read(path):
    """Read a file as text, whatever is in it."""
    return read_bytes(path).decode("utf-8", "replace")


def read_bytes(path):
    """Read a file; empty where there is none for us."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def pending_signals(pid):
    """Read the set of signals that wait for a process or its first thread, a bit each."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return sum(int(line.split()[1], 16) for line in status if line.startswith(("SigPnd:", "ShdPnd:")))
