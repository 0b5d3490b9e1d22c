"""One slot of a minion that calls a function: its queue, its child, and how far that is."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from minionize.slots.calls.channel import BATCHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minionize.model import Task
    from minionize.policy import Stopped
    from minionize.slots.calls.channel import Channel
    from minionize.slots.output import Output

NEVER = float("inf")


class CallSlot:
    """A place where one call runs at a time, and what waits for it there."""

    __slots__ = (
        *("alive", "announced", "batches", "channel", "cpu", "deadline", "epoch", "heard", "index", "kill_at"),
        *(
            "listens",
            "nudge_at",
            "_hushed",
            "output",
            "outbox",
            "paused",
            "queue",
            "ready",
            "sequence",
            "start",
            "stopped",
            "stopped_at",
        ),
    )

    def __init__(self, channel: Channel, output: Output) -> None:
        """Make an empty slot, without a child."""
        self.channel, self.output, self.index = channel, output, channel.index
        self.queue: deque[Task] = deque()
        self.outbox: list[Task] = []  # those at the end of the queue that were not sent yet
        self.batches: deque[list[int]] = deque()  # how much is left of each that was sent, and what it was
        self.sequence = 0
        self.alive = self.ready = self.listens = self.heard = self._hushed = False  # heard: since it was drained
        self.announced = False
        self.start = self.deadline = self.kill_at = self.nudge_at = NEVER
        self.epoch = self.paused = self.cpu = 0.0  # cpu: what the child has used up to the last task that has ended
        self.stopped: Stopped = ""
        self.stopped_at = NEVER

    @property
    def task(self) -> Task:
        """What is being called, or is next."""
        return self.queue[0]

    @property
    def is_plain(self) -> bool:
        """Whether a success of its child's is one, and no more need be known of it."""
        return not (self.heard or self.stopped or self.paused)

    def begin(self, start: float, epoch: float, timeout: float | None) -> None:
        """Note that the first task of the queue begins (monotonic and epoch seconds)."""
        self.start, self.epoch, self.announced, self.paused = start, epoch, False, 0.0
        self.deadline = start + timeout if timeout else NEVER

    # ------------------------------------------------------------------ tasks

    def room(self, most: int, slow: float) -> int:
        """Say how many more tasks it may have: up to ``most``, but none behind one that began before ``slow`` (monotonic)."""
        if not self.ready:
            most = 1  # nobody knows how long its child will take to set up
        more = most - len(self.queue)
        if self.stopped or len(self.batches) == BATCHES or (self.queue and (2 * more < most or self.start < slow)):
            return 0
        return max(0, more)

    def send(self, tasks: Sequence[Task]) -> None:
        """Send the last tasks of the queue to the child; raises OSError."""
        sequence = (self.sequence + 1) % 256
        self.channel.send(sequence, tasks)
        self.sequence = sequence
        self.batches.append([len(tasks), len(tasks)])

    def pop(self) -> Task:
        """Take the first task off the queue: its child says that it has ended."""
        batch = self.batches[0]
        batch[0] -= 1
        if not batch[0]:
            self.batches.popleft()
        return self.queue.popleft()

    def withdraw(self) -> list[Task]:
        """Take back what the child has not begun."""
        unsent, self.outbox = len(self.outbox), []
        count = self.channel.withdraw()
        tasks = [self.queue.pop() for _ in range(unsent + count)]
        while count:
            batch = self.batches[-1]
            taken = min(count, batch[0])
            batch[0] -= taken
            count -= taken
            if taken == batch[1]:  # the child never saw it: its number is free
                self.sequence = (self.sequence - 1) % 256
            if not batch[0]:
                self.batches.pop()
        return tasks[::-1]

    def forget_child(self) -> None:
        """Be ready for another child."""
        self.channel.forget()
        self.batches.clear()
        self.alive = self.ready = False
        self.stopped = ""
        self.stopped_at = self.kill_at = self.nudge_at = NEVER

    # ------------------------------------------------------------------ output

    def listen(self, on: bool) -> None:
        """Read what the child writes as it comes, if only one task can have written it; else when that has ended."""
        if on and self.ready:
            self.output.begin(self.task)
        self.heard |= on
        if on != self.listens:
            self.listens = on
            self._apply()

    def hush(self, on: bool) -> None:
        """Read nothing for a while: who reads us has fallen behind."""
        self._hushed = on
        self._apply()

    def _apply(self) -> None:
        for stream in self.output.streams():
            stream.listen(self.listens and not self._hushed)

    def drain(self, task: Task | None = None, printed: int = True) -> str:
        """Pass on what the child has written, during this task; returns the tail of its standard error."""
        if task is not None:
            self.output.begin(task)
        readable = {stream.reader for stream in self.output.streams()} if printed else None
        tail = self.output.end(readable).decode("utf-8", "replace")
        self.heard = self.listens
        if printed and self.alive:
            self.channel.let_go()
        return tail
