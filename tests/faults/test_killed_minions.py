"""kill -9 of a minion at every step of its loop: nothing is lost, and nothing is done again that was settled."""

from __future__ import annotations

import signal

import pytest
from halting import STEPS
from harness import wait_for_lines

from minionize.model import Counts

#: The steps at which a child has begun, and its task is not settled: that one runs twice.
UNSETTLED = {
    "when the child has just started",
    "when the child has ended",
    "when the event is written",
    "before the settlement",
    "in the transaction of the settlement",
    "in the transaction of a renewal",
}


def note(camp, then=""):
    """Make a command that notes its first argument in the file ``ran``."""
    return camp.script("command", f'echo "$1" >> ran\n{then}')


@pytest.mark.parametrize("step", [step for step in STEPS if "second" not in step])
def test_another_minion_finishes_what_a_killed_one_left(camp, step):
    """What was settled stays so, all else runs once more, the books add up, and what was held has a crash to its name."""
    gate = camp.gate()
    command = note(camp, 'test "$2" = wait && read _ < gate; exit 0')
    camp.put("1..3")
    waits = step == "in the transaction of a renewal"
    first = camp.halting(step, "--lease", "0.3s" if waits else "60s", command, "{}", "wait" if waits else "go")
    first.wait()
    if step in UNSETTLED:
        wait_for_lines(camp.ran, 1)
    first.kill()
    camp.is_empty()
    ran, left = camp.runs(), camp.entries()
    assert (step in UNSETTLED) == (bool(ran) and left[1].state != "done")
    gate.open()
    second = camp.minion(command, "{}")
    assert second.code() == 0, second.err
    assert camp.counts() == Counts(pending=0, delayed=0, leased=0, done=3, dead=0)
    assert camp.runs()[len(ran) :] == [str(param) for param, entry in left.items() if entry.state != "done"]
    for param, entry in camp.entries().items():
        assert entry.crashes == (left[param].state == "leased")
        assert entry.attempt == 1


def test_a_minion_that_waits_takes_over_at_once(camp):
    """It sees on its own host that the process is gone, long before the lease ends."""
    gate = camp.gate()
    command = note(camp, "read _ < gate")
    camp.put("1")
    first = camp.minion("--lease", "1h", command)
    wait_for_lines(camp.ran, 1)
    second = camp.minion("--lease", "1h", command)
    second.has_said("takes params from")
    first.kill()
    wait_for_lines(camp.ran, 2)
    gate.open()
    assert second.code() == 0, second.err
    assert camp.counts().done == 1
    entry = camp.entries()[1]
    assert (entry.crashes, entry.delivery, entry.attempt) == (1, 2, 1)


def test_a_minion_that_is_killed_while_it_gives_back_loses_nothing(camp):
    """SIGTERM, and SIGKILL before the giving back was written: schedulers do that."""
    command = note(camp, 'test "$2" = go || exec sleep 1000')
    camp.put("1..3")
    first = camp.halting("before the settlement", "-j2", command, "{}", "stay")
    wait_for_lines(camp.ran, 2)
    first.signal(signal.SIGTERM)
    first.wait()
    first.kill()
    second = camp.minion(command, "{}", "go")
    assert second.code() == 0, second.err
    assert camp.counts() == Counts(0, 0, 0, 3, 0)
    assert sorted(camp.runs()) == ["1", "1", "2", "2", "3"]


def test_a_minion_that_dies_again_and_again_with_a_task_buries_it_in_the_end(camp):
    """A task that kills its minion is dead after MINION_MAX_CRASHES, with the reason on record; the others are done."""
    command = camp.script("command", 'test "$1" = bad && kill -9 "$PPID" && sleep 1000; exit 0')
    camp.put("good", "bad", "better")
    codes = [camp.minion("--max-crashes", "3", command).code() for _ in range(4)]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0]
    assert camp.counts() == Counts(0, 0, 0, 2, 1)
    failure = camp.entries()["bad"].failure
    assert failure.kind == "crash"
    assert "3 minions vanished with it" in failure.reason


def test_the_crashes_of_a_preemptible_minion_are_not_counted(camp):
    """It was expected to vanish: that says nothing about its tasks."""
    gate = camp.gate()
    command = note(camp, "read _ < gate")
    camp.put("1")
    first = camp.minion(command, variables={"MINION_PREEMPTIBLE": "1"})
    wait_for_lines(camp.ran, 1)
    first.kill()
    gate.open()
    assert camp.minion("--max-crashes", "1", command).code() == 0
    assert camp.entries()[1].crashes == 0


def test_four_minions_share_a_queue_while_one_after_the_other_is_killed(camp):
    """Each of 200 params is done once in the books, whatever was running when the minions went."""
    command = note(camp)
    camp.put("1..200")
    minions = [camp.minion("-j2", command) for _ in range(4)]
    for count, minion in zip((20, 60, 100), minions, strict=False):
        wait_for_lines(camp.ran, count)
        minion.kill()
    assert minions[3].code() == 0, minions[3].err
    assert camp.counts() == Counts(0, 0, 0, 200, 0)
    assert set(camp.runs()) == {str(n) for n in range(1, 201)}
