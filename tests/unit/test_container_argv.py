"""The command lines of podman, docker and apptainer for the same task."""

from __future__ import annotations

import os

import pytest

from minionize.callbacks.container import ContainerCallback, argv, orphans, runtime, sight
from minionize.callbacks.container.runtime import Runtime
from minionize.errors import BadParam, CommandNotFound, UsageError
from minionize.model import Identity, Task

ME = Identity("0123456789ab", "host", 4321, 99, "boot-id", "pid:[4026531836]")
USER = ("--user", "1000:1000")
RUNTIMES = {
    "podman": Runtime("podman", b"/usr/bin/podman", "podman version 5", ("--userns=keep-id", *USER), True),
    "docker": Runtime("docker", b"/usr/bin/docker", "Docker version 28", USER, True),
    "apptainer": Runtime("apptainer", b"/usr/bin/apptainer", "apptainer version 1.3"),
}
GIVEN = [word for name in (*argv.VARIABLES, "MINION_ID=0123456789ab") for word in ("--env", name)]


def callback(kind, *args, found=None, monkeypatch=None, **options):
    """Make a callback that is set up for a runtime, none of which is asked anything."""
    made = ContainerCallback(*args, **options)
    made._found = found or RUNTIMES[kind]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orphans, "remove", lambda *_: 0)
        patch.setattr("minionize.callbacks.container.image.ensure", lambda *_, **__: None)
        patch.setenv("TMPDIR", "/scratch")
        made.enlist(ME)
    return made


def task(param="1", id="id"):
    """Make a task."""
    return Task(id, param, 1, 1)


def words(launch):
    """Return the command line as text."""
    return [word.decode() for word in launch.argv]


@pytest.mark.parametrize("kind", ["podman", "docker"])
def test_a_container_is_named_labelled_and_removed(kind, tmp_path):
    """It runs as the user, behind an init, and by name gets the variables of its task."""
    made = callback(
        kind, "img", ["cmd", "{}"], mounts=[f"{tmp_path}:/data:ro"], network="host", options=["--memory", "1g"]
    )
    launch = made.prepare(task('"x"'), 0)
    assert words(launch) == [
        *(f"/usr/bin/{kind}", "run", "--rm", "--init"),
        *RUNTIMES[kind].user,
        *("--pull=never", "--log-driver=none"),
        *("--volume", f"{tmp_path}:/data:ro", "--network", "host", "--memory", "1g"),
        *("--label", "minionize=0123456789ab", "--label", "minionize.process=4321.99.boot-id.4026531836"),
        *("--volume", "/scratch/minionize-0123456789ab:/scratch/minionize-0123456789ab:z"),
        *GIVEN,
        *("--name", "minion-0123456789ab-1", "img", "cmd", "x"),
    ]
    assert launch.container == b"minion-0123456789ab-1"
    assert made.prepare(task(), 0).container == b"minion-0123456789ab-2"


def test_apptainer_executes_a_command_as_a_process_like_any_other(tmp_path):
    """Its environment is passed on without a word, and it has neither name nor label."""
    made = callback("apptainer", "img.sif", ["cmd", "{}"], mounts=[f"{tmp_path}:/data:z"], network="none", gpus="all")
    launch = made.prepare(task('"x"'), 0)
    scratch = "/scratch/minionize-0123456789ab"
    assert words(launch) == [
        *("/usr/bin/apptainer", "exec", "--bind", f"{tmp_path}:/data", "--net", "--network", "none"),
        *("--bind", f"{scratch}:{scratch}", "--nv", "img.sif", "cmd", "x"),
    ]
    assert launch.container == b""
    assert made.container_commands == {}


def test_without_a_command_apptainer_runs_the_image():
    """Its runscript, that is; with one, it is executed in place of that."""
    assert words(callback("apptainer", "img.sif").prepare(task(), 0))[1] == "run"
    assert words(callback("podman", "img").prepare(task('{"a": 1}'), 0))[-2:] == ["img", "--a=1"]


def test_an_image_of_a_registry_is_a_file_to_apptainer(monkeypatch):
    """The one it was pulled to."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    made = callback("apptainer", "docker://python:3.12", ["cmd"])
    assert words(made.prepare(task(), 0))[-3:] == ["/cache/minionize/images/docker___python_3.12.sif", "cmd", "1"]


def test_a_runtime_without_an_init_is_used_without():
    """Nothing else changes."""
    found = RUNTIMES["podman"]._replace(init=False)
    assert "--init" not in words(callback("podman", "img", found=found).prepare(task(), 0))


@pytest.mark.parametrize(
    ("kind", "gpus", "options"),
    [
        ("docker", "all", ["--gpus", "all"]),
        ("docker", "device={slot}", ["--gpus", "device=3"]),
        ("podman", "all", ["--device=nvidia.com/gpu=all"]),
        ("podman", "device={slot}", ["--device=nvidia.com/gpu=3"]),
        ("podman", "0,1", ["--device=nvidia.com/gpu=0", "--device=nvidia.com/gpu=1"]),
        ("podman", "amd.com/gpu=0", ["--device=amd.com/gpu=0"]),
        ("apptainer", "all", ["--nv"]),
    ],
)
def test_gpus_are_written_as_the_runtime_reads_them(kind, gpus, options):
    """A slot may have one of its own."""
    said = words(callback(kind, "img", gpus=gpus).prepare(task(), 3))
    end = said.index("img")
    assert said[end - len(options) : end] == options


@pytest.mark.parametrize("option", ["-d", "--detach=true", "--name"])
def test_an_option_by_which_a_container_would_be_lost_is_an_error(option):
    """All tasks would be done at once, whatever came of them."""
    with pytest.raises(UsageError, match=f"{option} is no option"):
        ContainerCallback("img", options=["--memory", "1g", option])


def test_apptainer_has_all_gpus_or_none():
    """Said before the first task: a wrong word must not become a container without GPUs."""
    with pytest.raises(UsageError, match="--gpus all"):
        callback("apptainer", "img", gpus="0")


def test_a_subclass_makes_the_command():
    """As of a ProcessCallback: a list is the arguments, a string is split."""

    class Mine(ContainerCallback):
        def to_cmd(self, param):
            return f"run --seed {param}" if param < 2 else ["run", "--seed", str(param)]

    made = Mine("img")
    made._found = RUNTIMES["podman"]
    assert made._end(task("1"), 0) == made._end(task("1"), 0) == [b"img", b"run", b"--seed", b"1"]
    assert made._end(task("2"), 0) == [b"img", b"run", b"--seed", b"2"]


@pytest.mark.parametrize("param", ['"caf\udce9"', '"\udce9"'])
def test_what_is_not_utf_8_is_refused(param):
    """It would be another param inside."""
    with pytest.raises(BadParam, match="not UTF-8"):
        callback("podman", "img", ["cmd", "{}"]).prepare(task(param), 0)


def test_relative_mounts_are_below_the_current_directory(monkeypatch, tmp_path):
    """The one of the minion, whatever that of the runtime is."""
    monkeypatch.chdir(tmp_path)
    (mount,) = sight.mounts(["data:/data"], "here")
    assert mount == (f"{tmp_path}/data", "/data", "")
    monkeypatch.setenv("HOME", "/home/me")
    assert sight.mounts(["~/data:/data"], ".minionize.yml")[0].here == "/home/me/data"


@pytest.mark.parametrize("here", ["a,b", "a:b"])
def test_a_scratch_directory_that_cannot_be_mounted_is_an_error(here):
    """Whose TMPDIR has a colon hears of it before anything is taken."""
    with pytest.raises(UsageError, match="colon or a comma"):
        sight.check_path(f"/{here}/minionize-x")


def test_the_first_runtime_on_path_is_taken(monkeypatch, tmp_path):
    """podman, then docker, then apptainer; a .sif file is for apptainer only, which may have its old name."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandNotFound, match="no podman, docker or apptainer is installed"):
        runtime.find(None, "img")
    for name, kind in (("singularity", "apptainer"), ("docker", "docker"), ("podman", "podman")):
        path = tmp_path / name
        path.write_text("")
        path.chmod(0o755)
        assert runtime.find(None, "img") == Runtime(kind, os.fsencode(path))
    assert runtime.find(None, "img.sif").name == "singularity"
    assert runtime.find("docker", "img").kind == "docker"


def answering(tmp_path, name, script):
    """Put a program of that name on PATH; returns the runtime that it is."""
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Runtime(name, os.fsencode(path))


def test_podman_in_dockers_clothes_is_podman(tmp_path):
    """As the package podman-docker dresses it."""
    assert runtime.known(answering(tmp_path, "docker", "echo podman version 4.9.3")).kind == "podman"


@pytest.mark.parametrize(
    ("init", "security", "user", "has_init"),
    [
        ("de40ad0", '["name=seccomp"]', f"{os.geteuid()}:{os.getegid()}", True),
        ("N/A", '["name=seccomp","name=rootless"]', "0:0", False),
    ],
)
def test_docker_is_asked_what_it_can(tmp_path, init, security, user, has_init):
    """Whose daemon is rootless is root in containers, which is himself outside."""
    script = (
        f"case $1 in --version) echo Docker version 28;; version) echo Engine;; info) echo '{init} {security}';; esac"
    )
    found = runtime.known(answering(tmp_path, "docker", script))
    assert (found.user, found.init) == (("--user", user), has_init)


def test_a_runtime_that_does_not_work_is_an_error_in_its_words(tmp_path):
    """The last one of them says why."""
    with pytest.raises(UsageError, match="does not work here: no space left"):
        runtime.known(answering(tmp_path, "podman", "echo warning >&2; echo 'Error: no space left' >&2; exit 125"))


@pytest.mark.parametrize("shown", ["map[a:b minionize:x minionize.process:{}]", "a=b,minionize.process={},minionize=x"])
def test_a_container_of_a_dead_minion_is_known_by_its_label(shown, tmp_path):
    """As podman shows labels, and as docker does; those of this process, and of other machines, are left alone."""
    from minionize import place

    me = place.identity()
    gone, elsewhere = me._replace(start=me.start - 1), me._replace(boot="another", start=1)
    lines = [
        f"{name} {shown.format(orphans.signature(who))}" for name, who in (("a", me), ("b", gone), ("c", elsewhere))
    ]
    log = tmp_path / "log"
    script = f"echo \"$@\" >> {log}; case $1 in ps) printf '%s\\n' {' '.join(map(repr, lines))};; esac"
    assert orphans.remove(answering(tmp_path, "podman", script), me) == 1
    assert log.read_text().splitlines()[-1] == "rm -f -t 0 b"
