"""A clause of the contract, and the traits it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minionize.model import STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.model import Traits
    from minionize.testing.contract.maker import Maker


class DoesNotApply(Exception):
    """Raised by a check whose maker lacks the means: the clause is skipped with this reason."""


class Need(NamedTuple):
    """A trait that a clause is about: ``lacking`` says so where it is not there."""

    lacking: str
    met: Callable[[Traits], bool]


class Clause(NamedTuple):
    """One sentence of the contract, and how to see whether an engine keeps it."""

    name: str
    requires: tuple[Need, ...]
    body: Callable[[Maker], None]

    def needs(self, traits: Traits) -> str | None:
        """Say which trait makes this clause not apply; None: it applies."""
        return next((need.lacking for need in self.requires if not need.met(traits)), None)

    def check(self, maker: Maker) -> None:
        """Raise AssertionError where the clause is not kept, DoesNotApply where ``maker`` cannot show it."""
        self.body(maker)


class Theme:
    """Clauses that belong together, in the order in which they are written."""

    def __init__(self) -> None:
        """Begin with none."""
        self.clauses: list[Clause] = []

    def clause(self, *requires: Need) -> Callable[[Callable[[Maker], None]], Callable[[Maker], None]]:
        """Take a function as a clause; the first line of its docstring is the sentence."""

        def take(body: Callable[[Maker], None]) -> Callable[[Maker], None]:
            self.clauses.append(Clause(sentence(body), requires, body))
            return body

        return take


def sentence(body: Callable[[Maker], None]) -> str:
    """Read the sentence of a clause; ``python -OO`` drops docstrings, then it is the function's name in words."""
    lines = (body.__doc__ or body.__name__.replace("_", " ")).strip().splitlines()
    return lines[0].rstrip(".")


def verbs(*names: str) -> Need:
    """Need these verbs of the administrator."""
    return Need(f"admin lacks one of: {', '.join(names)}", lambda traits: traits.admin.issuperset(names))


DURABLE = Need("durable is False", lambda traits: traits.durable)
LEASE = Need("lease is none", lambda traits: traits.lease != "none")
DELAY = Need("delay is False", lambda traits: traits.delay)
FENCING = Need("fencing is False", lambda traits: traits.fencing)
COUNTS = Need("counts is none", lambda traits: traits.counts != "none")
EXACT = Need("counts is not exact", lambda traits: traits.counts == "exact")
ORDER = Need("order is False", lambda traits: traits.order)
DELIVERIES = Need("deliveries is none", lambda traits: traits.deliveries != "none")
CRASHES = Need(
    "crashes are counted only where deliveries are durable and lease is not none",
    lambda traits: traits.deliveries == "durable" and LEASE.met(traits),
)
LOOKS = Need("not every state is listed", lambda traits: traits.listed.issuperset(STATES))
DEDUP = Need("dedup is False", lambda traits: traits.dedup)
FINITE = Need("finite is False", lambda traits: traits.finite)
LIMITED = Need("param_limit is None", lambda traits: traits.param_limit is not None)
