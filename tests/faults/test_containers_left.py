"""No container outlives its minion, and none outlives its client, whoever is killed."""

from __future__ import annotations

import os
import signal

import pytest
from harness import lines_of, state_of, wait_for_lines, wait_for_the_end_of, wait_until
from servers import docker, podman

IMAGE = podman.IMAGE
#: What a container runs: it notes its begin outside, and heeds nothing.
RUNS = 'trap "" TERM INT HUP; echo $1 >> /camp/begun; while :; do sleep 0.05; done'
#: The same, with an environment in which nothing says whose it is.
HIDDEN = f"exec env -i /bin/sh -c '{RUNS}' sh $1"


@pytest.fixture(params=["podman", "docker"])
def world(request, camp):
    """Return where containers run."""
    found = {"podman": podman, "docker": docker}[request.param].shared()
    camp.environment |= found.environment | {"MINION_RUNTIME": request.param}
    found.name = request.param
    return found


@pytest.fixture
def podland(camp):
    """Return podman alone, for what does not depend on the runtime."""
    found = podman.shared()
    camp.environment |= found.environment | {"MINION_RUNTIME": "podman"}
    return found


def start(camp, script=RUNS, *options, begun=1):
    """Start a minion, and wait until so many containers have begun; returns it and its name."""
    minion = camp.minion(
        *("--image", IMAGE, "--mount", f"{camp.path}:/camp", *options, "--", "sh", "-c", script, "sh", "{}")
    )
    wait_until(lambda: "takes params" in minion.err, lambda: f"a minion that begins: {minion.err}")
    wait_for_lines(camp.path / "begun", begun)
    return minion, podman.uid_of(minion.err)


def wait_for_none(world, uid):
    """Wait until the runtime knows no container of a minion."""
    wait_until(lambda: not world.containers(uid), lambda: f"the end of {world.containers(uid)}")


def client_of(minion):
    """Find the process that waits for a container."""
    return wait_until(lambda: next(iter(children_of(minion, ("podman", "docker"))), None), "the client")


def warden_of(minion):
    """Find the minion's warden."""
    return wait_until(lambda: next(iter(children_of(minion, ("minion-warden",))), None), "the warden")


def children_of(minion, names):
    """List the children of a process that have one of these names."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as stat:
                head, _, rest = stat.read().rpartition(") ")
        except OSError:
            continue
        if head.partition("(")[2] in names and int(rest.split()[1]) == minion.pid:
            yield int(name)


@pytest.mark.parametrize("script", [RUNS, HIDDEN], ids=["plain", "hidden"])
def test_a_killed_minion_leaves_no_container(camp, world, script):
    """Also where nothing inside says whose it is: the warden asks the runtime."""
    camp.put("1..2")
    minion, uid = start(camp, script, "-j2", begun=2)
    assert len(world.containers(uid)) == 2
    minion.kill()
    wait_for_none(world, uid)


def test_containers_of_a_minion_that_went_with_its_warden_go_when_the_next_one_starts(camp, world):
    """On the same host, with the same runtime, before it takes a param."""
    camp.put("1")
    first, uid = start(camp, HIDDEN)
    warden = warden_of(first)
    first.signal(signal.SIGSTOP)
    os.kill(warden, signal.SIGKILL)
    first.kill()
    wait_for_the_end_of(warden)
    assert len(world.containers(uid)) == 1
    second, _ = start(camp, HIDDEN, "--grace", "0s", begun=2)
    assert world.containers(uid) == []
    second.signal(signal.SIGTERM)
    assert second.code() == 143, second.err


def test_containers_of_a_minion_that_lives_are_left_alone(camp, world):
    """Another one starts beside it."""
    camp.put("1..2")
    first, uid = start(camp, RUNS, "--grace", "0s")
    second, _ = start(camp, RUNS, "--grace", "0s", begun=2)
    assert len(world.containers(uid)) == 1
    for minion in (first, second):
        minion.signal(signal.SIGTERM)
    assert [minion.code() for minion in (first, second)] == [143, 143]


def test_a_client_that_is_killed_takes_its_container_with_it(camp, world):
    """Nobody would wait for it any more, and its task runs again."""
    camp.put("1")
    minion, uid = start(camp, RUNS, "--grace", "0s")
    (container,) = world.containers(uid)
    os.kill(client_of(minion), signal.SIGKILL)
    wait_until(lambda: container not in world.containers(uid), "the end of the first container")
    wait_for_lines(camp.path / "begun", 2)
    assert [(end["outcome"], end["signal"]) for end in camp.events()] == [("failed", 9)]
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    wait_for_none(world, uid)


def test_a_minion_that_is_suspended_suspends_its_containers(camp, world):
    """They go on with it: as any program does that somebody stops and continues."""
    camp.put("1")
    ticks = camp.path / "ticks"
    minion, uid = start(
        camp, "echo $1 >> /camp/begun; while :; do echo >> /camp/ticks; sleep 0.05; done", "--grace", "0s"
    )
    wait_for_lines(ticks, 1)
    minion.signal(signal.SIGTSTP)
    wait_until(lambda: world.is_paused(uid), "a paused container")
    wait_until(lambda: state_of(minion.pid) == "T", "a stopped minion")
    before = len(lines_of(ticks))
    minion.signal(signal.SIGCONT)
    wait_for_lines(ticks, before + 2)
    assert not world.is_paused(uid)
    minion.signal(signal.SIGTSTP)
    wait_until(lambda: world.is_paused(uid), "a paused container")
    minion.kill()
    wait_for_none(world, uid)


def test_a_second_ctrl_c_does_not_wait_for_the_grace(camp, world):
    """The containers are removed at once."""
    camp.put("1")
    minion, uid = start(camp, RUNS, "--grace", "1000s")
    minion.signal(signal.SIGINT)
    minion.has_said("Ctrl-C again kills")
    minion.signal(signal.SIGINT)
    assert minion.code() == 130, minion.err
    assert world.containers(uid) == []
    assert camp.counts().pending == 1


def test_without_a_warden_the_client_is_killed_all_the_same(camp, podland):
    """Whoever ended the warden left a minion that can promise less, and still ends."""
    camp.put("1")
    minion, uid = start(camp, RUNS, "--grace", "0.1s")
    warden = warden_of(minion)
    os.kill(warden, signal.SIGKILL)
    wait_for_the_end_of(warden)
    minion.signal(signal.SIGTERM)
    assert minion.code() == 143, minion.err
    assert camp.counts().pending == 1
    for name in podland.containers(uid):
        podland.podman("rm", "-f", "-t", "0", name)


def test_an_image_that_goes_away_costs_no_attempt(camp):
    """Tasks are given back, in the runtime's words, until it is there again."""
    own = podman.Podman()
    try:
        camp.environment |= own.environment | {"MINION_RUNTIME": "podman"}
        gate = camp.gate()
        camp.put("1..4")
        options = ("--image", IMAGE, "--mount", f"{camp.path}:/camp", "--", "sh", "-c")
        minion = camp.minion(*options, "echo $1 >> /camp/ran; read _ < /camp/gate", "sh", "{}")
        wait_for_lines(camp.ran, 1)
        own.podman("tag", IMAGE, "localhost/kept:1")
        own.podman("untag", IMAGE, IMAGE)
        gate.open()
        minion.has_said("podman starts no containers here")
        own.podman("tag", "localhost/kept:1", IMAGE)
        assert minion.code() == 0, minion.err
    finally:
        own.stop()
    assert camp.counts().done == 4
    assert {entry.attempt for entry in camp.all_entries()} == {1}
    given_back = [event for event in camp.events() if event["outcome"] == "interrupted"]
    assert any("image not known" in event["reason"] for event in given_back)


def test_a_runtime_that_hangs_does_not_hold_up_the_minion(camp):
    """Neither its timeouts nor its leaving: nothing of the minion's waits for a container to be removed."""
    log, gate = camp.path / "calls", camp.gate()
    stuck = camp.script(
        "podman",
        f"""echo "$1" >> {log}
case $1 in
--version) echo "podman version 9" ;;
image | ps) exit 0 ;;
run) trap "" TERM; while :; do sleep 0.05; done ;;
rm) read _ < gate ;;
esac""",
    )
    assert stuck == "./podman"
    camp.environment["PATH"] = f"{camp.path}:{camp.environment['PATH']}"
    camp.put("1")
    minion = camp.minion("--image", IMAGE, "--runtime", "podman", "--grace", "0s", "--", "true")
    wait_until(lambda: "run" in lines_of(log), "a client")
    minion.signal(signal.SIGTERM)
    wait_until(lambda: "rm" in lines_of(log), "a removal")
    assert minion.code() == 143, minion.err
    assert camp.counts().pending == 1
    gate.open()


def test_a_client_is_not_killed_in_the_middle_of_making_a_container(camp):
    """That would leave half of one, of which podman knows nothing: it ends by itself, once its container is removed."""
    log = camp.path / "calls"
    camp.script(
        "podman",
        f"""echo "$1" >> {log}
case $1 in
--version) echo "podman version 9" ;;
run) until [ -e removed ]; do sleep 0.02; done; echo made >> {log} ;;
ps) [ ! -e killed ] || [ -e removed ] || echo id ;;
rm) touch removed ;;
esac""",
    )
    camp.environment["PATH"] = f"{camp.path}:{camp.environment['PATH']}"
    camp.put("1")
    minion = camp.minion("--image", IMAGE, "--runtime", "podman", "--", "true")
    wait_until(lambda: "run" in lines_of(log), "a client")
    (camp.path / "killed").touch()
    minion.kill()
    wait_until(lambda: "made" in lines_of(log), lambda: f"a client that goes on: {lines_of(log)}")


def test_a_runtime_that_goes_away_costs_no_attempt(camp):
    """While it is upgraded, say: tasks are given back until it is there again."""
    camp.script(
        "podman",
        """case $1 in
--version) echo "podman version 9" ;;
run) [ -e seen ] || mv podman away; touch seen ;;
esac""",
    )
    camp.environment["PATH"] = f"{camp.path}:{camp.environment['PATH']}"
    camp.put("1..3")
    minion = camp.minion("--image", IMAGE, "--runtime", "podman", "--", "true")
    minion.has_said("cannot start tasks here: No such file or directory")
    os.rename(camp.path / "away", camp.path / "podman")
    assert minion.code() == 0, minion.err
    assert camp.counts().done == 3
    assert {entry.attempt for entry in camp.all_entries()} == {1}
