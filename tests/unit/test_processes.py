"""Real processes: whether a minion is gone, and how what it left behind is found and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from minionize import place, processes
from minionize.processes import children_of_minion, is_gone, kill_all, start_time

UID = place.identity().uid


class Nursery:
    """Starts processes for one test, and ends and reaps those it started."""

    def __init__(self):
        self.pids = []

    def spawn(self, *argv, env=None, path=None, **options):
        """Start a command; it is to be seen with its environment when this returns."""
        path = path or ("/bin/" + argv[0])
        pid = os.posix_spawn(path, argv, {"MINION_ID": UID} if env is None else env, **options)
        self.pids.append(pid)
        while not has_environment(pid):
            pass  # the last steps of the kernel's execve: microseconds
        return pid

    def ready(self, script, **options):
        """Start a shell that prints the pid of what is to be watched, and return both pids."""
        reading, writing = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_CLOSE, reading)]
        pid = self.spawn("sh", "-c", script, file_actions=actions, **options)
        os.close(writing)
        with open(reading, encoding="ascii") as stream:
            return pid, int(stream.readline())

    def end(self):
        """Leave nothing of ours behind."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            os.waitpid(pid, 0)


def has_environment(pid):
    """Tell whether the kernel has noted where the environment is: field 51, written last."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
        return stream.read().rpartition(") ")[2].split()[48] != "0"


@pytest.fixture
def nursery():
    """Start processes."""
    nursery = Nursery()
    yield nursery
    nursery.end()


@pytest.fixture
def minion(nursery):
    """Return the pid of a process, and the identity that a minion with this pid would have."""
    pid = nursery.spawn("sleep", "60")
    return pid, place.identity()._replace(pid=pid, start=start_time(pid))


def zombie(pid):
    """End a child, and see that it has ended, without reaping it."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def is_over(pid):
    """Tell whether a process that others reap has ended."""
    stat = processes._stat(pid)
    return stat is None or stat.is_over


def test_a_process_that_runs_is_not_gone(minion):
    """Nor are we."""
    here = place.identity()
    assert not is_gone(minion[1], here)
    assert not is_gone(here, here)


def test_a_zombie_is_gone(minion):
    """It runs no more, whether or not its parent looks."""
    zombie(minion[0])
    assert is_gone(minion[1], place.identity())


def test_a_process_that_was_reaped_is_gone(nursery, minion):
    """Its pid is nobody's."""
    pid, identity = minion
    zombie(pid)
    os.waitpid(pid, 0)
    nursery.pids.remove(pid)
    assert start_time(pid) is None
    assert is_gone(identity, place.identity())


def test_another_process_with_the_same_pid_is_another_process(minion):
    """Its start time tells."""
    assert is_gone(minion[1]._replace(start=minion[1].start - 1), place.identity())


def test_a_start_time_that_nobody_knows_proves_nothing(minion):
    """0 stands for unknown."""
    assert not is_gone(minion[1]._replace(start=0), place.identity())


@pytest.mark.parametrize("other", [{"boot": "another"}, {"namespace": "pid:[1]"}, {"boot": ""}, {"namespace": ""}])
def test_what_cannot_be_seen_is_not_gone(minion, other):
    """On another host, in another container, or where this is unknown, the lease decides."""
    pid, identity = minion
    zombie(pid)
    assert not is_gone(identity._replace(**other), place.identity())
    assert not is_gone(identity._replace(**other), place.identity()._replace(**other)) or all(other.values())


def test_a_process_that_proc_hides_is_not_gone(minion, monkeypatch):
    """Some sites show everybody only his own processes: the kernel knows better."""
    monkeypatch.setattr(processes, "_stat", lambda pid: None)
    assert not is_gone(minion[1], place.identity())


def test_a_process_of_somebody_else_exists(monkeypatch):
    """To be forbidden is to be there."""

    def forbidden(pid, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert processes._exists(1)


def test_start_times_of_names_with_brackets_are_read(nursery, tmp_path):
    """The name stands in brackets in front of the numbers, and may hold some."""
    (tmp_path / "a) Z 1 (b").symlink_to("/bin/sleep")
    pid = nursery.spawn("sleep", "60", path=str(tmp_path / "a) Z 1 (b"))
    assert start_time(pid) >= start_time(os.getpid())
    assert processes._stat(pid).name == "a) Z 1 (b"
    assert children_of_minion(UID) == [pid]


def test_children_are_known_by_exactly_their_minions_id(nursery):
    """Not by a longer id, nor by a variable that ends or contains the same."""
    mine = nursery.spawn("sleep", "60")
    for env in (
        {"MINION_ID": UID + "0"},
        {"MINION_ID": UID[:-1]},
        {"X_MINION_ID": UID},
        {"X": f"1\nMINION_ID={UID}"},
        {},
    ):
        nursery.spawn("sleep", "60", env=env)
    assert children_of_minion(UID) == [mine]


def test_the_process_that_asks_is_no_child():
    """A minion inside a minion carries the outer one's id itself."""
    script = (
        "import os; from minionize.processes import children_of_minion as c; print(c('" + UID + "', [os.getsid(0)]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "MINION_ID": UID},
        start_new_session=True,
        capture_output=True,
        check=True,
    )
    assert out.stdout == b"[]\n"


def test_a_grandchild_in_a_session_of_its_own_is_found_and_killed(nursery):
    """``setsid timeout 60 ./a.out`` in a script, say."""
    shell, grandchild = nursery.ready("setsid sh -c 'echo $$; sleep 60; true' & wait")
    assert os.getsid(grandchild) != os.getsid(shell)
    assert set(children_of_minion(UID)) >= {shell, grandchild}
    assert kill_all(UID) >= 2
    assert is_over(grandchild)
    assert is_over(shell)


def test_a_child_that_drops_its_environment_is_found_by_its_session(nursery):
    """``env -i`` hides the id, not the session that the slot gave."""
    shell, hidden = nursery.ready("env -i sh -c 'echo $$; sleep 60; true' & wait", setsid=True)
    assert hidden not in children_of_minion(UID)
    assert hidden in children_of_minion(UID, [shell])
    kill_all(UID, [shell])
    assert is_over(hidden)


def test_what_is_started_during_the_killing_is_killed_too(nursery):
    """It looks again until a look finds nothing."""
    nursery.ready("echo $$; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done; wait")
    assert kill_all(UID) >= 1
    assert children_of_minion(UID) == []


def test_killing_again_finds_nothing_and_zombies_do_not_count(nursery):
    """The one that we killed is ours to reap, and still in the table."""
    nursery.spawn("sleep", "60")
    assert kill_all(UID) == 1
    assert kill_all(UID) == 0


def test_what_has_no_environment_yet_is_not_missed(nursery, monkeypatch):
    """While a program is being started it cannot be told whose it is, for a moment."""
    nursery.spawn("sleep", "60")
    looks = []

    def find(*what):
        looks.append(what)
        return [] if len(looks) == 1 else real(*what)

    real = processes._find
    monkeypatch.setattr(processes, "_find", find)
    assert kill_all(UID) == 1


def test_others_are_not_touched(nursery):
    """Only what carries the id."""
    other = nursery.spawn("sleep", "60", env={"MINION_ID": "other"})
    nursery.spawn("sleep", "60")
    kill_all(UID)
    assert not is_over(other)


def test_what_we_may_not_kill_is_left_alone(nursery, monkeypatch):
    """A program that changed its user cannot hold us up."""
    nursery.spawn("sleep", "60")
    monkeypatch.setattr(processes, "_kill", lambda pid: False)
    assert kill_all(UID) == 0


def test_a_process_that_does_not_die_does_not_hold_us_up(nursery, monkeypatch):
    """One that waits for a broken disk hears no signal; the number of looks is bounded."""
    nursery.spawn("sleep", "60")
    pauses = []
    monkeypatch.setattr(processes.time, "sleep", pauses.append)
    monkeypatch.setattr(processes, "_kill", lambda pid: True)
    assert kill_all(UID) == 1
    assert 0 < len(pauses) < 50


def test_the_warden_of_an_inner_minion_is_spared(nursery, tmp_path):
    """It has its own minion's children to end, and then ends itself."""
    (tmp_path / processes.WARDEN).symlink_to("/bin/sleep")
    warden = nursery.spawn("sleep", "60", path=str(tmp_path / processes.WARDEN))
    inner = nursery.spawn("sleep", "60")
    assert kill_all(UID) == 1
    assert is_over(inner)
    assert not is_over(warden)


def test_a_warden_gives_its_process_a_name():
    """The one by which it is spared."""
    script = (
        "from minionize import processes as p; import os; p.name_warden(); print(p._stat(os.getpid()).name == p.WARDEN)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"True\n"
