"""The contract of engines: each clause is a sentence, and a check that raises AssertionError where it is not kept.

``maker``       what the author of an engine provides
``clause``      a clause, and the traits it needs
``runner``      all clauses, and running them
``checks``      the verbs that clauses are written in
``exchanging``  ``values``  ``settling``  ``leases``  ``crashes``  ``putting``  ``books``  ``admin``  ``crowd``  ``faults``: the clauses, by theme
"""

from __future__ import annotations

from minionize.testing.contract.clause import Clause, DoesNotApply
from minionize.testing.contract.maker import Maker, identity
from minionize.testing.contract.runner import Report, clauses, run

__all__ = ["Clause", "DoesNotApply", "Maker", "Report", "clauses", "identity", "run"]
