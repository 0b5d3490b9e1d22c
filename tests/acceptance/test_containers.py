"""One container per task, by the runtimes as they are."""

from __future__ import annotations

import re

import pytest
from servers import docker, podman

from .harness import until

IMAGE = podman.IMAGE
#: Runs in each container: one that is asked to end says so, and does.
OBEDIENT = 'trap "echo told; exit 9" TERM; echo begun; while :; do sleep 0.05; done'
#: The same, and does not.
STUBBORN = 'trap "" TERM; echo begun; while :; do sleep 0.05; done'


@pytest.fixture(params=["podman", "docker"])
def world(request, here):
    """Return where containers run, by the runtime that the commands are told to take."""
    found = {"podman": podman, "docker": docker}[request.param].shared()
    here.environ |= found.environment | {"MINION_RUNTIME": request.param, "MINION_BACKOFF": "0s"}
    found.name = request.param
    return found


@pytest.fixture
def podland(here):
    """Return podman alone, for what does not depend on the runtime."""
    found = podman.shared()
    here.environ |= found.environment | {"MINION_RUNTIME": "podman", "MINION_BACKOFF": "0s"}
    return found


def contain(here, script, *options, words=("{}",), **more):
    """Run a minion whose containers run a script."""
    return here.minionize("-q", "--image", IMAGE, *options, "--", "sh", "-c", script, "sh", *words, **more)


def start(here, script, *options):
    """Start a minion whose containers run a script, and wait until one has begun; returns it and its name."""
    minion = here.start("minionize", "--image", IMAGE, *options, "--", "sh", "-c", script, "sh", "{}")
    until(lambda: "begun" in minion.out, "a container that begins")
    return minion, podman.uid_of(minion.err)


def test_a_container_runs_for_each_param(here, world):
    """By the same template; what it prints is passed on, what it leaves is kept, and no container stays."""
    here.put("seed=1..3", "alpha=0.10")
    done = here.minionize(
        *("--image", IMAGE, "--"),
        *("sh", "-c", 'echo "$1 $2"; echo "{\\"loss\\": $2}" > $MINION_RESULT_FILE', "sh", "{seed}", "{alpha}"),
    )
    assert (done.code, sorted(done.out.splitlines())) == (0, ["1 0.10", "2 0.10", "3 0.10"])
    assert [event["result"] for event in here.events()] == [{"loss": 0.1}] * 3
    assert world.containers(podman.uid_of(done.err)) == []


def test_a_container_is_told_of_its_task_and_of_nothing_else(here, world):
    """The variables of a task are in it; those of the minion, where secrets are, are not."""
    here.put("one")
    done = contain(here, "env", REDIS_URL="redis://:secret@host", MINION_ENGINE="sqlite")
    names = {line.partition("=")[0] for line in done.out.splitlines()}
    assert {name for name in names if name.startswith("MINION_")} == {
        *("MINION_PARAM", "MINION_TASK_ID", "MINION_ATTEMPT", "MINION_ID", "MINION_SLOT", "MINION_RESULT_FILE")
    }
    assert 'MINION_PARAM="one"' in done.out
    assert "secret" not in done.out


def test_a_large_param_is_in_a_file_that_the_container_sees(here, world):
    """As for any program."""
    here.put_lines("x" * 100_000)
    done = contain(here, "wc -c < $MINION_PARAM_FILE; echo ${MINION_PARAM-unset}", words=("{id}",))
    assert done.out.split() == ["100002", "unset"], done.err


def test_mounts_are_seen_and_read_only_ones_not_written(here, world):
    """A relative path is below the current directory; without a mount nothing of it is there."""
    here.write("in.txt", "read me")
    (here.path / "out").mkdir()
    here.put("x")
    script = (
        f"cat /in.txt; echo {{}} > /out/{{}}; echo no > /in.txt || echo refused; ls -d {here.path}/in.txt || echo alone"
    )
    done = contain(here, script, "--mount", "in.txt:/in.txt:ro", "--mount", f"{here.path}/out:/out")
    assert (done.code, done.out) == (0, "read merefused\nalone\n")
    assert (here.path / "out" / "x").read_text() == "x\n"
    assert (here.path / "out" / "x").stat().st_uid == (here.path / "out").stat().st_uid


def test_several_mounts_stand_in_the_variable_with_commas_between(here, podland):
    """As the flag, repeated, says them."""
    here.write("a", "A")
    here.write("b", "B")
    here.put("x")
    assert contain(here, "cat /a /b", MINION_MOUNT="a:/a:ro,b:/b").out == "AB"


def test_further_options_go_to_the_runtime(here, world):
    """Words as a shell reads them; a variable without a value is the minion's."""
    here.put("x")
    options = """--env TOKEN --env "A=b c" --workdir /tmp"""
    done = contain(here, 'echo "$TOKEN $A"; pwd', "--container-options", options, TOKEN="from outside")
    assert done.out == "from outside b c\n/tmp\n"


@pytest.mark.parametrize(
    ("option", "words"), [("--container-options=--nope", "unknown flag: --nope"), ("--network=nowhere", "nowhere")]
)
def test_what_the_runtime_does_not_take_ends_the_minion(here, world, option, words):
    """In its words, and soon; params are given back, and none is charged."""
    here.put("1..4")
    done = contain(here, "true", option)
    assert (done.code, words in done.err) == (71, True), done.err
    assert [task[2] for task in here.tasks()] == [1] * 4
    assert set(here.books()) <= {"pending", "delayed"}


def test_without_a_command_the_image_runs_its_own_with_the_param_behind(here, world):
    """What is appended takes the place of the image's arguments, as always."""
    here.put("echo from the image")
    assert here.minionize("-q", "--image", IMAGE).out == "from the image\n"


def test_the_network_is_the_one_that_is_asked_for(here, world):
    """None has but a loopback."""
    here.put("x")
    assert contain(here, "tail -n +3 /proc/net/dev | cut -d: -f1", "--network", "none").out.split() == ["lo"]


def test_as_many_containers_run_at_once_as_there_are_slots(here, world):
    """Each waits for the other one."""
    here.put("1..2")
    (here.path / "met").mkdir()
    script = "touch /met/$1; until [ -e /met/1 ] && [ -e /met/2 ]; do sleep 0.02; done; echo $MINION_SLOT"
    done = contain(here, script, "-j2", "--mount", "met:/met")
    assert sorted(done.out.split()) == ["0", "1"]


# ---------------------------------------------------------------------- what is not there


def test_an_image_that_cannot_be_pulled_is_said_before_anything_is_taken(here, world):
    """In the runtime's own words."""
    here.put("x")
    done = here.minionize("--image", "127.0.0.1:9/none:1", "--", "true")
    assert done.code == 2
    assert "cannot pull the image 127.0.0.1:9/none:1: " in done.err
    assert "refused" in done.err
    assert here.books() == {"pending": 1}


def test_without_a_runtime_the_command_is_not_found(here):
    """And it says what to install."""
    here.put("x")
    (here.path / "bin").mkdir()
    done = here.minionize("--image", IMAGE, "--", "true", PATH=str(here.path / "bin"))
    assert done.code == 127
    assert "no podman, docker or apptainer is installed" in done.err
    assert "apt-get install podman" in done.err
    assert here.books() == {"pending": 1}


def test_a_runtime_that_is_asked_for_and_missing_is_named(here):
    """Another one is no substitute."""
    here.put("x")
    done = here.minionize("--image", IMAGE, "--runtime", "apptainer", "--", "true")
    assert done.code == 127
    assert "apptainer is not installed" in done.err


@pytest.mark.parametrize(("command", "code"), [("nope", 127), ("/etc/passwd", 126)])
def test_a_command_that_the_image_lacks_ends_the_minion(here, world, command, code):
    """As one that this host lacks does: its param is given back, and it costs no attempt."""
    here.put("1..3")
    done = here.minionize("-q", "--image", IMAGE, "--", command)
    assert done.code == code, done.err
    assert f"no such command: {command}" in done.err
    assert here.books() == {"pending": 3}
    assert {task[2] for task in here.tasks()} == {1}


def test_a_command_that_only_one_param_names_wrongly_makes_that_one_dead(here, world):
    """The others ran."""
    here.put("true", "nope")
    done = here.minionize("-q", "--image", IMAGE, "--", "{}")
    assert done.code == 1
    assert here.books() == {"done": 1, "dead": 1}
    assert "no such command: nope" in here.tasks("--state", "dead")[0][3]


def test_what_is_to_be_mounted_must_be_there(here, podland):
    """Said before anything is taken; docker would make an empty directory of root's."""
    here.put("x")
    done = contain(here, "true", "--mount", "data:/data")
    assert done.code == 2
    assert f"there is no {here.path}/data, which is to be mounted at /data" in done.err
    assert here.books() == {"pending": 1}


@pytest.mark.parametrize("mount", ["data", "data:", ":/data", "data:relative", "data:/data:rx", "data:/data:ro:x", ""])
def test_a_mount_that_cannot_be_read_is_an_error_that_names_it(here, podland, mount):
    """And where it comes from."""
    done = contain(here, "true", "--mount", mount)
    assert done.code == 2
    assert (mount or "MINION_MOUNT") in done.err
    assert "(flag --mount)" in done.err


# ---------------------------------------------------------------------- what fails


@pytest.mark.parametrize("code", [1, 3, 125, 127, 137])
def test_the_exit_code_of_a_container_is_that_of_its_command(here, world, code):
    """Also one that the runtime itself might end with: only its words tell."""
    here.put("x")
    done = contain(here, f"echo why >&2; exit {code}", "--max-attempts", "1")
    assert done.code == 1, done.err
    (end,) = here.events()
    assert (end["outcome"], end["exit"], end["stderr"]) == ("failed", code, "why\n")
    assert end["reason"].startswith(f"exit {code}")
    assert end["rss"] == 0, "that of a client"


def test_a_container_that_was_killed_is_explained(here, world):
    """We did not do it: memory is what mostly does."""
    here.put("x")
    contain(here, "kill -9 $$", "--max-attempts", "1")
    (end,) = here.events()
    assert (end["exit"], end["signal"]) == (137, None)
    assert end["reason"] == "exit 137 (killed; out of memory?); give containers more memory, or run fewer at once (-j)"


def test_a_timeout_ends_the_container(here, world):
    """Wherever it is by then."""
    here.put("x")
    done = here.minionize(
        *("--max-attempts", "1", "--timeout", "3s", "--image", IMAGE, "--", "sh", "-c", f"echo {{}}; {OBEDIENT}")
    )
    assert done.code == 1
    assert here.outcomes() == ["timeout"]
    assert world.containers(podman.uid_of(done.err)) == []


def test_a_command_without_handlers_ends_at_sigterm(here, world):
    """As pid 1 it would not: an init stands before it."""
    here.put("x")
    minion, _ = start(here, "echo begun; exec sleep 1000", "--grace", "60s")
    minion.signal(15)
    assert minion.wait().code == 143
    assert [(end["outcome"], end["exit"]) for end in here.events()] == [("interrupted", 143)]


def test_a_container_that_does_not_heed_sigterm_is_removed_after_the_grace(here, world):
    """Though nobody can kill it but its runtime."""
    here.put("x")
    done = here.minionize(
        *("--max-attempts", "1", "--timeout", "3s", "--grace", "0.2s", "--image", IMAGE, "--", "sh", "-c"),
        f"echo {{}}; {STUBBORN}",
    )
    assert done.code == 1
    assert here.outcomes() == ["timeout"]
    assert world.containers(podman.uid_of(done.err)) == []


@pytest.mark.parametrize("script", [OBEDIENT, STUBBORN], ids=["obedient", "stubborn"])
def test_a_minion_that_is_stopped_stops_its_containers_and_gives_their_params_back(here, world, script):
    """Whatever they think of it; no attempt is charged."""
    here.put("x")
    minion, uid = start(here, script, "--grace", "1s")
    minion.signal(15)
    done = minion.wait()
    assert done.code == 143
    assert done.out == ("begun\ntold\n" if script == OBEDIENT else "begun\n")
    assert here.outcomes() == ["interrupted"]
    assert here.books() == {"pending": 1}
    assert here.tasks()[0][2] == 1
    assert world.containers(uid) == []


def test_a_cancelled_task_loses_its_container(here, podland):
    """At the next renewal of its lease."""
    here.put("x")
    minion, uid = start(here, OBEDIENT, "--lease", "1s")
    here.queue("cancel", here.tasks()[0][0])
    assert minion.wait().code == 0
    assert here.outcomes() == ["cancelled"]
    assert podland.containers(uid) == []


# ---------------------------------------------------------------------- looking


def test_a_dry_run_prints_what_can_be_pasted(here, world):
    """The whole command line, but for what only a running minion can say; and it does run."""
    here.write("data", "from the host")
    here.put("file=data")
    options = ("--image", IMAGE, "--mount", "data:/data", "--network", "none")
    shown = here.minionize("--dry-run", *options, "--", "cat", "/{file}").out
    assert re.match(
        rf"{world.name} run --rm .*--volume {here.path}/data:/data --network none {IMAGE} cat /data\n$", shown
    )
    assert here.run("sh", "-c", shown).out == "from the host"


def test_the_doctor_looks_at_the_runtime_and_the_image(here, world):
    """Whether the one is there, and the other one has to be pulled."""
    here.put("x")
    well = here.minionize("--doctor", "--image", IMAGE, "--", "true")
    assert well.code == 0
    assert re.search(rf"ok    command  (?i:{world.name}) version .*\n +the image {IMAGE} is here", well.out)
    assert "is not here: it would be pulled" in here.minionize("--doctor", "--image", "none:1").out
    ill = here.minionize("--doctor", "--image", IMAGE, "--mount", "nothing:/data")
    assert ill.code == 1
    assert "FAIL  command" in ill.out


def test_a_param_that_is_not_utf_8_is_dead_rather_than_garbled(here, podland):
    """Container runtimes keep command lines as JSON."""
    here.write("params", b"caf\xe9\n")
    here.queue("put", "-f", "params")
    done = contain(here, 'echo "$1"')
    assert done.code == 1
    assert "not UTF-8" in here.tasks("--state", "dead")[0][3]


def test_docker_in_front_of_podman_is_refused(here):
    """The exit codes of containers get lost between these two: all tasks would be done."""
    docker.require()
    here.environ |= podman.shared(api=True).environment
    here.put("x")
    done = here.minionize("--image", IMAGE, "--runtime", "docker", "--", "false")
    assert done.code == 2
    assert "--runtime podman" in done.err
    assert here.books() == {"pending": 1}


def test_a_daemon_that_is_not_there_is_said_in_dockers_words(here):
    """Nothing is taken."""
    docker.require()
    here.put("x")
    done = here.minionize("--image", IMAGE, "--runtime", "docker", "--", "true", DOCKER_HOST="unix:///nowhere.sock")
    assert done.code == 2
    assert "Cannot connect to the Docker daemon at unix:///nowhere.sock" in done.err
    assert here.books() == {"pending": 1}
