"""Containers from Python, and by apptainer, of which only the command line is here."""

from __future__ import annotations

import sys

import pytest
from servers import podman

from .harness import RECORD, recorded, until

IMAGE = podman.IMAGE
#: Does what apptainer does, as far as a minion sees it: the command runs as a process of the same environment.
APPTAINER = f"""\
(cd "$HOME"; {RECORD})
case $1 in
--version) echo "apptainer version 1.3.4"; exit ;;
pull) case $3 in *none*) echo "FATAL:   no such image" >&2; exit 255 ;; esac; echo > "$2"; exit ;;
esac
shift
while :; do case $1 in --bind | --env | --network) shift 2 ;; --*) shift ;; *) break ;; esac; done
[ -e "$1" ] || {{ echo "FATAL:   could not open image $1: no such file or directory" >&2; exit 255; }}
shift
command -v "$1" > /dev/null || {{ echo "FATAL:   \\"$1\\": executable file not found in \\$PATH" >&2; exit 255; }}
exec "$@"
"""


@pytest.fixture
def podland(here):
    """Return podman."""
    found = podman.shared()
    here.environ |= found.environment | {"MINION_RUNTIME": "podman", "MINION_BACKOFF": "0s"}
    return found


@pytest.fixture
def apptainer(here):
    """Put an apptainer on PATH, and an image where it may be found."""
    (here.path / "bin").mkdir()
    here.script("bin/apptainer", APPTAINER)
    here.write("image.sif", "")
    here.environ["PATH"] = f"{here.path}/bin:{here.environ['PATH']}"


def python(here, text, **options):
    """Run a minion that is written in Python."""
    return here.run(sys.executable, here.write("minion.py", f"{text}\n"), **options)


def test_a_container_callback_is_a_minion(here, podland):
    """By a template, or by ``to_cmd``."""
    here.put("seed=1..2")
    done = python(
        here,
        f"""
from minionize import ContainerCallback, minionizer

class Simulate(ContainerCallback):
    def to_cmd(self, param):
        return ["echo", "seed", str(param["seed"])]

raise SystemExit(minionizer(Simulate("{IMAGE}", network="none"), quiet=True).run())""",
    )
    assert (done.code, sorted(done.out.splitlines()), done.err) == (0, ["seed 1", "seed 2"], "")
    here.put("seed=3")
    text = f'from minionize import *; minionizer(ContainerCallback("{IMAGE}", ["echo", "{{seed}}"]), quiet=True).run()'
    assert python(here, text).out == "3\n"


def test_the_hooks_of_a_container_callback_are_free_to_define(here, podland):
    """Nothing of ours is lost by that: neither the containers, nor what their runtime's failures mean."""
    here.put("exit=0,3,4")
    done = python(
        here,
        f"""
from minionize import ContainerCallback, Dead, minionizer

class Simulate(ContainerCallback):
    def setup(self):
        self.word = "loaded"
    def teardown(self):
        print("bye", flush=True)
    def to_cmd(self, param):
        return ["sh", "-c", "echo " + self.word + "; exit " + str(param["exit"])]
    def conclude(self, task, ending):
        if ending.exit == 4:
            raise Dead("four")
        return "advice"

raise SystemExit(minionizer(Simulate("{IMAGE}"), quiet=True).run())""",
        MINION_MAX_ATTEMPTS="1",
    )
    assert (done.code, done.out) == (1, "loaded\n" * 3 + "bye\n"), done.err
    assert {end["reason"] for end in here.events() if end["outcome"] != "done"} == {"exit 3; advice", "four"}
    here.put("exit=5")
    text = f"""
from minionize import *
class Simulate(ContainerCallback):
    def conclude(self, task, ending):
        raise Dead("not asked")
minionizer(Simulate("{IMAGE}", ["nope"]), quiet=True).run()"""
    assert "no such command: nope" in python(here, text).err
    assert here.books()["pending"] == 1


def test_the_callback_of_the_original_works_under_its_name(here, podland):
    """The keywords of docker-py go to the command line."""
    here.write("in.txt", "from the host\n")
    here.put("1")
    done = python(
        here,
        f"""
import os
from minionize import DockerCallback, minionizer

class Show(DockerCallback):
    def to_kwargs(self, param):
        volumes = {{os.path.abspath("in.txt"): {{"bind": "/in.txt", "mode": "ro"}}}}
        command = ["sh", "-c", "cat /in.txt; echo $A; pwd; touch /x 2> /dev/null || echo read-only"]
        return {{
            "command": command, "volumes": volumes, "environment": {{"A": param}}, "working_dir": "/etc",
            "read_only": True, "mem_limit": "64m", "remove": True,
        }}

raise SystemExit(minionizer(Show("{IMAGE}"), quiet=True).run())""",
    )
    assert (done.code, done.out) == (0, "from the host\n1\n/etc\nread-only\n"), done.err


def test_a_keyword_that_has_no_option_ends_the_minion(here, podland):
    """It is the program that is wrong, not the param, which is given back."""
    here.put_lines({"command": "true", "stdin_open": True})
    text = f'from minionize import *; raise SystemExit(minionizer(DockerCallback("{IMAGE}"), quiet=True).run())'
    done = python(here, text)
    assert done.code == 2
    assert "'stdin_open'" in done.err
    assert here.books() == {"pending": 1}


def test_apptainer_runs_the_command_as_a_process(here, apptainer):
    """With the environment of any task, and its files bound in."""
    here.put("1..2")
    script = 'echo "$MINION_PARAM"; echo "{\\"x\\": $1}" > $MINION_RESULT_FILE'
    done = here.minionize(
        "-q", "--image", "image.sif", "--mount", "image.sif:/data:ro", "--", "sh", "-c", script, "sh", "{}"
    )
    assert (done.code, done.out) == (0, "1\n2\n"), done.err
    assert [event["result"] for event in here.events()] == [{"x": 1}, {"x": 2}]
    version, *runs = recorded(here)
    assert version == [b"--version"]
    assert [run[:3] for run in runs] == [[b"exec", b"--bind", f"{here.path}/image.sif:/data:ro".encode()]] * 2
    assert runs[0][4].split(b":")[0] == runs[0][4].split(b":")[1]


def test_apptainer_makes_a_file_of_an_image_of_a_registry_once(here, apptainer):
    """All minions of a home directory find it there."""
    here.put("1..2")
    only = {"MINION_RUNTIME": "apptainer"}
    for _ in range(2):
        assert here.minionize("-q", "--max-tasks", "1", "--image", "docker://python:3", "--", "true", **only).code in (
            0,
            99,
        )
    assert [run[0] for run in recorded(here)].count(b"pull") == 1
    assert (here.path / ".cache" / "minionize" / "images" / "docker___python_3.sif").exists()


def test_apptainer_has_no_image_of_that_name(here, apptainer):
    """A file, or something of a registry; both are said before anything is taken."""
    here.put("x")
    done = here.minionize("--image", "python:3", "--runtime", "apptainer", "--", "true")
    assert (done.code, "docker://python:3" in done.err) == (2, True)
    done = here.minionize("--image", "docker://none", "--runtime", "apptainer", "--", "true")
    assert (done.code, "FATAL:   no such image" in done.err) == (2, True)
    assert here.books() == {"pending": 1}


def test_apptainer_has_no_such_command(here, apptainer):
    """As of any image."""
    here.put("x")
    done = here.minionize("-q", "--image", "image.sif", "--", "nope")
    assert done.code == 127
    assert "the image image.sif has no such command: nope" in done.err
    assert here.books() == {"pending": 1}


def test_a_process_of_apptainer_ends_with_its_minion(here, apptainer):
    """Stopped or killed."""
    here.put("x")
    for number, code in ((15, 143), (9, -9)):
        minion = here.start(
            "minionize", "--image", "image.sif", "--", "sh", "-c", "echo $$ >> pids; exec sleep 1000", "{}"
        )
        before = len(here.lines("pids"))
        here.wait_for_lines("pids", before + 1)
        minion.signal(number)
        assert minion.wait().code == code
    until(lambda: not here.processes(), "the end of all processes")


def test_a_container_that_takes_more_memory_than_it_has_is_explained(here, podland):
    """The kernel's doing, which only an exit code tells."""
    here.put("x")
    text = f"""
from minionize import *
greedy = ContainerCallback("{IMAGE}", ["sh", "-c", "tail /dev/zero # $1", "{{}}"], options=["--memory", "16m"])
raise SystemExit(minionizer(greedy, quiet=True).run())"""
    assert python(here, text, MINION_MAX_ATTEMPTS="1").code == 1
    (end,) = here.events()
    assert end["reason"].startswith("exit 137 (killed; out of memory?); give containers more memory")
