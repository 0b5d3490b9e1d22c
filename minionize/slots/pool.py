"""Starts, times, stops and reaps the children of a minion. All of it happens in the main thread and none of it waits."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Literal

from minionize.errors import BadParam
from minionize.policy import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from minionize.model import Task
    from minionize.slots.output import Output, Stream
    from minionize.slots.warden import Warden

#: Bytes of a param's JSON text above which the child gets it in a file.
LARGEST_VARIABLE = 65536
#: Bytes of a result file that are kept.
LARGEST_RESULT = 65536
#: What a child does with these is its own affair again, whatever the minion does.
_RESET = (
    signal.SIGPIPE,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
    signal.SIGCHLD,
    signal.SIGXFSZ,
)

Stopped = Literal["", "timeout", "leaving", "lifetime", "lost", "cancelled"]


class Slot:
    """A place where one task runs at a time."""

    __slots__ = (
        "announced",
        "deadline",
        "epoch",
        "files",
        "index",
        "kill_at",
        "output",
        "pid",
        "start",
        "stopped",
        "task",
    )

    def __init__(self, index: int, output: Output) -> None:
        """Make an empty slot."""
        self.index, self.output = index, output
        self.pid = 0
        self.task: Task
        self.start = self.epoch = 0.0
        self.deadline = self.kill_at = float("inf")
        self.stopped: Stopped = ""
        self.announced = False
        self.files: tuple[str, ...] = ()


class Ended:
    """An execution that is over, and the slot it was in."""

    __slots__ = ("ending", "slot", "task")

    def __init__(self, slot: int, task: Task, ending: Ending) -> None:
        """Keep the three."""
        self.slot, self.task, self.ending = slot, task, ending


class Pool:
    """All slots of a minion."""

    def __init__(
        self,
        outputs: Sequence[Output],
        warden: Warden,
        environment: Mapping[bytes, bytes],
        *,
        timeout: float | None,
        grace: float,
    ) -> None:
        """Make a slot for each output. Times are seconds."""
        self._slots = [Slot(index, output) for index, output in enumerate(outputs)]
        self.free = self._slots[::-1]
        self.running: dict[int, Slot] = {}
        self._warden, self._environment = warden, dict(environment)
        self._timeout, self._grace = timeout, grace
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        hangup = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)  # nohup is inherited
        self._reset = (*_RESET, *hangup)
        self._scratch = os.fsencode(warden.directory)
        self._has_scratch = False

    # ------------------------------------------------------------------ start

    def start(self, task: Task, argv: Sequence[bytes], extra: Mapping[bytes, bytes] = {}) -> Slot | Ended:
        """Run a task in a free slot; one that cannot be started has ended.

        Raises BadParam where the kernel does not take the arguments.
        """
        slot = self.free.pop()
        slot.task, slot.stopped, slot.announced = task, "", False
        slot.epoch, slot.start = time.time(), time.monotonic()
        slot.deadline = slot.start + self._timeout if self._timeout else float("inf")
        slot.kill_at = float("inf")
        try:
            slot.pid = self._spawn(slot, argv, self._describe(slot, extra))
        except OSError as error:
            return self._not_started(slot, argv, error)
        self._warden.started(slot.index, slot.pid)
        self.running[slot.pid] = slot
        return slot

    def _spawn(self, slot: Slot, argv: Sequence[bytes], environment: Mapping[bytes, bytes]) -> int:
        out, err = slot.output.begin(slot.task)
        actions = [(os.POSIX_SPAWN_DUP2, self._null, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2)]
        arguments = list(argv)
        while True:
            try:
                return os.posix_spawn(
                    arguments[0],
                    arguments,
                    environment,
                    file_actions=actions,
                    setsid=True,
                    setsigmask=(),
                    setsigdef=self._reset,
                )
            except OSError as error:
                if error.errno != _ENOEXEC or arguments[0] == b"/bin/sh":
                    raise
                arguments = [b"/bin/sh", *argv]  # a script without #!, as shells and execvp do

    def _describe(self, slot: Slot, extra: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Make the environment of a child, and note the files that go with it."""
        task, env = slot.task, self._environment
        text = task.param.encode("utf-8", "surrogateescape")
        stem = b"%b/%d.%d" % (self._scratch, slot.index, task.delivery)
        env.pop(b"MINION_PARAM_FILE", None)
        if len(text) > LARGEST_VARIABLE:
            env.pop(b"MINION_PARAM", None)
            env[b"MINION_PARAM_FILE"] = stem + b".param"
        else:
            env[b"MINION_PARAM"] = text
        env[b"MINION_TASK_ID"] = task.id.encode("utf-8", "surrogateescape")
        env[b"MINION_ATTEMPT"] = b"%d" % task.attempt
        env[b"MINION_SLOT"] = b"%d" % slot.index
        env[b"MINION_RESULT_FILE"] = stem + b".result"
        if not self._has_scratch:
            os.makedirs(self._scratch, 0o700, exist_ok=True)
            self._has_scratch = True
        if b"MINION_PARAM_FILE" in env:
            with open(env[b"MINION_PARAM_FILE"], "wb") as file:
                file.write(text)
        return {**env, **extra} if extra else env

    def _not_started(self, slot: Slot, argv: Sequence[bytes], error: OSError) -> Ended:
        slot.output.end()
        self.free.append(slot)
        if error.errno == _E2BIG:
            largest = max(map(len, argv))
            raise BadParam(
                f"an argument of {largest} bytes, {sum(map(len, argv))} in all, is more than the kernel takes.\n"
                f"  Let the command read the param from the file that MINION_PARAM_FILE names, or MINION_PARAM."
            ) from error
        name = argv[0].decode("utf-8", "backslashreplace")
        reason = f"cannot start {name}: {error.strerror}"
        return Ended(slot.index, slot.task, Ending(error=reason, start=slot.epoch))

    # ------------------------------------------------------------------ stop

    def stop(self, slot: Slot, why: Stopped) -> None:
        """Ask a running task to end: SIGTERM to its process group, SIGKILL after the grace."""
        if slot.stopped:
            return
        slot.stopped, slot.deadline = why, float("inf")
        slot.kill_at = time.monotonic() + self._grace
        self.signal(slot, signal.SIGTERM)
        self.signal(slot, signal.SIGCONT)  # one that is stopped would never hear of it

    def kill(self, slot: Slot) -> None:
        """End a running task now."""
        slot.kill_at = float("inf")
        self.signal(slot, signal.SIGKILL)

    def signal(self, slot: Slot, number: int) -> None:
        """Send a signal to a task's process group; its leader is not reaped yet, so that the number is still its own."""
        try:
            os.killpg(slot.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def tick(self, now: float) -> list[Slot]:
        """Do what is due at ``now`` (monotonic); returns the slots whose task has just run out of time."""
        late = []
        for slot in self.running.values():
            if slot.deadline <= now:
                self.stop(slot, "timeout")
                late.append(slot)
            elif slot.kill_at <= now:
                self.kill(slot)
        return late

    def deadline(self) -> float:
        """Say when (monotonic) something is due next."""
        return min((min(slot.deadline, slot.kill_at) for slot in self.running.values()), default=float("inf"))

    # ------------------------------------------------------------------ reap

    def reap(self) -> Iterator[Ended]:
        """Take the tasks that have ended."""
        while self.running:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is None:
                return
            slot = self.running.get(info.si_pid)
            if slot is not None:
                yield self._finish(slot)
            elif not _reap_stranger(info.si_pid, self._warden.pid):
                yield from self._reap_each()
                return

    def _reap_each(self) -> Iterator[Ended]:
        """Look at each of ours: a child that is not ours to reap hides them."""
        for slot in list(self.running.values()):
            if os.waitid(os.P_PID, slot.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                yield self._finish(slot)

    def _finish(self, slot: Slot) -> Ended:
        """Reap a task whose leader has ended, after what is left of its group."""
        took = time.monotonic() - slot.start
        self.signal(slot, signal.SIGKILL)
        _, status, usage = os.wait4(slot.pid, 0)
        del self.running[slot.pid]
        self._warden.started(slot.index, 0)
        code = os.waitstatus_to_exitcode(status)
        tail = slot.output.end()
        failed = code != 0 or slot.stopped
        ending = Ending(
            exit=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            stopped=slot.stopped,
            start=slot.epoch,
            took=took,
            cpu=usage.ru_utime + usage.ru_stime,
            rss=usage.ru_maxrss * 1024,
            stderr=tail.decode("utf-8", "replace") if failed else "",
            result=self._result(slot),
        )
        slot.pid = 0
        self.free.append(slot)
        return Ended(slot.index, slot.task, ending)

    def _result(self, slot: Slot) -> str | None:
        """Read what the task left in its result file, as JSON text; and remove its files."""
        stem = b"%b/%d.%d" % (self._scratch, slot.index, slot.task.delivery)
        if len(slot.task.param) > LARGEST_VARIABLE:
            _unlink(stem + b".param")
        try:
            fd = os.open(stem + b".result", os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            data = os.read(fd, LARGEST_RESULT + 1)
        except OSError:
            data = b""
        os.close(fd)
        _unlink(stem + b".result")
        return _json(data)

    def streams_listen(self, on: bool) -> None:
        """Read what the tasks write, or leave them to wait."""
        for slot in self._slots:
            for stream in slot.output.streams():
                stream.listen(on)

    def readers(self) -> dict[int, Stream]:
        """Give the streams to read, by file descriptor."""
        return {stream.reader: stream for slot in self._slots for stream in slot.output.streams()}


def _json(data: bytes) -> str | None:
    """Make JSON text of a result: it is JSON, or else text; a longer one than is kept is cut."""
    from json import dumps, loads

    if not data:
        return None
    text = data[:LARGEST_RESULT].decode("utf-8", "replace")
    if len(data) <= LARGEST_RESULT:
        try:
            return dumps(loads(text, parse_constant=_refuse))
        except (ValueError, RecursionError):
            pass
    return dumps(text)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _reap_stranger(pid: int, warden: int) -> bool:
    """Reap a child that is no task: only as pid 1, where orphans become ours."""
    if os.getpid() != 1 or pid == warden:
        return False
    os.waitpid(pid, os.WNOHANG)
    return True


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


_ENOEXEC, _E2BIG = 8, 7
