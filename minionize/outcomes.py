"""What becomes of executions: each is judged, counted and recorded, and only then is its task let go of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from minionize import events, policy
from minionize.callbacks.base import Callback
from minionize.errors import CommandNotFound, Dead, HostUnfit, Interrupted, Retry
from minionize.model import Ack, Bury, Failure, Nack
from minionize.policy import Ending, Verdict
from minionize.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minionize.console import Console
    from minionize.courier import Courier
    from minionize.lifetime import Lifetime
    from minionize.model import Gone, Identity, Settlement, Task
    from minionize.policy import Rules
    from minionize.reporters.base import Reporter
    from minionize.slots.ended import Success, Successes

#: Executions, at least, that are remembered in case their settlement is refused.
_REMEMBERED = 1024


class Outcomes:
    """Between the slots, where executions end, and the reporter and the courier."""

    def __init__(
        self,
        me: Identity,
        callback: Callback,
        reporter: Reporter,
        console: Console,
        rules: Rules,
        lifetime: Lifetime,
    ) -> None:
        """Start with nothing."""
        self._me, self._callback, self._reporter, self._console = me, callback, reporter, console
        self._rules, self._lifetime = rules, lifetime
        self.tally = Tally()
        #: When the last delay that we set ourselves is over (monotonic).
        self.own_due = 0.0
        self._lines: list[str] = []
        self._settlements: list[Settlement] = []
        self._remembered: dict[tuple[str, int], tuple[int, Ending, Verdict] | tuple[int, Success]] = {}
        #: Whether the callback wants to see what came of each task.
        self.asks = type(callback).conclude is not Callback.conclude
        self._reporter_failed = self._told = False

    def __len__(self) -> int:
        """Count what is neither recorded nor settled yet."""
        return max(len(self._lines), len(self._settlements))

    # ------------------------------------------------------------------ judge

    def conclude(
        self, slot: int, task: Task, ending: Ending, instruction: Retry | Dead | Interrupted | None = None
    ) -> Verdict:
        """Judge an execution; whether it is done, given back or dead is settled with the next delivery.

        Raises CommandNotFound or HostUnfit where its callback does: then it has not begun, and nothing else will.
        """
        if instruction is None and not ending.stopped and not ending.error:
            ending, instruction = self._ask_callback(task, ending)
        return self._enter(slot, task, ending, self._judge(task, ending, instruction))

    def succeed(self, successes: Successes) -> None:
        """Enter executions that succeeded, of a callback that has nothing to say to them."""
        now, uid, slot, remembered = time.time(), self._me.uid, successes.slot, self._remembered
        for success in successes.all:
            task, start, took, cpu, rss, result = success
            self._lines.append(events.task_done(now, uid, slot, task, start, took, result, cpu, rss))
            self._settlements.append(Ack(task, result))
            remembered[task.id, task.delivery] = (slot, success)
        self._forget()
        self.tally.succeeded([success[2] for success in successes.all])

    def unreadable(self, slot: int, task: Task, reason: str, start: float) -> Verdict:
        """Bury a task whose param makes no command line; ``start`` is epoch seconds."""
        self._told = True
        self._console.warn(f"dead: {reason}")
        failure = Failure("param", reason)
        return self._enter(
            slot, task, Ending(error=reason, start=start), Verdict("failed", Bury(task, failure), failure)
        )

    def _enter(self, slot: int, task: Task, ending: Ending, verdict: Verdict) -> Verdict:
        """Count an execution, and note its event and its settlement."""
        verdict = self._sign(verdict)
        if verdict.failure is not None and ending.error and not ending.stderr and not self._told:
            self._told = True
            self._console.warn(f"task {task.id}: {verdict.failure.reason}\n  More like it:  minion-status --failures")
        self.tally.ended(verdict, ending.took, dead=isinstance(verdict.settlement, Bury))
        self._lines.append(self._event(slot, task, ending, verdict))
        if verdict.settlement is not None:
            self._settlements.append(verdict.settlement)
            self._remember(slot, task, ending, verdict)
        return verdict

    def give_back(self, tasks: Iterable[Task]) -> None:
        """Let go of tasks that never began."""
        self._settlements += [Nack(task, charge=False) for task in tasks]

    def refused(self, gone: Gone) -> None:
        """Say what became of an execution whose settlement was refused; nothing where there was none."""
        task, why = gone
        remembered = self._remembered.pop((task.id, task.delivery), None)
        if remembered is not None:
            slot, ending, verdict = remembered if len(remembered) == 3 else _recall(*remembered)
            self.tally.refused(verdict.outcome, why, dead=isinstance(verdict.settlement, Bury))
            self._lines.append(self._event(slot, task, ending, Verdict(why, None)))

    def _ask_callback(self, task: Task, ending: Ending) -> tuple[Ending, Retry | Dead | Interrupted | None]:
        try:
            advice = self._callback.review(task, ending)
        except (Retry, Dead, Interrupted) as instruction:
            return ending, instruction
        except (CommandNotFound, HostUnfit):
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a user's code raises is its task's failure
            what = f"{type(error).__name__}: {error}"
            return ending._replace(exit=None, signal=None, error=what, stderr=trace(error)), None
        return ending._replace(advice=advice) if advice else ending, None

    def _judge(self, task: Task, ending: Ending, instruction: Retry | Dead | Interrupted | None) -> Verdict:
        if instruction is not None:
            return policy.obey(task, ending, instruction, self._rules)
        if ending.stopped == "leaving" and ending.took >= policy.WHOLE_LIFETIME * self._lifetime.whole:
            ending = ending._replace(stopped="lifetime")
        return policy.judge(task, ending, self._rules)

    def _sign(self, verdict: Verdict) -> Verdict:
        """Sign a failure, and see when its task is due again."""
        settlement, failure = verdict.settlement, verdict.failure
        if isinstance(settlement, Nack) and settlement.delay:
            self.own_due = max(self.own_due, time.monotonic() + settlement.delay)
        if failure is None or settlement is None:
            return verdict
        failure = failure._replace(minion=self._me.uid, host=self._me.host, at=time.time())
        return verdict._replace(failure=failure, settlement=settlement._replace(failure=failure))  # type: ignore[call-arg]

    def _event(self, slot: int, task: Task, ending: Ending, verdict: Verdict) -> str:
        settlement, failure = verdict.settlement, verdict.failure
        if verdict.outcome == "done":
            return events.task_done(
                time.time(), self._me.uid, slot, task, ending.start, ending.took, ending.result, ending.cpu, ending.rss
            )
        return events.task_end(
            time.time(),
            self._me.uid,
            slot,
            task,
            start=ending.start,
            outcome=verdict.outcome,
            took=ending.took,
            exit=ending.exit,
            signal=ending.signal,
            reason=failure.reason if failure else "",
            stderr=ending.stderr if failure else "",
            retry_in=settlement.delay if isinstance(settlement, Nack) else None,
            dead=isinstance(settlement, Bury),
            result=ending.result,
            cpu=ending.cpu,
            rss=ending.rss,
        )

    def _remember(self, slot: int, task: Task, ending: Ending, verdict: Verdict) -> None:
        self._remembered[(task.id, task.delivery)] = (slot, ending, verdict)
        self._forget()

    def _forget(self) -> None:
        """Forget the oldest executions: many at once, for one by one from its front a dictionary gets slow."""
        if len(self._remembered) > 2 * _REMEMBERED:
            self._remembered = dict(list(self._remembered.items())[-_REMEMBERED:])

    # ------------------------------------------------------------------ record and let go

    def deliver(self, courier: Courier | None, *, urgent: bool = False) -> None:
        """Record what ended, and hand its settlements over; with no courier there is nobody to take them."""
        if self._lines:
            self.report("".join(self._lines))
            self._lines.clear()
        if self._settlements:
            if courier is not None:
                courier.settle(self._settlements, urgent=urgent)
            self._settlements = []

    def report(self, lines: str) -> None:
        """Record events."""
        self._guarded(lambda: self._reporter.report(lines))

    def beat(self) -> None:
        """Show that the minion lives."""
        self._guarded(self._reporter.beat)

    def close(self) -> None:
        """Let go of the reporter."""
        self._guarded(self._reporter.close)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a reporter that fails never fails a task
            if not self._reporter_failed:
                self._reporter_failed = True
                self._console.warn(f"events are not recorded: {error}. The tasks go on.")


def trace(error: BaseException) -> str:
    """Write the end of a traceback, as much as a failure keeps."""
    from traceback import format_exception

    return "".join(format_exception(error))[-4096:]


def _recall(slot: int, success: Success) -> tuple[int, Ending, Verdict]:
    """Give what is remembered of a success as that of any execution."""
    task, start, took, cpu, rss, result = success
    return slot, Ending(0, None, "", "", start, took, cpu, rss, "", result), Verdict("done", Ack(task, result))
