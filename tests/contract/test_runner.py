"""Running the contract with no test framework: what a third party does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from makers import MemoryMaker

from minionize.engines.memory import MemoryEngine
from minionize.model import Delivery
from minionize.testing import FakeClock, clauses, identity, run
from minionize.testing.__main__ import find, main


class DeafEngine(MemoryEngine):
    """An engine that hands out nothing."""

    def exchange(self, settled=(), *, limit=0, wait=0.0):
        """Break every promise at once."""
        return Delivery()


class DeafMaker(MemoryMaker):
    """Opens engines that hand out nothing, and counts how often it was cleaned up."""

    patience = 0.0
    cleaned = 0

    def open(self, uid="a", *, max_crashes=5, preemptible=False):
        """Join the queue."""
        return DeafEngine(self.queue, identity(uid), self.lease, max_crashes)

    def cleanup(self):
        """Count."""
        type(self).cleaned += 1


def about(words):
    """Choose the clauses whose sentence has these words."""
    return lambda clause: words in clause.name


def test_report_names_what_is_kept_and_what_is_skipped():
    """A run on a good engine breaks nothing, and says by trait why clauses were skipped."""
    report = run(MemoryMaker)
    assert report.kept, str(report)
    assert len(report.passed) + len(report.skipped) == len(list(clauses()))
    assert dict(report.skipped)[
        "A queue that a later version wrote is refused with an EngineError, and left as it is"
    ] == ("durable is False")


def test_report_shows_why_a_clause_is_broken():
    """A run on a bad engine goes on after the first broken clause, cleans up after each, and shows why."""
    DeafMaker.cleaned = 0
    report = run(DeafMaker, about("ack"))
    assert not report.kept
    assert len(report.failed) > 1
    assert "AssertionError: 1 tasks should be handed out" in str(report)
    assert DeafMaker.cleaned == len(report.failed) + len(report.passed) + len(report.skipped)


def test_nothing_tried_is_not_kept():
    """A run that no clause was chosen for does not count as a success."""
    assert not run(MemoryMaker, about("no clause has these words")).kept


def test_each_clause_is_a_sentence_of_its_own():
    """No two clauses have the same name: a report would be ambiguous."""
    names = [clause.name for clause in clauses()]
    assert len(names) == len(set(names))
    assert all(" " in name and not name.endswith(".") for name in names)


def test_command_line_exit_codes(capsys):
    """The command says 0 where all is kept, 1 where something is broken, 2 where the maker is not there."""
    assert main(["makers:MemoryMaker", "nack twice"]) == 0
    assert "kept     The same nack twice" in capsys.readouterr().out
    assert main([f"{__name__}:DeafMaker", "nack twice"]) == 1
    assert "broken   The same nack twice" in capsys.readouterr().out
    assert main(["no.such.module:Maker"]) == 2
    assert "cannot import no.such.module" in capsys.readouterr().err
    assert main([]) == 2
    assert main(["--help"]) == 0


@pytest.mark.parametrize("address", ["makers", ":MemoryMaker", "makers:nothing", "makers:__name__"])
def test_an_address_that_names_no_maker_is_refused(address):
    """An address that is not MODULE:NAME of something that can be called is an error."""
    with pytest.raises(ValueError, match=r"makers|MODULE"):
        find(address)


def test_the_suite_needs_no_test_framework():
    """Importing the whole contract imports no pytest, and it works with assertions and docstrings stripped."""
    code = (
        "import sys\n"
        "from minionize.testing import clauses\n"
        "names = [clause.name for clause in clauses()]\n"
        "assert False\n"
        "print('pytest' in sys.modules, len(set(names)))"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = subprocess.run([sys.executable, "-OO", "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", str(len(list(clauses())))]


def test_fake_clock_stands_still_until_it_is_advanced():
    """A fake clock moves when told to, never back; one that runs with another is only ahead of it."""
    clock, base = FakeClock(5.0), FakeClock(100.0)
    clock.advance(1.5)
    assert clock() == clock() == 6.5
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    running = FakeClock(running=base)
    running.advance(10)
    base.advance(1)
    assert running() == 111.0
