"""What an exchange is about to do: collected first, and done at once."""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING

from minionize.engines.spool.holder import Change
from minionize.policy import ALONE

if TYPE_CHECKING:
    from minionize.engines.spool.chunk import Line
    from minionize.engines.spool.holder import Held, Holder
    from minionize.engines.spool.names import Chunk
    from minionize.model import Failure, Gone

#: What is due within so much of its delay after another goes into one chunk with it.
_TOGETHER = 1.1


class Draft:
    """Collects what becomes of tasks, until :meth:`change` makes a transaction of it."""

    def __init__(self, holder: Holder) -> None:
        """Begin with nothing."""
        self._holder = holder
        self.out: dict[Held, None] = {}
        self.hand: dict[Held, None] = {}
        self.keys: list[tuple[str, int]] = []  # what is settled by it
        self.gone: list[Gone] = []
        self.strays: set[str] = set()  # to be cancelled, though we do not hold them any more
        self._finished: set[Held] = set()
        self._text: list[str] = []
        self._back: list[tuple[float, Line]] = []  # when it is due
        self._dead: list[Line] = []
        self._give: list[tuple[Chunk, list[Line]]] = []

    def __bool__(self) -> bool:
        """Tell whether anything is to be done."""
        return bool(self.out or self.hand)

    def drop(self, held: Held) -> None:
        """Let it leave us, for nowhere."""
        self.out[held] = None

    def finish(self, held: Held, text: str) -> None:
        """Let it be done; the log says ``text``."""
        self.out[held] = None
        self._finished.add(held)
        self._text.append(text)

    def bury(self, held: Held, failure: Failure) -> None:
        """Let it be a dead letter."""
        self.out[held] = None
        self._dead.append(held.line._replace(delivery=held.delivery, failure=dumps(failure._asdict())))

    def give_back(self, held: Held, delay: float = 0.0, charge: int = 0, failure: Failure | None = None) -> None:
        """Offer it again after ``delay`` seconds."""
        self.out[held] = None
        line = held.line
        kept = dumps(failure._asdict()) if failure else line.failure
        line = line._replace(attempt=line.attempt + charge, delivery=held.delivery, failure=kept)
        self._back.append((self._holder.clock.now() + max(0.0, delay), line))

    def share(self, backlog: list[Held], parts: int) -> None:
        """Offer what was not begun to others, in so many parts."""
        lines, now = [held.line for held in backlog if held.line.crashes < ALONE], self._holder.clock.now()
        size = -(-len(lines) // parts)
        for first in range(0, len(lines), size or 1):
            part = lines[first : first + size]
            self._give.append((self._holder.new_chunk("r", now, len(part)), part))
        self._back += [(now, held.line) for held in backlog if held.line.crashes >= ALONE]
        self.out.update(dict.fromkeys(backlog))

    def change(self) -> Change:
        """Make the transaction."""
        new, now = self._holder.new_chunk, self._holder.clock.now()
        give = self._give + [(new("r", due, len(lines)), lines) for due, lines in self._bundles(now)]
        give += [(new("s", due, 1), [line]) for due, line in self._back if line.crashes >= ALONE]
        give += [(new("x", now, len(self._dead)), self._dead)] if self._dead else []
        return Change(
            out=tuple(self.out),
            hand=tuple(self.hand),
            text="".join(self._text),
            finished=self._finished,
            give=give,
            done=len(self._finished),
            keys=self.keys,
        )

    def _bundles(self, now: float) -> list[tuple[float, list[Line]]]:
        """Put together what is due at about the same time, so that many failures make few files; the last one decides when."""
        bundles: list[tuple[float, float, list[Line]]] = []
        for due, line in sorted((one for one in self._back if one[1].crashes < ALONE), key=lambda one: one[0]):
            first, _, lines = bundles[-1] if bundles else (0.0, 0.0, [])
            if lines and due - now <= (first - now) * _TOGETHER + 0.01:
                lines.append(line)
                bundles[-1] = first, due, lines
            else:
                bundles.append((due, due, [line]))
        return [(last, lines) for _, last, lines in bundles]
