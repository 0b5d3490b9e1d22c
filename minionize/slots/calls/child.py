"""What a child does: it calls the function, once per task, and says what became of each."""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, Any, NoReturn

from minionize import signals
from minionize.slots.calls import raised, results
from minionize.slots.calls.channel import DONE, READY, UNREADY, Channel, Reply
from minionize.slots.calls.current import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.slots.calls.callee import Callee

#: What the helper did with these is no affair of a child.
_RESET = (signal.SIGINT, signal.SIGTSTP, signal.SIGCHLD)
#: Seconds after which the minion is woken, however much of the batch is left.
_NEWS = 0.01
#: Seconds from which on it is worth a look how much memory was used, and what other processes did for the task.
_LONG = 0.001
#: Who is ended first where memory runs out: the child, not the minion (-1000 to 1000).
_OOM_SCORE = b"500"


def server(callee: Callee, environment: dict[str, str], *, keeps_output: bool) -> Callable[[Channel, int], None]:
    """Make what a forked process does: serve a channel until there is no more, and end."""
    hangup = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)  # nohup is inherited

    def serve(channel: Channel, wake: int) -> None:
        for number in (*_RESET, *hangup):
            signal.signal(number, signal.SIG_DFL)
        # Where all of a job is signalled, what runs goes on; programs of its are on their own. And the pool nudges us by SIGCONT.
        for number in (*signals.DRAIN, signals.CONTINUE):
            signal.signal(number, signals.ignore)
        try:
            _Child(callee, channel, wake, keeps_output=keeps_output).run(environment)
        except BaseException as error:
            raised.print_trace(error)  # of what the function has done to this process
            raise

    return serve


class _Child:
    def __init__(self, callee: Callee, channel: Channel, wake: int, *, keeps_output: bool) -> None:
        self._callee, self._channel, self._reply = callee, channel, Reply(channel, wake)
        self._keeps_output = keeps_output
        self._listener = select.poll()  # to see whether something was printed
        self._interruptible = self._told = self._leaving = self._unheard = self._copied = False
        self._woke = 0.0
        self._cpu = self._theirs = 0.0  # processor time up to the last task: ours, and that of processes we waited for

    def run(self, environment: dict[str, str]) -> None:
        """Set up, call until there is no more, tear down, and end this process."""
        signal.signal(signal.SIGTERM, self._stop)
        masks: list[set[int]] = []  # a SIGTERM to a process that has just been forked is not to be lost to our handler
        os.register_at_fork(
            before=lambda: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))),
            after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop()),
            after_in_child=lambda: self._become_copy(masks.pop()),
        )
        self._adopt_output()
        _be_the_one_to_end()
        faulthandler.enable(2, all_threads=False)  # where a segmentation fault was, is in the failure's last words
        os.environ.update(environment, MINION_SLOT=str(self._channel.index))
        _draw_anew()
        try:
            if self._set_up():
                self._serve()
                self._tear_down()
        except raised.Stopped:
            self._tear_down()
        self._flush()
        self._reply.wake()
        if self._leaving:  # what ended us is what our end says
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)

    def _become_copy(self, mask: set[int]) -> None:
        """Note that this process was forked by the function: it must not come back from there as a second one of us."""
        self._copied = True
        if signal.getsignal(signal.SIGTERM) == self._stop:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _end_copy(self, error: BaseException | None = None) -> NoReturn:
        """End such a process where the function ends, as it would have ended in a program."""
        code = raised.exit_of(error) if error is not None else 0
        self._flush()
        os._exit(code)

    def _adopt_output(self) -> None:
        """Let this process's standard files be the channel's; what Python writes appears by lines."""
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        for fd, pipe in ((1, self._channel.output), (2, self._channel.errors)):
            if fd == 2 or self._keeps_output:
                os.dup2(pipe[1], fd)
                self._listener.register(pipe[0], select.POLLIN)
            else:
                os.dup2(null, fd)
        sys.stdout, sys.stderr = _by_lines(sys.stdout, 1), _by_lines(sys.stderr, 2)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as this process lives

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # noqa: BLE001, S110 - it was closed, or replaced by who knows what
                pass

    # ------------------------------------------------------------------ set up, tear down

    def _set_up(self) -> bool:
        try:
            self._interruptible = True
            self._callee.setup()
            self._interruptible = False
            if self._copied:
                self._end_copy()
        except raised.Stopped:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the minion says it
            self._interruptible = False
            if self._copied:
                self._end_copy(error)
            raised.print_trace(error)
            self._say(UNREADY, results.reason(error))
            return False
        self._say(READY)
        return True

    def _tear_down(self) -> None:
        self._interruptible = False
        try:
            self._callee.teardown()
        except BaseException as error:  # noqa: BLE001 - nothing depends on it any more
            raised.print_trace(error)

    def _stop(self, number: int, frame: object) -> None:
        """Leave when told to: out of the function at once, else when what we are at is done."""
        self._leaving = True
        if self._interruptible:
            self._interruptible, self._told = False, True
            raise raised.Stopped(128 + number)

    # ------------------------------------------------------------------ calls

    def _serve(self) -> None:
        batch, sequence = BATCH, -1
        while not self._leaving:
            self._interruptible = True
            token = self._channel.take_token(self._wake)
            self._interruptible = False
            if token < 0:
                return
            if token != sequence:
                texts, names = self._channel.read(token)
                batch.open(results.params(texts), names)
                sequence = token
            batch.at += 1
            self._call(batch.params[batch.at - 1])

    def _call(self, param: Any) -> None:
        start, began = time.time(), time.monotonic()
        try:
            if type(param) is results.Unreadable:
                raise param.error  # noqa: TRY301 - it goes the way of what the function raises
            self._interruptible = True
            value = self._callee.call(param)
            if self._copied:
                self._end_copy()
            if self._told:  # the function has caught it: what it left is not known to be whole
                raise raised.Stopped  # noqa: TRY301
            body = b"" if value is None else results.encode(value)
            self._interruptible = False
            kind = DONE
        except raised.Stopped:
            raise
        except BaseException as error:
            self._interruptible = False
            if self._copied:
                self._end_copy(error)
            if self._told:
                raise raised.Stopped from error
            kind, body = raised.write(raised.misfit(self._callee, param, error) or error)
        self._flush()
        ended, cpu = time.monotonic(), time.process_time()
        took, spent, rss = ended - began, cpu - self._cpu, 0
        self._cpu = cpu
        if took >= _LONG:
            spent, rss = self._measure(spent)
        printed = bool(self._listener.poll(0))
        self._reply.record(kind, body, printed, start, took, spent, ended, rss)
        self._unheard = True
        last = BATCH.at == len(BATCH.params)
        if last or printed or kind != DONE or ended - self._woke > _NEWS:
            self._woke = ended
            self._wake()
        if printed and not self._channel.wait_until_read():
            os._exit(0)

    def _measure(self, spent: float) -> tuple[float, int]:
        """Give the processor time of a task (seconds) and the memory (bytes), those of processes that it waited for included."""
        theirs = getrusage(RUSAGE_CHILDREN)
        before, self._theirs = self._theirs, theirs.ru_utime + theirs.ru_stime
        return spent + self._theirs - before, max(getrusage(RUSAGE_SELF).ru_maxrss, theirs.ru_maxrss) * 1024

    def _wake(self) -> None:
        """Have the minion read what we have written, unless it was told to."""
        if self._unheard:
            self._unheard = False
            self._reply.wake()

    def _say(self, kind: int, *what: Any) -> None:
        """Say something that is not about a task; the minion is to have read all that was printed before one begins."""
        self._flush()
        self._cpu = time.process_time()
        self._reply.record(kind, results.body(*what), True, time.time(), 0.0, self._cpu, time.monotonic(), 0)
        self._reply.wake()
        if not self._channel.wait_until_read():
            os._exit(0)


def _by_lines(stream: Any, fd: int) -> Any:
    """Make a stream write whole lines to the descriptor: the same one, where it is that descriptor's."""
    try:
        if stream.fileno() == fd:
            stream.reconfigure(line_buffering=True)
            return stream
    except (AttributeError, OSError, ValueError):
        pass  # somebody has put something else there
    return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _be_the_one_to_end() -> None:
    """Tell the kernel, should memory run out, to end the function rather than the minion."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, _OOM_SCORE)
        os.close(fd)
    except OSError:
        pass


def _draw_anew() -> None:
    """Give numpy's global generator a seed of its own: else all slots would draw the same numbers (random does it itself)."""
    random = getattr(sys.modules.get("numpy"), "random", None)
    if random is not None:
        random.seed()
