"""Starts, times, stops and reaps the children of a minion. All of it happens in the main thread and none of it waits."""

from __future__ import annotations

import errno
import os
import signal
import time
from typing import TYPE_CHECKING

from minionize.errors import BadParam, Interrupted
from minionize.policy import Ending
from minionize.slots.scratch import Scratch

if TYPE_CHECKING:
    import select
    from collections.abc import Iterator, Mapping, Sequence

    from minionize.model import Task
    from minionize.policy import Stopped
    from minionize.slots.output import Output, Stream
    from minionize.slots.warden import Warden

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

#: The host's fault, whatever the task is.
_HOST_ERRORS = frozenset(
    (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
)
_NEVER = float("inf")
_DUP2, _SHELL = os.POSIX_SPAWN_DUP2, b"/bin/sh"


class HostTrouble(Interrupted):
    """A task could not be started, and the fault is this host's: no room, no memory, too many processes or files."""


class Slot:
    """A place where one task runs at a time."""

    __slots__ = (
        *("announced", "deadline", "epoch", "index", "kill_at", "output", "pid", "start", "stem", "stopped", "task"),
    )

    def __init__(self, index: int, output: Output) -> None:
        """Make an empty slot."""
        self.index, self.output = index, output
        self.pid = 0
        self.task: Task
        self.start = self.epoch = 0.0
        self.deadline = self.kill_at = _NEVER
        self.stopped: Stopped = ""
        self.announced = False
        self.stem = b""  # of its files


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
        poller: select.epoll,
        warden: Warden,
        environment: Mapping[bytes, bytes],
        *,
        timeout: float | None,
        grace: float,
    ) -> None:
        """Make a slot for each output, whose streams ``poller`` watches. Times are seconds."""
        self._slots = [Slot(index, output) for index, output in enumerate(outputs)]
        self.free = self._slots[::-1]
        self.running: dict[int, Slot] = {}
        #: The streams to read, by file descriptor.
        self.readers: dict[int, Stream] = {s.reader: s for output in outputs for s in output.streams()}
        self._poller = poller
        self._suspended_at = 0.0  # monotonic; 0: it runs
        self._warden, self._environment = warden, dict(environment)
        self._timeout, self._grace = timeout, grace
        self._nothing = _DUP2, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0
        hangup = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)  # nohup is inherited
        self._reset = (*_RESET, *hangup)
        self._scratch = Scratch(warden.directory)

    # ------------------------------------------------------------------ start

    def start(self, task: Task, argv: list[bytes], extra: Mapping[bytes, bytes] = {}) -> Slot | Ended:
        """Run a task in a free slot; one whose program cannot be started has ended.

        Raises BadParam where the kernel does not take the arguments, HostTrouble where nothing could be started here.
        """
        slot = self.free[-1]
        slot.task, slot.stopped, slot.announced, slot.stem = task, "", False, b""
        slot.epoch, slot.start = time.time(), time.monotonic()
        slot.deadline = slot.start + self._timeout if self._timeout else _NEVER
        slot.kill_at = _NEVER
        try:
            environment = self._describe(slot, extra)
            slot.pid = self._spawn(slot, argv, environment)
        except BaseException as error:
            slot.output.end(())
            self._scratch.end(slot.stem, task.param)
            if isinstance(error, OSError):
                return self._not_started(slot, argv, error)
            raise
        self.free.pop()
        self._warden.sessions[slot.index] = slot.pid
        self.running[slot.pid] = slot
        return slot

    def _spawn(self, slot: Slot, argv: list[bytes], environment: Mapping[bytes, bytes]) -> int:
        try:
            out, err = slot.output.begin(slot.task)
        except OSError as error:
            raise _trouble(error) from error
        actions = (self._nothing, (_DUP2, out, 1), (_DUP2, err, 2))
        while True:
            try:
                return os.posix_spawn(
                    argv[0], argv, environment, file_actions=actions, setsid=True, setsigmask=(), setsigdef=self._reset
                )
            except OSError as error:
                if error.errno != errno.ENOEXEC or argv[0] == _SHELL:
                    raise
                argv = [_SHELL, *argv]  # a script without #!, as shells and execvp do

    def _describe(self, slot: Slot, extra: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
        """Make the environment of a child, and the files that go with it."""
        task, environment = slot.task, self._environment
        try:
            slot.stem = self._scratch.begin(task.param.encode("utf-8", "surrogateescape"), environment)
        except OSError as error:
            raise _trouble(error) from error
        environment[b"MINION_TASK_ID"] = task.id.encode("utf-8", "surrogateescape")
        environment[b"MINION_ATTEMPT"] = b"%d" % task.attempt
        environment[b"MINION_SLOT"] = b"%d" % slot.index
        return {**environment, **extra} if extra else environment

    def _not_started(self, slot: Slot, argv: Sequence[bytes], error: OSError) -> Ended:
        if error.errno in _HOST_ERRORS:
            raise _trouble(error) from error
        if error.errno == errno.E2BIG:
            largest = max(map(len, argv))
            raise BadParam(
                f"an argument of {largest} bytes, {sum(map(len, argv))} in all, is more than the kernel takes.\n"
                f"  Let the command read the param from the file that MINION_PARAM_FILE names, or MINION_PARAM."
            ) from error
        name = argv[0].decode("utf-8", "backslashreplace")
        return Ended(slot.index, slot.task, Ending(error=f"cannot start {name}: {error.strerror}", start=slot.epoch))

    # ------------------------------------------------------------------ stop

    def stop(self, slot: Slot, why: Stopped) -> None:
        """Ask a running task to end: SIGTERM to its process group, SIGKILL after the grace."""
        if slot.stopped:
            return
        slot.stopped, slot.deadline = why, _NEVER
        slot.kill_at = time.monotonic() + self._grace
        self.signal(slot, signal.SIGTERM)
        self.signal(slot, signal.SIGCONT)  # one that is stopped would never hear of it

    def kill(self, slot: Slot) -> None:
        """End a running task now."""
        slot.kill_at = _NEVER
        self.signal(slot, signal.SIGKILL)

    def signal(self, slot: Slot, number: int) -> None:
        """Send a signal to a task's process group; its leader is not reaped yet, so that the number is still its own."""
        try:
            os.killpg(slot.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def suspend(self) -> None:
        """Stop all that runs; its time limits stand still."""
        now = time.monotonic()
        self._suspended_at = now
        for slot in self.running.values():
            slot.deadline -= now
            self.signal(slot, signal.SIGSTOP)

    def resume(self) -> None:
        """Let all that runs go on, and its time with it."""
        now = time.monotonic()
        for slot in self.running.values():
            slot.start += now - self._suspended_at
            slot.deadline += now
            self.signal(slot, signal.SIGCONT)
        self._suspended_at = 0.0

    def tick(self, now: float) -> float:
        """Do what is due at ``now``; says when something is due next (both monotonic)."""
        due = _NEVER
        for slot in self.running.values():
            if slot.deadline <= now and not self._suspended_at:
                self.stop(slot, "timeout")
            elif slot.kill_at <= now:
                self.kill(slot)
            due = min(due, slot.deadline, slot.kill_at)
        return due

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
        self._warden.sessions[slot.index] = 0
        code = os.waitstatus_to_exitcode(status)
        tail = slot.output.end({fd for fd, _ in self._poller.poll(0)})
        failed = code != 0 or slot.stopped
        ending = Ending(  # by position: this is done for every task
            code if code >= 0 else None,
            -code if code < 0 else None,
            "",
            slot.stopped,
            slot.epoch,
            took,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * 1024,
            tail.decode("utf-8", "replace") if failed else "",
            self._scratch.end(slot.stem, slot.task.param),
        )
        slot.pid = 0
        self.free.append(slot)
        return Ended(slot.index, slot.task, ending)

    def close(self, *, sweep: bool) -> None:
        """Start nothing any more. What escaped from its task is left alone, or, with ``sweep``, for the warden to end."""
        if not sweep and not self.running:
            self._warden.dismiss()
        for slot in self._slots:
            slot.output.close()
        os.close(self._nothing[1])
        self._scratch.close()

    def listen(self, on: bool) -> None:
        """Read what the tasks write, or leave them to wait."""
        for stream in self.readers.values():
            stream.listen(on)


def _reap_stranger(pid: int, warden: int) -> bool:
    """Reap a child that is no task: only as pid 1, where orphans become ours."""
    if os.getpid() != 1 or pid == warden:
        return False
    os.waitpid(pid, os.WNOHANG)
    return True


def _trouble(error: OSError) -> HostTrouble:
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    return HostTrouble(f"cannot start tasks here: {error.strerror}{where}")
