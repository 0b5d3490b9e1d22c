"""minionize as the entry point of a container: it is process 1 there, and nobody it knows is around it."""

from __future__ import annotations

import os

import pytest

from .containers import Yard
from .harness import until

pytestmark = pytest.mark.timeout(400)  # the first of them builds the image, and the base below it

#: A task that says that it runs, and then waits at the gate.
WAITS = ("sh", "-c", "echo $1 begins; read _ < gate", "-")


@pytest.fixture
def yard(here):
    """Return a directory for containers, which are gone at the end."""
    yard = Yard(here)
    yield yard
    yard.clear()


def states(here):
    """List the tasks: param, state, attempt."""
    return [(param.split()[0].strip('"'), state, attempt) for _, state, attempt, param in here.tasks()]


# ---------------------------------------------------------------------- a container as it should be


def test_a_container_runs_the_params_of_a_queue_as_its_first_process_and_not_as_root(yard):
    """The words behind the image's name are the command line; the host in the events is the container's."""
    yard.put("a", "b")
    who = ["sh", "-c", "echo $1: child of $PPID, $(id -un), $(id -u), $HOME", "-"]
    code, said = yard.run("-q", *who, options=["--hostname", "node-7"])
    assert (code, said) == (0, "a: child of 1, minion, 1000, /work\nb: child of 1, minion, 1000, /work\n")
    (start,) = yard.here.events("minion_start")
    assert (start["host"], start["pid"]) == ("node-7", 1)


def test_stopping_a_container_gives_its_task_back(yard):
    """By the runtime's defaults, whatever the task makes of it: the delivery is counted, the attempt is not."""
    yard.put("a")
    container = yard.start("sh", "-c", "trap '' TERM; echo $1 begins; while :; do sleep 0.1; done", "-")
    container.says("a begins")
    assert container.stop() == 143
    assert yard.outcomes() == [("a", 1, 1, "interrupted")]
    assert states(yard.here) == [("a", "pending", 1)]
    assert yard.run("-q", "echo")[0] == 0
    assert ("a", 2, 1, "done") in yard.outcomes()


def test_sigusr1_drains_a_container(yard):
    """What runs goes on to its end, what waits stays for others, and the exit code says that there is some."""
    yard.put("a", "b")
    gate = yard.gate()
    container = yard.start(*WAITS)
    container.says("a begins")
    container.signal("USR1")
    gate.open()
    assert container.wait() == 99
    assert states(yard.here) == [("a", "done", 1), ("b", "pending", 1)]


def test_sigtstp_changes_nothing_for_process_1(yard):
    """The kernel stops no first process: its children are not stopped either, and it goes on."""
    yard.put("a", "b")
    gate = yard.gate()
    container = yard.start(*WAITS)
    container.says("a begins")
    container.signal("TSTP")
    gate.open()
    assert container.wait() == 0
    assert [outcome for *_, outcome in yard.outcomes()] == ["done", "done"]


def test_what_a_killed_container_held_is_run_by_another(yard):
    """SIGKILL ends the minion, its warden and its tasks at once; after the lease, at the latest, the task goes on elsewhere."""
    yard.put("a")
    gate = yard.gate()
    container = yard.start(*WAITS, options=["-e", "MINION_LEASE=2s"])
    container.says("a begins")
    container.signal("KILL")
    assert container.wait() == 137
    gate.open()
    code, said = yard.run(*WAITS, options=["-e", "MINION_LEASE=2s"])
    assert code == 0, said
    assert yard.outcomes() == [("a", 2, 1, "done")]


def test_a_minion_in_another_container_is_not_taken_for_gone_by_its_pid(yard):
    """All of them have pid 1 on the same boot of the same kernel: who looks finds itself, with another start."""
    yard.put("a")
    gate = yard.gate()
    one = yard.start(*WAITS, options=["-e", "MINION_LEASE=1h"])
    one.says("a begins")
    code, said = yard.run("--idle-timeout", "0.5s", *WAITS, options=["-e", "MINION_LEASE=1h"])
    assert code == 0
    assert "begins" not in said
    gate.open()
    assert one.wait() == 0
    assert yard.outcomes() == [("a", 1, 1, "done")]


# ---------------------------------------------------------------------- process 1


@pytest.mark.parametrize("when", ["while it waits for params", "while a task runs"])
def test_orphans_of_tasks_are_reaped(yard, when):
    """Daemons that a task leaves behind become children of process 1, and no zombies when they end."""
    yard.put("a")
    orphans, gate = yard.gate("orphans"), yard.gate()
    daemons = "for i in 1 2 3 4 5; do setsid sh -c 'echo >> up; read _ < orphans' & done"
    command = f"test $1 = b || {daemons}; until test $(wc -l < up) = 5; do :; done; echo $1 begins; test $1 = a || read _ < gate"
    container = yard.start("--service", "sh", "-c", command, "-")
    # The warden and the five.
    container.says("a begins")
    until(lambda: len(container.children()) == 6, "five orphans")
    running = 1
    if when == "while a task runs":
        yard.put("b")
        container.says("b begins")
        until(lambda: len(container.children()) == 7, "a task beside them")
        running = 2
    orphans.open()
    until(lambda: container.children() == ["S"] * running, "none is left of the orphans")
    gate.open()
    assert container.stop() == 143


def test_a_container_that_has_not_begun_yet_stops_at_once(yard):
    """The kernel spares a first process whatever it does not listen to; a service that waits for its queue has to."""
    container = yard.start("--service", "true")
    container.says("Waiting for it")
    assert container.stop() == 143


def test_a_queue_command_as_first_process_stops_too(yard):
    """Also the other commands of the image listen to SIGTERM there."""
    os.mkfifo(yard.here.path / "params")
    (yard.here.path / "params").chmod(0o666)
    container = yard.start("-c", "exec minion-queue put -f params", options=["--entrypoint", "sh"])
    until(lambda: "minion-queue" in yard.store.podman("top", container.name, "args"), "the command runs")
    writer = os.open(yard.here.path / "params", os.O_WRONLY)  # it has opened the pipe, so it reads
    try:
        assert container.stop() == 143
    finally:
        os.close(writer)


# ---------------------------------------------------------------------- little rights, little room


def test_a_user_without_name_or_home_on_a_read_only_system_is_enough(yard):
    """As platforms run images that they do not trust: any number for a user, and nothing writable but the volume and /tmp."""
    options = ["--user", "12345:0", "--passwd=false", "--unsetenv", "HOME"]
    options += ["--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp", "--cap-drop", "all"]
    options += ["--security-opt", "no-new-privileges"]
    yard.put("a", options=options)
    result = ["sh", "-c", 'echo $(id -u) > "$MINION_RESULT_FILE"; test ! -w /opt', "-"]
    code, said = yard.run(*result, options=options)
    assert code == 0, said
    assert [end["result"] for end in yard.here.events()] == [12345]
    code, said = yard.run(options=[*options, "--entrypoint", "minion-status"])
    assert (code, "done 1" in said) == (0, True), said


def test_the_image_itself_is_writable_for_any_user_of_group_0(yard):
    """Without a volume, the queue and the reports go into the container's own /work."""
    script = "seq 3 | MINION_ENGINE=file minionize -q echo; ls minion-report | wc -l"
    options = ["--user", "12345:0", "--passwd=false", "--entrypoint", "sh"]
    code, said = yard.run("-c", script, options=options, mount=False)
    assert (code, said) == (0, "1\n2\n3\n1\n")


def test_a_kernel_that_does_not_say_who_it_is_is_trusted_in_nothing(yard):
    """Where /proc/sys is hidden, nobody is judged by his pid, and all else works."""
    yard.put("a")
    code, said = yard.run("-q", "echo", options=["--security-opt", "mask=/proc/sys"])
    assert (code, said) == (0, "a\n")
    (start,) = yard.here.events("minion_start")
    assert start["boot"] == ""


def test_slots_follow_the_limit_of_the_container(yard):
    """``-j auto`` is what ``--cpus`` grants, and not what the host has."""
    yard.put("a")
    _, said = yard.run("echo", options=["--cpus", "0.5", "-e", "MINION_SLOTS=auto"])
    assert "1 at a time" in said


@pytest.mark.parametrize(
    ("limit", "words"), [("1", ["echo"]), ("2", ["echo"]), ("2", ["--python", "os.path:exists"])], ids=str
)
def test_a_container_that_may_have_no_processes_says_so(yard, limit, words):
    """Whatever is missing first: the warden, the thread that talks to the queue, the helper that makes the children."""
    yard.put("a")
    code, said = yard.run(*words, options=["--pids-limit", limit])
    assert code == 71
    assert "minionize: no process or thread can be started here: " in said
    assert "--pids-limit" in said
    assert states(yard.here) == [("a", "pending", 1)]


def test_a_container_without_a_queue_says_so(yard):
    """And which variable names one."""
    code, said = yard.run("echo")
    assert code == 2
    assert "there is no queue at minion-queue.db (in /work)" in said
