"""Who failed: the task, its runtime, or the command line."""

from __future__ import annotations

import pytest

from minionize.callbacks.container import ContainerCallback, trouble
from minionize.callbacks.container.runtime import Runtime
from minionize.errors import CommandNotFound, Dead, HostTrouble, HostUnfit, Interrupted
from minionize.model import Task
from minionize.policy import Ending

IMAGE_GONE = "Error: localhost/bb:1: image not known\n"


def ended(exit, stderr=""):
    """Make the ending of a container."""
    return Ending(exit=exit, stderr=stderr)


@pytest.mark.parametrize(
    ("kind", "exit", "stderr", "cause", "words"),
    [
        ("podman", 125, IMAGE_GONE, "broken", "localhost/bb:1: image not known"),
        ("podman", 127, 'some\nError: runc: exec: "nope": executable file not found in $PATH: OCI', "missing", "runc"),
        (
            "podman",
            126,
            'Error: runc: exec: "/etc/passwd": permission denied: OCI permission denied',
            "missing",
            "runc",
        ),
        ("podman", 126, "Error: runc: error setting rlimits: not permitted: OCI permission denied", "broken", "runc"),
        ("podman", 127, "Error: crun: executable file `nope` not found in $PATH: No such file", "missing", "crun"),
        ("podman", 1, "ERROR (catatonit:6): failed to exec pid1: No such file or directory", "missing", "No such"),
        ("docker", 127, "[FATAL tini (8)] exec nope failed: No such file or directory", "missing", "No such"),
        (
            "docker",
            125,
            "docker: Error response from daemon: No such image: x\n\nRun 'docker run --help' for more information\n",
            "broken",
            "No such image: x",
        ),
        (
            "docker",
            125,
            "unknown flag: --nope\n\nUsage:  docker run [OPTIONS] IMAGE\n\nRun 'docker run --help' for more information\n",
            "broken",
            "unknown flag: --nope",
        ),
        ("apptainer", 255, 'FATAL:   "nope": executable file not found in $PATH', "missing", '"nope"'),
        (
            "apptainer",
            255,
            "FATAL:   could not open image x.sif: no such file or directory",
            "broken",
            "could not open",
        ),
        # A task's own, whatever they look like.
        ("podman", 125, "why\n", "", ""),
        ("podman", 127, "sh: nope: not found\n", "", ""),
        ("podman", 1, IMAGE_GONE, "", ""),
        ("docker", 125, IMAGE_GONE, "", ""),
        ("podman", 125, IMAGE_GONE + "and\nmuch\nmore\nsaid\nafter\n", "", ""),
        ("podman", 0, IMAGE_GONE, "", ""),
    ],
)
def test_the_last_words_tell_who_failed(kind, exit, stderr, cause, words):
    """With the exit code: neither alone would."""
    found, said = trouble.cause(kind, ended(exit, stderr))
    assert found == cause
    assert said.startswith(words)


@pytest.fixture
def clock(monkeypatch):
    """Give a clock that stands still until it is told to go."""

    class Clock:
        now = 1000.0

    clock = Clock()
    monkeypatch.setattr(trouble.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def made(clock):
    """Give a callback whose runtime is never called."""
    callback = ContainerCallback("img", ["cmd"])
    callback._found = Runtime("podman", b"/usr/bin/podman")
    callback._streak = trouble.Streak("podman")
    return callback


@pytest.fixture
def ran(made):
    """Give one that ran a container already."""
    made.review(task(), ended(0))
    return made


def task(delivery=1):
    """Make a task that was handed out so often, and never charged."""
    return Task("id", "1", 1, delivery)


def test_after_a_failure_of_the_runtime_nothing_is_started_for_a_while(ran, clock):
    """Longer each time, and the task is given back."""
    for pause in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        with pytest.raises(Interrupted, match="podman did not run it: localhost/bb:1: image not known"):
            ran.review(task(), ended(125, IMAGE_GONE))
        clock.now += pause - 0.01
        with pytest.raises(HostTrouble, match="image not known"):
            ran.prepare(task(), 0)
        clock.now += 0.01
        ran.prepare(task(), 0)


def test_a_runtime_that_fails_for_long_ends_the_minion(ran, clock):
    """This host is bad."""
    with pytest.raises(HostUnfit) as raised:
        for _ in range(100):
            clock.now += 4
            with pytest.raises(Interrupted):
                ran.review(task(), ended(125, IMAGE_GONE))
    assert raised.value.exit_code == 71
    assert clock.now - 1000 == 4 * trouble.GIVE_UP


def test_a_runtime_that_never_ran_anything_is_given_up_soon(made, clock):
    """An option that it does not know does not get better; it is said in its words, with a way to try it."""
    for _ in range(trouble.AT_FIRST - 1):
        with pytest.raises(Interrupted):
            made.review(task(), ended(125, "Error: unknown flag: --nope\nSee 'podman run --help'\n"))
    with pytest.raises(HostUnfit, match=r"unknown flag: --nope\n.*--dry-run"):
        made.review(task(), ended(125, "Error: unknown flag: --nope\nSee 'podman run --help'\n"))


def test_a_burst_of_failures_does_not(ran, clock):
    """As many slots as there are fail at once."""
    for _ in range(100):
        with pytest.raises(Interrupted):
            ran.review(task(), ended(125, IMAGE_GONE))


def test_a_container_that_runs_ends_the_row(ran, clock):
    """Whatever came of it."""
    for _ in range(100):
        clock.now += 4
        with pytest.raises(Interrupted):
            ran.review(task(), ended(125, IMAGE_GONE))
        ran.review(task(), ended(3))
        ran.prepare(task(), 0)


def test_a_task_that_the_runtime_refuses_time_and_again_fails_like_any_other(made, clock):
    """Where it runs others: else it would be given back for ever."""
    made.review(task(), ended(0))
    with pytest.raises(Interrupted):
        made.review(task(trouble.PATIENCE), ended(125, IMAGE_GONE))
    made.review(task(), ended(0))
    assert made.review(task(trouble.PATIENCE + 1), ended(125, IMAGE_GONE)) == "localhost/bb:1: image not known"


def test_a_missing_command_is_the_command_lines_fault_until_something_ran(made):
    """Then it is the param's."""
    missing = ended(1, "ERROR (catatonit:6): failed to exec pid1: No such file or directory")
    with pytest.raises(
        CommandNotFound, match=r"the image img has no such command: cmd   \(No such file or directory\)"
    ):
        made.review(task(), missing)
    made.review(task(), ended(7))
    with pytest.raises(Dead, match="no such command: cmd"):
        made.review(task(), missing)
