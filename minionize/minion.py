"""The loop of a minion: takes tasks from the courier, runs them in the pool's slots, and hands settlements back.

One thread, one ``poll``: whatever happens (a child ends, a signal, a deadline, a message of the courier) is an event of it, and
none of them waits for the engine or for a reader of our output.
"""

from __future__ import annotations

import os
import select
import signal as signals_
import time
from collections import deque
from typing import TYPE_CHECKING

from minionize import events, policy, signals
from minionize.courier import Broken, Courier, Renewed, Trouble
from minionize.departure import PARTING, Departure
from minionize.errors import (
    BadParam,
    CommandNotFound,
    Dead,
    EngineUnavailable,
    HostTrouble,
    HostUnfit,
    Interrupted,
    Misfit,
    Retry,
    SetupFailed,
)
from minionize.lifetime import Lifetime
from minionize.model import Bury, Counts, Delivery
from minionize.outcomes import Outcomes, trace
from minionize.policy import Ending
from minionize.slots.ended import Ended, Successes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minionize.callbacks.base import Callback
    from minionize.console import Console
    from minionize.engines.base import Engine
    from minionize.model import Gone, Identity, Task
    from minionize.options import Options
    from minionize.policy import Reason, Verdict
    from minionize.reporters.base import Reporter
    from minionize.reporters.progress import Progress
    from minionize.slots.base import Slots

#: Seconds that a failure waits in a job or container: a stop that comes meanwhile was its cause.
LATE = 2.0
#: Signals of a program's own making: these failures do not wait.
_CHILD, _ROUTINE = bytes([signals.CHILD]), bytes([0, signals.CHILD])
_OWN = (signals_.SIGSEGV, signals_.SIGABRT, signals_.SIGBUS, signals_.SIGFPE, signals_.SIGILL)
#: Seconds, and executions, that an event and its settlement wait for company while there is more to run.
COMPANY, _CROWD = 0.02, 64
_NEVER = float("inf")
#: Seconds that tasks wait here while all slots are busy: then others may have them.
HOARD = 1.0


class Minion:
    """One run of one minion."""

    def __init__(
        self,
        me: Identity,
        engine: Engine,
        callback: Callback,
        reporter: Reporter,
        console: Console,
        progress: Progress,
        slots: Callable[[select.epoll], Slots],
        options: Options,
        wake: signals.Signals,
    ) -> None:
        """Put the parts together; :meth:`run` starts them."""
        self._me, self._engine, self._callback = me, engine, callback
        self._console, self._progress, self._options, self._wake = console, progress, options, wake
        self._poller = select.epoll()
        self._pool = slots(self._poller)
        self._poller.register(wake.reader, select.EPOLLIN)
        self._lifetime = Lifetime(options.lifetime, options.job, options.grace)
        self._outcomes = Outcomes(me, callback, reporter, console, options.rules, self._lifetime)
        self.tally = self._outcomes.tally
        self._ready: deque[Task] = deque()
        self._late: deque[tuple[float, Ended]] = deque()
        self._deliver_at = 0.0  # when what ended is recorded and settled at the latest
        self._departure = Departure()
        self._counts: Counts | None = None
        self._done_before: int | None = None
        self._began = self._beat = self._moved = time.monotonic()  # moved: when a task last began or ended
        self._empty = False  # the queue had nothing for us when it last answered
        self._idle_since: float | None = None  # since when that is so and nothing runs here
        self._hold_until = 0.0  # no task is started before: everything failed here so far
        self._troubles = 0  # starts in a row that failed by this host's fault
        self._has_run = False  # any task at all: until then a field that is missing is the command line's fault
        self._listening = True
        self._suspended = False

    # ------------------------------------------------------------------ life

    def record(self, line: str) -> None:
        """Record an event that is not about a task."""
        self._outcomes.report(line)

    def run(self) -> int:
        """Work until there is a reason to leave; returns the exit code."""
        where, options = self._engine.where, self._options
        self._console.say(
            f"minion {self._me.uid} takes params from {where} ({options.engine}), {options.slots} at a time."
        )
        for note in self._engine.notes:
            self._console.say(note)
        if options.wait and not self._engine.traits.finite:
            self._console.warn("this queue cannot tell whether anything is left: --wait stays until it is told to go.")
        self._courier = Courier(self._engine, lease=options.lease, patience=options.patience, notify=self._wake.notify)
        try:
            while not self._finished():
                self._start_tasks()
                self._ask()
                self._poll(self._tick(time.monotonic()))
        except BaseException:  # a fault of ours: what is given back must not run on
            self._pool.kill_all()
            raise
        finally:
            code = self._part()
        return code

    def pulse(self) -> None:
        """Show that the minion lives, and what it is at, while its loop stands still; any thread may call it."""
        self._outcomes.beat()
        self._announce(time.monotonic())

    def _finished(self) -> bool:
        """Whether there is nothing left to do but to leave; finished work waits for a queue that does not answer."""
        if self._departure.reason is None or self._is_busy() or self._outcomes:
            return False
        return self._departure.is_hurried or not self._courier.busy

    def _is_busy(self) -> bool:
        return bool(self._pool.running or self._ready or self._late)

    def _leave(self, reason: Reason, *, stop: bool = False, signal: int = 0) -> None:
        """Take no more, give back what has not begun; with ``stop``, end what runs."""
        self._departure.decide(reason, signal)
        if reason != "max_tasks":  # what has been started of these is what was granted
            self._take_back(self._pool.withdraw())
        self._give_back()
        if stop:
            self._pool.stop_all("leaving")
            while self._late:
                _, ended = self._late.popleft()
                if reason != "lifetime":  # a stop of our own came after it
                    ended.ending = ended.ending._replace(stopped="leaving")
                self._conclude(ended.slot, ended.task, ended.ending)

    def _give_back(self) -> None:
        self._outcomes.give_back(self._ready)
        self._ready.clear()

    # ------------------------------------------------------------------ start

    def _start_tasks(self) -> None:
        pool, ready = self._pool, self._ready
        if not ready or self._is_spent():
            return
        # Until one succeeds, and where one may be the last, each is to be heard of before the next one begins.
        cautious = not self.tally.done or self._options.halt
        room = pool.room(len(ready), None if cautious else self.tally.mean)
        if self._options.max_tasks is not None:
            room = min(room, self._options.max_tasks - self.tally.started)
        if room > 0:
            self._moved = time.monotonic()
        while room > 0 and ready and self._may_start():
            self._start(ready.popleft())
            room -= 1
        pool.flush()

    def _may_start(self) -> bool:
        if self._departure.reason is not None or self._console.full or self._hold_until > time.monotonic():
            return False
        return not self._options.halt or not self._may_halt()

    def _may_halt(self) -> bool:
        """Whether the failures that are not settled yet would be enough to halt: then nothing begins before they are."""
        return self.tally.dead + len(self._late) >= self._options.halt

    def _is_spent(self) -> bool:
        """Leave where the tasks or the time that we were granted are used up."""
        most = self._options.max_tasks
        if most is not None and self.tally.started >= most:
            self._leave("max_tasks")
        elif (left := self._lifetime.left()) < _NEVER and not policy.fits(self.tally.durations, left):
            self._leave("lifetime")
        return self._departure.reason is not None

    def _start(self, task: Task) -> None:
        self.tally.started += 1
        try:
            if task.error:
                raise BadParam(task.error)  # noqa: TRY301 - it goes the way of those that make no command line
            started = self._pool.start(task)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a user's code raises is its task's failure
            self._raised(self._pool.next, task, Ending(error=str(error), start=time.time()), error)
        else:
            if not started:
                return
            if isinstance(started, Ended) and started.error is not None:
                self._instead(started, started.error)
                return
            self._has_run, self._troubles = True, 0
            if isinstance(started, Ended):
                self._conclude(started.slot, task, started.ending)

    def _raised(self, slot: int, task: Task, ending: Ending, error: BaseException) -> None:
        """See to an execution in place of which, or by which, something was raised."""
        if isinstance(error, (Misfit, CommandNotFound, SetupFailed)) and not self._has_run:
            self._refuse_command(task, error)
        elif isinstance(error, (BadParam, CommandNotFound)):
            self._fail(self._outcomes.unreadable(slot, task, str(error), ending.start))
        elif isinstance(error, (Retry, Dead, Interrupted)):
            if isinstance(error, HostTrouble):
                self._hold(error)
            self._conclude(slot, task, ending, error)
        elif isinstance(error, OSError):
            self._conclude(slot, task, ending)
        else:
            what = f"{type(error).__name__}: {error}"
            self._conclude(slot, task, ending._replace(error=what, stderr=trace(error)))

    def _refuse_command(self, task: Task, error: Misfit | CommandNotFound | SetupFailed | HostUnfit) -> None:
        self._ready.appendleft(task)
        self._departure.error = error
        self._leave("error")

    def _hold(self, trouble: HostTrouble) -> None:
        """Start nothing for a while, a little longer each time: this host cannot, whatever the task."""
        self._troubles += 1
        self.tally.started -= 1
        self._hold_until = time.monotonic() + min(5.0, 0.1 * 2.0 ** min(self._troubles, 10))
        if self._troubles == 1:
            self._console.warn(f"{trouble}. Trying again.")

    # ------------------------------------------------------------------ end

    def _reap(self) -> None:
        for ended in self._pool.reap():
            self._moved = time.monotonic()
            if isinstance(ended, Successes):
                self._succeed(ended)
                continue
            if ended.error is not None:
                self._instead(ended, ended.error)
                continue
            self._has_run, self._troubles = True, 0
            if self._options.supervised and self._departure.reason != "signal" and _may_be_a_stop(ended.ending):
                self._late.append((self._moved + LATE, ended))
                self._slow_down()
            else:
                self._conclude(ended.slot, ended.task, ended.ending)
        self._take_back(self._pool.returned())

    def _succeed(self, successes: Successes) -> None:
        """Enter many successes at once, unless the callback wants to see each."""
        self._has_run, self._troubles = True, 0
        if self._outcomes.asks:
            for task, start, took, cpu, rss, result in successes.all:
                self._conclude(successes.slot, task, Ending(0, None, "", "", start, took, cpu, rss, "", result))
        else:
            self._outcomes.succeed(successes)

    def _instead(self, ended: Ended, error: Exception) -> None:
        """See to an execution that ended by what it raised, or that something was raised in place of."""
        self._has_run |= not isinstance(error, (Misfit, SetupFailed))
        self._raised(ended.slot, ended.task, ended.ending, error)

    def _take_back(self, tasks: Sequence[Task]) -> None:
        """Have tasks again that were started in vain: behind others that take their time."""
        self.tally.started -= len(tasks)
        self._ready.extendleft(reversed(tasks))
        if tasks and self._departure.reason == "max_tasks":
            self._departure.reason = None  # what was granted is not used up after all
        if tasks and self._departure.reason is not None:
            self._give_back()

    def _conclude(
        self, slot: int, task: Task, ending: Ending, instruction: Retry | Dead | Interrupted | None = None
    ) -> None:
        try:
            verdict = self._outcomes.conclude(slot, task, ending, instruction)
        except (CommandNotFound, HostUnfit) as error:
            self._refuse_command(task, error)
            return
        if verdict.outcome != "done":
            self._fail(verdict)

    def _fail(self, verdict: Verdict) -> None:
        """Think about leaving, or about slowing down, after what was not done."""
        tally, options = self.tally, self._options
        if isinstance(verdict.settlement, Bury) and options.halt and tally.dead >= options.halt:
            self._leave("halt")
        self._slow_down()
        if tally.done == 0 and options.bad_host and (tally.row == 1 or tally.row >= options.bad_host):
            self._courier.count()

    def _slow_down(self) -> None:
        """Wait a little longer after each failure, where everything failed here so far."""
        if self._options.bad_host:
            pause = policy.pause(self.tally.row + len(self._late), self.tally.done)
            self._hold_until = max(self._hold_until, time.monotonic() + pause)

    def _deliver(self, now: float) -> float:
        """Record and settle what ended: a little later, in company, where there is enough to do."""
        if not self._outcomes:
            self._deliver_at = now + COMPANY
            return _NEVER
        busy = self._ready and self._pool.running and self._departure.reason is None
        if busy and now < self._deliver_at and len(self._outcomes) < _CROWD:
            return self._deliver_at
        self._outcomes.deliver(self._courier, urgent=self._departure.reason is not None)
        self._deliver_at = now + COMPANY
        return _NEVER

    # ------------------------------------------------------------------ ask

    def _ask(self) -> None:
        """Wish for as many tasks as there is work for: a little ahead of what runs, so that no slot waits."""
        now = time.monotonic()
        stuck = not self._pool.idle and now - self._moved >= HOARD
        if self._departure.reason is not None or self._console.full or self._hold_until > now or stuck:
            self._courier.ask(0)
            return
        if self._pool.idle and not self._ready and self._is_spent():
            self._courier.ask(0)
            return
        want = policy.wanted(self._pool.idle, self._options.slots, self.tally.mean)
        have = len(self._ready) + self._pool.ahead
        if self._options.max_tasks is not None:
            want = min(want, self._options.max_tasks - self.tally.started + self._pool.ahead)
        self._courier.ask(min(want - have, policy.BATCH) if have <= want // 2 else 0)

    def _poll(self, until: float) -> None:
        """Wait for whatever comes next, and see to it."""
        for fd, _ in self._poller.poll(min(60.0, max(0.0, until - time.monotonic()))):
            if fd == self._wake.reader:
                self._react(self._wake.read())
            else:
                self._pool.readers[fd].read()
        if self._pool.stirred:
            self._reap()

    def _react(self, received: bytes) -> None:
        # A scheduler's stop reaches the children too, even first: what ended with it, by whatever exit code, was interrupted.
        first = not self._options.supervised or not any(number in received for number in signals.STOP)
        if _CHILD in received and first:
            self._reap()
        for number in sorted(set(received.translate(None, _ROUTINE))):
            if number in signals.STOP:
                self._stop(number, again=received.count(number) > 1)
            elif number in signals.DRAIN:
                self._leave("drain")
            elif number == signals.SUSPEND:
                if received.rfind(number) > received.rfind(signals.CONTINUE):  # else we were told to go on since
                    self._suspend()
            elif number == signals.CONTINUE:
                self._courier.renew()
                self._lifetime.renew()
        if _CHILD in received and not first:
            self._reap()
        for message in self._courier.messages():
            self._hear(message)

    def _stop(self, number: int, *, again: bool) -> None:
        """Leave at a signal; a second Ctrl-C does not wait for the grace."""
        if number == signals_.SIGINT and (again or self._departure.reason == "signal"):
            self._pool.kill_all()
        elif number == signals_.SIGINT and self._pool.running:
            self._console.say(f"stopping, in {self._options.grace:g} s at the most; Ctrl-C again kills.")
        self._leave("signal", stop=True, signal=self._departure.signal or number)

    def _suspend(self) -> None:
        """Stop with the children; pid 1 cannot be stopped, so nothing is done there."""
        if os.getpid() != 1:
            self._pool.suspend()
            self._suspended = True
            signals.suspend()

    # ------------------------------------------------------------------ the courier's messages

    def _hear(self, message: object) -> None:
        if isinstance(message, Delivery):
            self._receive(message)
        elif isinstance(message, Renewed):
            self._lose(message.gone)
            if self._suspended and message.asked:
                self._suspended = False
                self._pool.resume()
        elif isinstance(message, Counts):
            self._know(message)
        elif isinstance(message, Trouble):
            self._empty = False
            self._console.warn(
                f"{message.text}\n  Waiting for it; what runs goes on." if message.text else "the queue answers again."
            )
        elif isinstance(message, Broken):
            self._break(message.error)

    def _receive(self, delivery: Delivery) -> None:
        self._lose(delivery.gone)
        self._empty = not delivery.tasks
        if delivery.tasks:
            if self._departure.reason is None:
                self._ready.extend(delivery.tasks)
            else:
                self._outcomes.give_back(delivery.tasks)
        elif delivery.state == "drain":
            self._leave("drain")
        elif delivery.state == "ended" and not self._options.service and not self._is_busy():
            self._leave("settled")

    def _lose(self, gone: Sequence[Gone]) -> None:
        """Stop what is no longer ours; where it has ended already, say what became of it."""
        for one in gone:
            if self._pool.lose(one.task, one.why):
                continue
            if one.task in self._ready:
                self._ready.remove(one.task)
            else:
                self._outcomes.refused(one)

    def _know(self, counts: Counts) -> None:
        self._counts = counts
        tally, options = self.tally, self._options
        if tally.done:
            return
        if self._done_before is None:
            self._done_before = counts.done
        elif policy.is_bad_host(tally.row, tally.done, options.bad_host, self._done_before, counts.done):
            self._leave("bad_host")

    def _break(self, error: BaseException) -> None:
        self._departure.error = error
        self._leave("engine_lost" if isinstance(error, EngineUnavailable) else "error", stop=True)
        self._outcomes.deliver(None)

    # ------------------------------------------------------------------ time

    def _tick(self, now: float) -> float:
        """Do what is due at ``now``; says when something is due next (both monotonic)."""
        due = min(self._pool.tick(now), self._progress.due, self._announce(now), self._watch_time(now))
        while self._late:
            if self._late[0][0] > now:
                due = min(due, self._late[0][0])
                break
            _, ended = self._late.popleft()
            self._conclude(ended.slot, ended.task, self._explained(ended.ending))
        if self._hold_until > now:
            due = min(due, self._hold_until)
        self._watch_output()
        if now >= self._progress.due:
            self._courier.count()
            self._console.progress(self._progress.line(now, self.tally, self._counts, len(self._pool.running)))
        if self._ready and not self._pool.idle:
            if now - self._moved >= HOARD:
                self._give_back()
            due = min(due, self._moved + HOARD)
        due = min(due, self._deliver(now))
        return now if self._finished() else due

    def _explained(self, ending: Ending) -> Ending:
        """Where all of a job was told to drain, what does not know that signal died of it: that was no failure."""
        told = self._departure.reason == "drain" and ending.signal in signals.DRAIN
        return ending._replace(stopped="leaving") if told else ending

    def _watch_time(self, now: float) -> float:
        options = self._options
        if now - self._beat >= events.HEARTBEAT:
            self._beat = now
            self._outcomes.beat()
        due = self._beat + events.HEARTBEAT
        if self._departure.reason != "signal":
            due = min(due, self._lifetime.watch(now))
            if self._lifetime.left() <= 0:
                self._leave("lifetime", stop=True)
                due = self._beat + events.HEARTBEAT
        if not self._empty or self._is_busy() or self._courier.busy or self._departure.reason:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        if self._idle_since is not None and not (options.wait or options.service):
            until = max(self._idle_since, self._outcomes.own_due) + options.idle_timeout
            if now >= until:
                self._leave("idle")
            due = min(due, until)
        return due

    def _watch_output(self) -> None:
        """Leave where nobody reads us any more; let the children wait where a reader has fallen behind."""
        if self._console.broken and self._departure.reason is None:
            self._leave("output", stop=True)
        if self._listening == self._console.full:
            self._listening = not self._console.full
            self._pool.listen(self._listening)

    def _announce(self, now: float) -> float:
        """Record which tasks have been running for a while; says when the next one will have."""
        due = _NEVER
        for slot in list(self._pool.running.values()):  # which may change meanwhile, see pulse()
            if not slot.announced:
                at = slot.start + events.ANNOUNCE
                if at <= now:
                    slot.announced = self._has_run = True
                    self._outcomes.report(events.task_start(slot.epoch, self._me.uid, slot.index, slot.task))
                elif at < due:
                    due = at
        return due

    # ------------------------------------------------------------------ parting

    def _part(self) -> int:
        """Give back, close, and say what was done; returns the exit code."""
        departure, options = self._departure, self._options
        self._outcomes.deliver(self._courier, urgent=True)
        closed = self._courier.close(PARTING)
        for message in self._courier.messages():  # what was refused with the last settlements, and the last books
            if isinstance(message, Delivery):
                self._lose(message.gone)
            elif isinstance(message, Counts):
                self._counts = message
            elif isinstance(message, Broken) and self._departure.error is None:
                self._break(message.error)
        self._outcomes.deliver(None)
        code = departure.exit_code(
            self.tally.dead, self._counts, answered=self._courier.answered, ignore_failures=options.ignore_failures
        )
        reason = departure.reason or "error"
        self._outcomes.report(events.minion_stop(time.time(), self._me.uid, reason, code))
        self._outcomes.close()
        self._lifetime.close()
        self._pool.close(sweep=departure.is_hurried or reason in ("lifetime", "error"))
        self._poller.close()
        say = self._console.say if departure.error is None else self._console.warn  # an error is heard, quiet or not
        for line in self._progress.last_words(
            reason, self.tally, self._counts, departure.error, took=time.monotonic() - self._began, closed=closed
        ):
            say(line)
        return departure.see_off(self._console, self._wake, options.grace, code)


def _may_be_a_stop(ending: Ending) -> bool:
    return ending.exit != 0 and not ending.stopped and ending.signal not in _OWN
