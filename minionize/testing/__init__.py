"""For authors of engines: what an engine has to do, as a suite that runs without a test framework.

Write a :class:`Maker` for your engine, then ``python -m minionize.testing yourmodule:YourMaker``, or ``run(YourMaker)``,
or one test per item of :func:`clauses` in the framework that you have.
"""

from __future__ import annotations

from minionize.testing.clock import FakeClock
from minionize.testing.contract import Clause, DoesNotApply, Maker, Report, clauses, identity, run

__all__ = ["Clause", "DoesNotApply", "FakeClock", "Maker", "Report", "clauses", "identity", "run"]
