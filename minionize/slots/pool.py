"""Starts, times, stops and reaps the children of a minion. All of it happens in the main thread and none of it waits."""

from __future__ import annotations

import errno
import os
import signal
import time
from typing import TYPE_CHECKING

from minionize.errors import BadParam, HostTrouble
from minionize.policy import Ending
from minionize.slots.containers import PAUSE, REMOVE, UNPAUSE
from minionize.slots.ended import Ended
from minionize.slots.scratch import Scratch

if TYPE_CHECKING:
    import select
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from minionize.callbacks.base import Launch
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
#: Seconds after which a client is killed whose container was to be removed.
_CLIENT = 5.0
_DUP2, _SHELL = os.POSIX_SPAWN_DUP2, b"/bin/sh"


class Slot:
    """A place where one task runs at a time."""

    __slots__ = (
        *("announced", "container", "deadline", "epoch", "index", "kill_at", "output", "pid", "start", "stem"),
        *("removed", "stopped", "task"),
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
        self.container = b""  # the name of the one that its child is but the client of
        self.removed = False  # whether it was asked to be removed


class Pool:
    """All slots of a minion."""

    def __init__(
        self,
        outputs: Sequence[Output],
        poller: select.epoll,
        warden: Warden,
        environment: Mapping[bytes, bytes],
        prepare: Callable[[Task, int], Launch],
        *,
        timeout: float | None,
        grace: float,
    ) -> None:
        """Make a slot for each output, whose streams ``poller`` watches; ``prepare`` says what to launch. Times are seconds."""
        self._prepare = prepare
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

    @property
    def idle(self) -> int:
        """Slots in which nothing runs."""
        return len(self.free)

    @property
    def next(self) -> int:
        """The slot in which the next task starts."""
        return self.free[-1].index

    def room(self, waiting: int, mean: float | None) -> int:
        """Say how many tasks may be started now: one a slot, however many wait and however short they are."""
        return len(self.free)

    def start(self, task: Task) -> Ended | bool:
        """Run a task in a free slot; one whose program cannot be started has ended.

        Raises BadParam where the kernel does not take the arguments, HostTrouble where nothing could be started here, and
        whatever preparing it raises.
        """
        slot = self.free[-1]
        argv, extra, slot.container = self._prepare(task, slot.index)
        slot.task, slot.stopped, slot.announced, slot.stem = task, "", False, b""
        slot.removed = False
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
        return True

    def flush(self) -> None:
        """Send what was started: it is on its way already."""

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
        if error.errno == errno.E2BIG:
            largest = max(map(len, argv))
            raise BadParam(
                f"an argument of {largest} bytes, {sum(map(len, argv))} in all, is more than the kernel takes.\n"
                f"  Let the command read the param from the file that MINION_PARAM_FILE names, or MINION_PARAM."
            ) from error
        if error.errno in _HOST_ERRORS or slot.container:  # whose client no task has chosen
            raise _trouble(error) from error
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
        """End a running task now. A client ends with its container, and is killed only if it does not."""
        if slot.container and not slot.removed and self._warden.ask(REMOVE, slot.container):
            slot.kill_at, slot.removed = time.monotonic() + _CLIENT, True
            return
        slot.kill_at = _NEVER
        self.signal(slot, signal.SIGKILL)

    def stop_all(self, why: Stopped) -> None:
        """Ask all that runs to end."""
        for slot in list(self.running.values()):
            self.stop(slot, why)

    def kill_all(self) -> None:
        """End all that runs, now."""
        for slot in self.running.values():
            self.kill(slot)

    def lose(self, task: Task, why: Stopped) -> bool:
        """Stop a task that is no longer ours; says whether it was here."""
        slot = next((slot for slot in self.running.values() if slot.task == task), None)
        if slot is not None:
            self.stop(slot, why)
        return slot is not None

    def withdraw(self) -> list[Task]:
        """Take back what waits in slots: nothing does."""
        return []

    returned = withdraw

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
            if slot.container:  # a client that is stopped keeps the locks that it holds: nothing could be paused then
                self._warden.ask(PAUSE, slot.container)
            else:
                self.signal(slot, signal.SIGSTOP)

    def resume(self) -> None:
        """Let all that runs go on, and its time with it."""
        now = time.monotonic()
        for slot in self.running.values():
            slot.start += now - self._suspended_at
            slot.deadline += now
            if slot.container:
                self._warden.ask(UNPAUSE, slot.container)
            else:
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

    #: Whether there is something to reap besides what a SIGCHLD told.
    stirred = False
    #: Tasks that wait in slots behind others.
    ahead = 0

    def reap(self) -> Iterator[Ended]:
        """Take the tasks that have ended."""
        while self.running or os.getpid() == 1:  # which has orphans to reap, also when it has nothing to do
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is None:
                return
            slot = self.running.get(info.si_pid)
            if slot is not None:
                yield self._finish(slot)
            elif not _reap_stranger(info.si_pid, (self._warden.pid,)):
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
        cpu, rss = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        if slot.container:
            cpu, rss = 0.0, 0  # those of a client say nothing about its container
            if code < 0:
                self._warden.ask(REMOVE, slot.container)
        tail = slot.output.end({fd for fd, _ in self._poller.poll(0)})
        failed = code != 0 or slot.stopped
        ending = Ending(  # by position: this is done for every task
            code if code >= 0 else None,
            -code if code < 0 else None,
            "",
            slot.stopped,
            slot.epoch,
            took,
            cpu,
            rss,
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


def reap_strangers(ours: Collection[int]) -> None:
    """Reap orphans, which become the children of pid 1; but none of ours."""
    while os.getpid() == 1 and (info := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)):
        if not _reap_stranger(info.si_pid, ours):
            return


def _reap_stranger(pid: int, ours: Collection[int]) -> bool:
    """Reap a child that is no task: only as pid 1, where orphans become ours."""
    if os.getpid() != 1 or pid in ours:
        return False
    os.waitpid(pid, os.WNOHANG)
    return True


def _trouble(error: OSError) -> HostTrouble:
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    return HostTrouble(f"cannot start tasks here: {error.strerror}{where}")
