"""What a minion starts ends with it, or before."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from harness import has_ended, state_of, wait_for_lines, wait_for_the_end_of, wait_until

from minionize.model import Counts

#: What a task may leave running; each notes its pid.
FAMILY = """\
echo $$ >> pids
sh -c 'echo $$ >> pids; exec sleep 1000' &
setsid sh -c 'echo $$ >> pids; exec sleep 1000' &
env -i sh -c 'echo $$ >> pids; exec sleep 1000' &
setsid sh -c 'sh -c "echo \\$\\$ >> pids; exec sleep 1000" & echo $$ >> pids; wait' &
"""
MEMBERS = 6


def pids(camp, count=MEMBERS):
    """Wait until all have noted their pids, and return them."""
    return [int(line) for line in wait_for_lines(camp.path / "pids", count)]


def warden_of(minion):
    """Find the warden of a minion, which is a child of it."""

    def find():
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8") as stat:
                    head, _, rest = stat.read().rpartition(") ")
            except OSError:
                continue
            if head.endswith("(minion-warden") and int(rest.split()[1]) == minion.pid:
                return int(name)
        return None

    return wait_until(find, "the warden of the minion")


def started(camp, family, count=MEMBERS):
    """Start a minion with a family in one slot, and a task in the next one, so that the minion is past starting the first."""
    command = camp.script("command", f'test "$1" = last && echo >> last && exec sleep 1000\n{family}')
    camp.put("first", "last")
    minion = camp.minion("-j2", command)
    wait_for_lines(camp.path / "last", 1)
    return minion, pids(camp, count)


def test_a_killed_minion_leaves_no_orphan(camp):
    """Kill -9: the child, its children, those in sessions of their own and one that dropped its environment are gone."""
    minion, family = started(camp, f"{FAMILY}wait")
    minion.kill()
    wait_for_the_end_of(*family)


def test_a_child_that_drops_its_own_environment_is_no_orphan_either(camp):
    """The minion knows the session that it gave it."""
    minion, child = started(camp, "echo $$ >> pids; exec env -i sleep 1000", 1)
    minion.kill()
    wait_for_the_end_of(*child)


def test_a_killed_minion_leaves_no_files_behind(camp):
    """Its scratch directory, where params and results of children are, goes with it."""
    command = camp.script("command", 'echo half > "$MINION_RESULT_FILE"; echo $$ > pids; exec sleep 1000')
    camp.put("1")
    minion = camp.minion(command)
    pids(camp, 1)
    assert os.listdir(camp.path / "scratch")
    minion.kill()
    wait_until(lambda: not os.listdir(camp.path / "scratch"), "an empty scratch directory")


def test_children_of_a_minion_that_went_with_its_warden_end_before_their_task_runs_again(camp):
    """Some killers take a whole process tree. Who takes over looks once more, so that nothing runs twice at once."""
    gate = camp.gate()
    command = camp.script("command", "cat pid >> before; echo $$ > pid; echo >> ran; read _ < gate")
    camp.put("1")
    first = camp.minion(command)
    wait_for_lines(camp.ran, 1)
    warden = warden_of(first)
    first.signal(signal.SIGSTOP)
    os.kill(warden, signal.SIGKILL)
    first.kill()
    child = int((camp.path / "pid").read_text())
    assert state_of(child) == "S"
    second = camp.minion(command)
    wait_for_lines(camp.ran, 2)
    assert (camp.path / "before").read_text().split() == [str(child)]
    assert state_of(child) in ("", "Z")
    gate.open()
    assert second.code() == 0, second.err


def test_a_minion_whose_warden_was_killed_works_on(camp):
    """It can no longer promise to leave nothing behind, but loses no task."""
    gate = camp.gate()
    command = camp.script("command", "echo >> ran; read _ < gate")
    camp.put("1..2")
    minion = camp.minion(command)
    wait_for_lines(camp.ran, 1)
    warden = warden_of(minion)
    os.kill(warden, signal.SIGKILL)
    wait_for_the_end_of(warden)
    gate.open()
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 2
    assert os.listdir(camp.path / "scratch") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_warden_is_not_ended_by_what_ends_a_whole_job(camp, number):
    """Schedulers signal every process of a job, and only then kill the minion."""
    minion, family = started(camp, f"{FAMILY}wait")
    os.kill(warden_of(minion), number)
    minion.kill()
    wait_for_the_end_of(*family)


@pytest.mark.parametrize("end", ["exit 0", "kill -SEGV $$"])
def test_what_a_child_leaves_behind_in_its_group_ends_with_it(camp, end):
    """A slot is empty before its next task begins."""
    command = camp.script("command", f"sh -c 'trap \"\" TERM HUP; echo $$ >> pids; sleep 1000' &\nread _ < gate\n{end}")
    gate = camp.gate()
    camp.put("1")
    minion = camp.minion("--max-attempts", "1", command)
    (left,) = pids(camp, 1)
    gate.open()
    assert minion.code() == (end != "exit 0"), minion.err
    assert state_of(left) in ("", "Z")


def test_a_grandchild_that_keeps_the_output_open_does_not_hold_up_its_slot(camp):
    """One in a session of its own lives on, as it was meant to; the next task runs meanwhile."""
    escapes = "setsid sh -c 'echo $$ >> pids; echo > escaped.$1; read _ < gate' sh $1 &"
    command = camp.script("command", f'echo "out $1"; {escapes} until [ -e escaped.$1 ]; do :; done')
    gate = camp.gate()
    camp.put("1..3")
    minion = camp.minion(command)
    assert minion.code() == 0, minion.err
    assert minion.out == "out 1\nout 2\nout 3\n"
    assert not any(map(has_ended, pids(camp, 3)))
    gate.open()
    wait_for_the_end_of(*pids(camp, 3))


def test_an_inner_minion_is_swept_away_with_all_it_started(camp):
    """A minion that is the task of another one has a warden of its own, which outlives it."""
    inner = camp.script("inner", "echo $$ >> pids; echo $PPID >> pids; env -i setsid true; exec env -i sleep 1000")
    cli = f"{sys.executable} -m minionize.cli"
    command = camp.script("command", f"export SQLITE_PATH=inner.db; {cli}.queue put x && exec {cli}.minionize {inner}")
    camp.put("1")
    minion = camp.minion(command)
    family = pids(camp, 2)
    minion.kill()
    wait_for_the_end_of(*family)


def test_an_error_of_our_own_leaves_no_orphan(camp):
    """Should minionize itself fail, the children end, and their tasks are given back."""
    broken = "import minionize.policy as p; p.judge = lambda *_: 1 / 0"
    program = f"{broken}; import sys; from minionize.cli.minionize import main; sys.exit(main(sys.argv[1:]))"
    gate = camp.gate()
    command = camp.script("command", f'test "$1" = last && read _ < gate && exit\n{FAMILY}wait')
    camp.put("first", "last")
    minion = camp.start(sys.executable, "-c", program, "-j2", command)
    family = pids(camp)
    gate.open()
    assert minion.code() == 70
    assert "ZeroDivisionError" in minion.err
    wait_for_the_end_of(*family)
    assert camp.counts() == Counts(pending=2, delayed=0, leased=0, done=0, dead=0)
