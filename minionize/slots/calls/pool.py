"""The slots of a minion that calls a function: what :class:`minionize.slots.pool.Pool` is for programs.

A slot has a queue of tasks, the first of which is being called: short ones go to its child in batches. A child that is at one
task for longer has the rest taken away, for others to do.
"""

from __future__ import annotations

import os
import select
import signal
import time
from json import loads
from typing import TYPE_CHECKING

from minionize import signals
from minionize.errors import HostTrouble, SetupFailed
from minionize.policy import Ending
from minionize.slots.calls import channel as said
from minionize.slots.calls import raised
from minionize.slots.calls.channel import Record
from minionize.slots.calls.slot import NEVER, CallSlot
from minionize.slots.ended import Ended, Successes
from minionize.slots.pool import reap_strangers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minionize.model import Task
    from minionize.policy import Stopped
    from minionize.slots.calls.helper import Helper, Report
    from minionize.slots.output import Output, Stream
    from minionize.slots.warden import Warden

#: Seconds of work that a child is given at a time, and tasks at the most.
_WORK, _MOST = 0.02, 256
#: Seconds after which a child that is still at the same task has the rest of its batch taken away.
SLOW = 0.1

#: Seconds after which a child that was told to end is nudged: Python does not see a signal that came to another thread, or just
#: before a call that blocks, until the next one.
_NUDGE = 0.2


class _News:
    """A descriptor that the minion's loop reads for us."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.read = act


class CallPool:
    """All slots of a minion that calls a function."""

    def __init__(
        self,
        outputs: Sequence[Output],
        poller: select.epoll,
        warden: Warden,
        helper: Helper,
        *,
        timeout: float | None,
        grace: float,
    ) -> None:
        """Make a slot for each channel of the helper. Times are seconds."""
        self._helper, self._warden = helper, warden
        self._timeout, self._grace = timeout, grace
        self._slots = [CallSlot(*both) for both in zip(helper.channels, outputs, strict=True)]
        self.running: dict[int, CallSlot] = {}
        #: What is to be read, by file descriptor.
        self.readers: dict[int, Stream | _News] = {s.reader: s for output in outputs for s in output.streams()}
        for fd, act in ((helper.wake, self._wake), (helper.reports, self._hear_helper)):
            self.readers[fd] = _News(act)
            poller.register(fd, select.EPOLLIN)
        self._plan: list[CallSlot] = []  # where the next tasks go, the last one first
        self._filled: list[CallSlot] = []
        self._woken: set[int] = set()
        self._ended: list[Ended | Successes] = []
        self._returned: list[Task] = []
        self._proven = self._hurried = False  # some child was set up; somebody pressed Ctrl-C again
        self._suspended_at = 0.0  # monotonic; 0: it runs
        self.listen(True)

    # ------------------------------------------------------------------ start

    @property
    def idle(self) -> int:
        """Slots in which nothing runs."""
        return len(self._slots) - len(self.running)

    @property
    def ahead(self) -> int:
        """Tasks that wait in slots behind others."""
        return sum([len(slot.queue) for slot in self.running.values()]) - len(self.running)

    @property
    def next(self) -> int:
        """The slot in which the next task starts."""
        return self._plan[-1].index

    def room(self, waiting: int, mean: float | None) -> int:
        """Say how many tasks may be started now, of which ``waiting`` wait; ``mean`` is how long one takes, in seconds."""
        depth = 1 if mean is None else max(1, min(_MOST, int(_WORK / max(mean, 1e-6))))
        held = self.ahead + len(self.running)
        most = min(depth, -(-(waiting + held) // len(self._slots)))
        slow = time.monotonic() - SLOW
        self._plan = []
        for slot in sorted(self._slots, key=lambda slot: -len(slot.queue)):
            self._plan += [slot] * slot.room(most, slow)
        return len(self._plan)

    def start(self, task: Task) -> bool:
        """Give a task to a slot that has room, to be sent by :meth:`flush`; False: only its end tells whether it can run."""
        slot = self._plan.pop()
        if not slot.outbox:
            self._filled.append(slot)
        slot.outbox.append(task)
        slot.queue.append(task)
        return False

    def flush(self) -> None:
        """Send what was started."""
        for slot in self._filled:
            if slot.outbox:
                self._send(slot)
        self._filled.clear()

    def _send(self, slot: CallSlot) -> None:
        tasks, slot.outbox = slot.outbox, []
        try:
            slot.send(tasks)
        except OSError as error:
            for _ in tasks:
                slot.queue.pop()
            self._refuse(slot, tasks, HostTrouble(f"cannot call functions here: {error.strerror}"))
            return
        if not slot.alive:
            slot.alive, slot.ready = True, False
            self._helper.fork(slot.index)
        if slot.index not in self.running:
            self.running[slot.index] = slot
            slot.begin(time.monotonic() if slot.ready else NEVER, time.time(), self._timeout)
        slot.listen(len(slot.queue) == 1)

    # ------------------------------------------------------------------ stop

    def stop(self, slot: CallSlot, why: Stopped) -> None:
        """Ask what runs in a slot to end: SIGTERM to its process group, SIGKILL after the grace."""
        self._returned += self._take_back(slot)
        if slot.stopped or not slot.queue:
            return
        slot.stopped, slot.deadline = why, NEVER
        slot.stopped_at = time.monotonic()
        slot.kill_at, slot.nudge_at = slot.stopped_at + self._grace, slot.stopped_at + _NUDGE
        self._helper.signal(slot.index, signal.SIGTERM)
        self._helper.signal(slot.index, signal.SIGCONT)  # one that is stopped would never hear of it

    def kill(self, slot: CallSlot) -> None:
        """End what runs in a slot now."""
        slot.kill_at = slot.nudge_at = NEVER
        self._helper.signal(slot.index, signal.SIGKILL)

    def stop_all(self, why: Stopped) -> None:
        """Ask all that runs to end."""
        for slot in list(self.running.values()):
            self.stop(slot, why)

    def kill_all(self) -> None:
        """End all that runs, now, and leave without teardown."""
        self._hurried = True
        for slot in self.running.values():
            self.kill(slot)

    def lose(self, task: Task, why: Stopped) -> bool:
        """Stop a task, or take it from its slot; says whether it was here."""
        slot = next((slot for slot in self.running.values() if task in slot.queue), None)
        if slot is None:
            return False
        self._returned += [one for one in self._take_back(slot) if one != task]
        if slot.queue and slot.task == task:
            self.stop(slot, why)
        return True

    def withdraw(self) -> list[Task]:
        """Take back all that no child has begun."""
        for slot in list(self.running.values()):
            self._returned += self._take_back(slot)
        return self.returned()

    def returned(self) -> list[Task]:
        """Give the tasks that were taken back."""
        found, self._returned = self._returned, []
        return found

    def _take_back(self, slot: CallSlot) -> list[Task]:
        """Take from a slot all but what its child is at."""
        self._hear(slot)
        tasks = slot.withdraw()
        self._settle(slot)
        return tasks

    def _settle(self, slot: CallSlot) -> None:
        """Note that a slot has nothing left to do, if so."""
        if not slot.queue and slot.index in self.running:
            del self.running[slot.index]
            slot.start = slot.deadline = NEVER

    def _refuse(self, slot: CallSlot, tasks: Sequence[Task], error: HostTrouble | SetupFailed) -> None:
        """Give back what waited for a child that cannot be had, the first task with the reason."""
        if tasks:
            ending = Ending(error=str(error), start=time.time())
            self._ended.append(Ended(slot.index, tasks[0], ending, error))
            self._returned += tasks[1:]

    # ------------------------------------------------------------------ time

    def suspend(self) -> None:
        """Stop all that runs; its time limits stand still."""
        self._suspended_at = time.monotonic()
        for slot in self._slots:
            if slot.alive:
                self._helper.signal(slot.index, signal.SIGSTOP)

    def resume(self) -> None:
        """Let all that runs go on, and its time with it."""
        pause = time.monotonic() - self._suspended_at
        self._suspended_at = 0.0
        for slot in self._slots:
            slot.start += pause
            slot.deadline += pause
            slot.paused += pause
            if slot.alive:
                self._helper.signal(slot.index, signal.SIGCONT)

    def tick(self, now: float) -> float:
        """Do what is due at ``now``; says when something is due next (both monotonic)."""
        due = NEVER
        for slot in self._slots:
            if slot.kill_at <= now:
                self.kill(slot)
            elif slot.nudge_at <= now:
                slot.nudge_at = now + _NUDGE
                self._helper.signal(slot.index, signal.SIGCONT)
            due = min(due, slot.kill_at, slot.nudge_at)
        if not self._suspended_at:
            for slot in list(self.running.values()):
                due = min(due, self._watch(slot, now))
        return now if self.stirred else due

    def _watch(self, slot: CallSlot, now: float) -> float:
        """See whether a slot is late; says when to look again."""
        slow = slot.start + SLOW
        if min(slow, slot.deadline) <= now:
            self._hear(slot)  # it may have gone on since
            slow = slot.start + SLOW
        if slot.deadline <= now:
            self.stop(slot, "timeout")
        if not slot.queue or (slot.listens and len(slot.queue) == 1):
            return slot.deadline
        if slow > now:
            return min(slot.deadline, slow)
        self._returned += self._take_back(slot)
        if slot.queue:
            slot.listen(True)
        return slot.deadline

    # ------------------------------------------------------------------ hear

    @property
    def stirred(self) -> bool:
        """Whether there is something to reap."""
        return bool(self._woken or self._ended or self._returned)

    def reap(self) -> Iterator[Ended | Successes]:
        """Take the tasks that have ended."""
        woken, self._woken = self._woken, set()
        for index in woken:
            self._hear(self._slots[index])
        reap_strangers((self._warden.pid, self._helper.pid))
        ended, self._ended = self._ended, []
        yield from ended

    def _wake(self) -> None:
        """Note which children have something to say."""
        try:
            self._woken |= said.woken(os.read(self._helper.wake, 4096))
        except BlockingIOError:
            pass

    def _hear(self, slot: CallSlot) -> None:
        """Read what has become of a slot's tasks."""
        successes, begin = Successes(slot.index), 0.0
        for head, body in slot.channel.records():
            _, kind, printed, start, took, cpu, ended, rss = head
            if kind == said.DONE and not printed and slot.is_plain:
                successes.all.append((slot.pop(), start, took, cpu, rss, body.decode() if body else None))
                slot.cpu += cpu
                begin = ended
                continue
            successes = self._enter(slot, successes, begin)
            record = Record._make((*head[1:], body))
            if kind < said.READY:
                self._finish(slot, record)
            else:
                self._greet(slot, record)
        self._enter(slot, successes, begin)
        self._settle(slot)

    def _enter(self, slot: CallSlot, successes: Successes, ended: float) -> Successes:
        """Note what has succeeded, the last one when ``ended`` says (monotonic); gives an empty list for more."""
        if not successes.all:
            return successes
        _, start, took, _, _, _ = successes.all[-1]
        slot.begin(ended, start + took, self._timeout)
        self._ended.append(successes)
        return Successes(slot.index)

    def _greet(self, slot: CallSlot, record: Record) -> None:
        """Hear that a child is ready, or that it never will be."""
        slot.drain()
        if record.kind == said.READY:
            slot.ready = self._proven = True
            slot.cpu = record.cpu
            slot.begin(record.ended, record.start, self._timeout)
            slot.listen(len(slot.queue) == 1)
        else:
            (reason,) = loads(record.body)
            self._refuse(slot, slot.withdraw(), self._unprepared(f"setup failed: {reason}"))

    def _unprepared(self, reason: str) -> HostTrouble | SetupFailed:
        """Say whose fault it is that a child could not be set up: this host's, where others could."""
        return HostTrouble(reason) if self._proven else SetupFailed(reason)

    def _finish(self, slot: CallSlot, record: Record) -> None:
        """Hear that a call has ended."""
        task = slot.pop()
        slot.cpu += record.cpu
        stderr = slot.drain(task, record.printed) if record.printed or slot.heard else ""
        # What it had done when it was told to stop is done.
        stopped: Stopped = slot.stopped if record.ended > slot.stopped_at else ""
        took = record.took if not slot.paused else max(0.0, record.took - slot.paused)
        ending = Ending(0, None, "", stopped, record.start, took, record.cpu, record.rss, stderr, None)
        if record.kind == said.DONE and not stopped:
            ending = ending._replace(stderr="", result=record.body.decode() or None)
        self._ended.append(raised.read(slot.index, task, ending, record.kind, record.body))
        slot.begin(record.ended, record.start + record.took, self._timeout)

    # ------------------------------------------------------------------ the helper

    def _hear_helper(self) -> None:
        try:
            for report in self._helper.heard():
                self._bury(self._slots[report.slot], report)
        except EOFError:
            raise RuntimeError("the process that makes the children of this minion has gone") from None

    def _bury(self, slot: CallSlot, report: Report) -> None:
        """See to a slot whose child has ended, or could not be made."""
        tasks = self._take_back(slot)
        code = os.waitstatus_to_exitcode(report.status) if report.pid else 0
        if slot.queue:
            self._ended.append(_crashed(slot, code, report))
        if not report.pid:
            self._refuse(slot, tasks, HostTrouble(f"cannot make a process: {os.strerror(report.status)}"))
        elif not slot.ready and not slot.stopped:
            reason = f"setup ended its process: {_end_of(code)}"
            self._refuse(slot, tasks, HostTrouble(reason) if -code in signals.STOP else self._unprepared(reason))
        else:
            self._returned += tasks
        slot.forget_child()
        self._settle(slot)
        self._warden.sessions[slot.index] = 0

    # ------------------------------------------------------------------ output, end

    def listen(self, on: bool) -> None:
        """Read what the tasks write, or leave them to wait."""
        for slot in self._slots:
            slot.hush(not on)

    def close(self, *, sweep: bool) -> None:
        """Let the children end. With ``sweep``, the warden ends what escaped."""
        for slot in self._slots:
            if slot.alive and (self._hurried or not slot.ready):  # nobody needs what it would still do
                self._helper.signal(slot.index, signal.SIGKILL if self._hurried else signal.SIGTERM)
        self._helper.leave()
        before = signal.signal(signal.SIGINT, self._hurry)
        self._read_until_it_has_gone()
        signal.signal(signal.SIGINT, before)
        self._helper.close()
        if not sweep and not self.running:
            self._warden.dismiss()
        for slot in self._slots:
            slot.alive = False
            slot.drain()
            slot.output.close()

    def _hurry(self, number: int, frame: object) -> None:
        """Wait for no teardown any more."""
        for slot in self._slots:
            self._helper.signal(slot.index, signal.SIGKILL)

    def _read_until_it_has_gone(self) -> None:
        """Read what teardown has to say: a child must not wait for us to do so."""
        poller = select.poll()
        streams = {stream.reader: stream for slot in self._slots for stream in slot.output.streams()}
        for fd in (self._helper.reports, *streams):
            poller.register(fd, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd in streams:
                    streams[fd].read()
                elif not os.read(fd, 4096):
                    return


def _crashed(slot: CallSlot, code: int, report: Report) -> Ended:
    """Say how a child ended in the middle of a task; ``code`` is below 0 where a signal ended it."""
    task, took = slot.task, max(0.0, time.monotonic() - slot.start)
    slot.queue.popleft()
    ending = Ending(
        code if code > 0 else None,
        -code if code < 0 else None,
        "" if code else "the function ended its process, with exit code 0",
        slot.stopped,
        slot.epoch,
        took,
        max(0.0, report.cpu - slot.cpu),
        report.rss,
        slot.drain(task),
    )
    return Ended(slot.index, task, ending)


def _end_of(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"signal {-code}"
