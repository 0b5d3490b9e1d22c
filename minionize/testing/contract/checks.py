"""The verbs that clauses are written in. No ``assert``: ``python -O`` would drop it."""

from __future__ import annotations

import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar, cast

from minionize.errors import EngineUnavailable
from minionize.model import NewTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from minionize.engines.base import Admin, Engine
    from minionize.model import Gone, Settlement, Task
    from minionize.testing.contract.maker import Maker

T = TypeVar("T")

#: A wait that no test should see the end of.
LONG = 20.0
#: Seconds within which what happens "at once" has happened, also on a loaded machine.
AT_ONCE = 5.0


def holds(condition: object, sentence: str) -> None:
    """Require that something is so."""
    if not condition:
        raise AssertionError(sentence)


def same(found: object, expected: object, what: str) -> None:
    """Require that two values are equal."""
    if found != expected:
        raise AssertionError(f"{what}: expected {_brief(expected)}, found {_brief(found)}")


def raises(error: type[BaseException], act: Callable[[], object], what: str) -> BaseException:
    """Require that ``act`` raises ``error``, and hand it over."""
    try:
        found = act()
    except error as raised:
        return raised
    raise AssertionError(f"{what}: expected {error.__name__} to be raised, but it returned {_brief(found)}")


def task_id(name: str) -> str:
    """Make an id as ``put`` makes them: 16 hex digits."""
    return sha256(name.encode()).hexdigest()[:16]


def new(*names: str) -> list[NewTask]:
    """Make tasks whose params are these strings (of letters and digits)."""
    return [NewTask(task_id(name), f'"{name}"') for name in names]


def fill(engine: Engine, *names: str) -> list[str]:
    """Put tasks of these names; returns their ids."""
    tasks = new(*names)
    same(engine.put(tasks).added, len(tasks), f"tasks added by a put of {len(tasks)} new ones")
    return [task.id for task in tasks]


def take(maker: Maker, engine: Engine, count: int = 1, *settled: Settlement) -> list[Task]:
    """Settle, and take ``count`` tasks, which have to come."""
    first = engine.exchange(settled, limit=count, wait=0.0)
    same(first.gone, (), "settlements refused")
    tasks, until = list(first.tasks), time.monotonic() + maker.patience
    while len(tasks) < count:
        left = until - time.monotonic()
        holds(left > 0, f"{count} tasks should be handed out, but only {len(tasks)} were, in {maker.patience:g} s")
        tasks += engine.exchange(limit=count - len(tasks), wait=left).tasks
    same(len(tasks), count, "tasks handed out")
    return tasks


def take_one(maker: Maker, engine: Engine, *settled: Settlement) -> Task:
    """Settle, and take one task, which has to come."""
    return take(maker, engine, 1, *settled)[0]


def gets_nothing(maker: Maker, engine: Engine, why: str) -> None:
    """Require that nothing is handed out."""
    found = engine.exchange(limit=10, wait=maker.pause).tasks
    same([task.param for task in found], [], f"tasks handed out although {why}")


def settle(engine: Engine, *settled: Settlement) -> None:
    """Settle, which has to be accepted."""
    same(gone(engine.exchange(settled).gone), [], "settlements refused")


def gone(found: Iterable[Gone]) -> list[tuple[str, str]]:
    """Reduce to ids and reasons."""
    return sorted((item.task.id, item.why) for item in found)


def lost(*tasks: Task) -> list[tuple[str, str]]:
    """Expect these to be gone because their lease was lost."""
    return sorted((task.id, "lost") for task in tasks)


def cancelled(*tasks: Task) -> list[tuple[str, str]]:
    """Expect these to be gone because somebody took them off the books."""
    return sorted((task.id, "cancelled") for task in tasks)


def same_task(maker: Maker, found: Task, before: Task, *, attempt: int, what: str) -> None:
    """Require that a task came back: at this attempt, one delivery later where those are counted."""
    delivery = before.delivery + 1 if maker.traits.deliveries != "none" else found.delivery
    same(found._replace(handle=None), before._replace(attempt=attempt, delivery=delivery, handle=None), what)


def settled_for_good(maker: Maker) -> None:
    """Wait until what was settled would outlive its minion."""
    if maker.settling:
        time.sleep(maker.settling)


def vanish(maker: Maker, engine: Engine) -> None:
    """Let a minion vanish, and what it held come back by itself."""
    settled_for_good(maker)
    maker.kill(engine)
    if maker.traits.lease == "timed":
        maker.advance(maker.lease * 1.2)


def admin(engine: Engine) -> Admin:
    """See the administrator's half of an engine that has one."""
    return cast("Admin", engine)


def occupied(maker: Maker) -> tuple[Engine, Task]:
    """Let a minion hold a task, so that the queue has nothing to give and is not at its end."""
    other = maker.open("occupier")
    fill(other, "occupied")
    return other, take_one(maker, other)


def timed(act: Callable[[], T]) -> tuple[T, float]:
    """Run ``act``; returns what it returned, and how many seconds it took."""
    began = time.monotonic()
    return act(), time.monotonic() - began


def a_moment_later(act: Callable[[], object]) -> Callable[[], None]:
    """Delay ``act`` a little, so that others have begun to wait."""

    def late() -> None:
        time.sleep(0.03)
        act()

    return late


def eventually(maker: Maker, read: Callable[[], object], expected: object, what: str) -> None:
    """Require that ``read`` comes to return ``expected``."""
    until = time.monotonic() + maker.patience
    while (found := read()) != expected and time.monotonic() < until:
        time.sleep(0.01)
    same(found, expected, what)


def persistently(maker: Maker, act: Callable[[], T]) -> T:
    """Run ``act`` as a minion does: again while the queue does not answer."""
    until = time.monotonic() + maker.patience
    while True:
        try:
            return act()
        except EngineUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Together:
    """Runs functions in threads of their own, and raises what they raised."""

    def __init__(self, acts: Sequence[Callable[[], object]]) -> None:
        """Start them."""
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(act,), daemon=True) for act in acts]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> None:
        """Go on beside them."""

    def __exit__(self, *exception: object) -> None:
        """Wait until they ended."""
        for thread in self._threads:
            thread.join(LONG)
        holds(not any(thread.is_alive() for thread in self._threads), f"a thread did not end within {LONG:g} s")
        if self._errors:
            raise self._errors[0]

    def _run(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._errors.append(error)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:140]} ... {text[-140:]}"
