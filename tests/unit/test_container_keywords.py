"""Keyword arguments of docker-py, as options of a command line."""

from __future__ import annotations

import pytest

from minionize.callbacks.container import DockerCallback
from minionize.callbacks.container.keywords import UnknownKeyword, translate
from minionize.callbacks.container.runtime import Runtime
from minionize.errors import BadParam
from minionize.model import Task


@pytest.mark.parametrize(
    ("keywords", "options"),
    [
        ({"mem_limit": "1g", "cpu_shares": 512}, ["--memory", "1g", "--cpu-shares", "512"]),
        ({"nano_cpus": 1500000000}, ["--cpus", "1.5"]),
        ({"working_dir": "/w", "user": 1000, "hostname": "h"}, ["--workdir", "/w", "--user", "1000", "--hostname", "h"]),
        ({"network_mode": "host", "ipc_mode": "host"}, ["--network", "host", "--ipc", "host"]),
        ({"network_disabled": True}, ["--network", "none"]),
        ({"environment": {"A": 1, "B": "", "C": None}}, ["--env", "A=1", "--env", "B="]),
        ({"environment": ["A=1"]}, ["--env", "A=1"]),
        ({"labels": {"a": "b"}}, ["--label", "a=b"]),
        ({"volumes": {"/here": {"bind": "/there", "mode": "ro"}}}, ["--volume", "/here:/there:ro"]),
        ({"volumes": {"/here": {"bind": "/there"}}}, ["--volume", "/here:/there"]),
        ({"volumes": ["/a:/b"]}, ["--volume", "/a:/b"]),
        ({"cap_add": ["SYS_PTRACE"], "devices": ["/dev/fuse"]}, ["--cap-add", "SYS_PTRACE", "--device", "/dev/fuse"]),
        ({"ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}]}, ["--ulimit", "nofile=10:20"]),
        ({"ulimits": [{"name": "core", "hard": 0}]}, ["--ulimit", "core=0:0"]),
        ({"tmpfs": {"/t": "size=1g", "/u": ""}}, ["--tmpfs", "/t:size=1g", "--tmpfs", "/u"]),
        ({"extra_hosts": {"db": "10.0.0.1"}}, ["--add-host", "db:10.0.0.1"]),
        ({"ports": {"80/tcp": 8080, "81/tcp": ("127.0.0.1", 81)}}, ["--publish", "8080:80/tcp", "--publish", "127.0.0.1:81:81/tcp"]),
        ({"device_requests": [{"Count": -1, "Capabilities": [["gpu"]]}]}, ["--gpus", "all"]),
        ({"device_requests": [{"DeviceIDs": ["0", "2"], "Capabilities": [["gpu"]]}]}, ["--gpus", '"device=0,2"']),
        ({"mounts": [{"Target": "/t", "Source": "/s", "Type": "bind", "ReadOnly": True}]}, ["--mount", "type=bind,target=/t,source=/s,readonly"]),
        ({"read_only": True, "privileged": False, "shm_size": "1g"}, ["--read-only", "--shm-size", "1g"]),
        ({"remove": True, "detach": False, "stdout": True, "stderr": True, "hostname": None}, []),
    ],
)  # fmt: skip
def test_what_the_command_line_has_is_translated(keywords, options):
    """As docker-py would have it; what is None or false is as if it were not there."""
    assert translate("docker", keywords) == options


def test_gpus_by_number_are_devices_to_podman():
    """By the names of its Container Device Interface."""
    assert translate("podman", {"device_requests": [{"DeviceIDs": ["0", "2"]}]}) == [
        "--device=nvidia.com/gpu=0",
        "--device=nvidia.com/gpu=2",
    ]


def test_apptainer_has_some_of_it():
    """What it has not is an error."""
    keywords = {"environment": {"A": 1}, "volumes": {"/a": {"bind": "/b", "mode": "ro"}}, "working_dir": "/w"}
    assert translate("apptainer", keywords) == ["--env", "A=1", "--bind", "/a:/b:ro", "--pwd", "/w"]
    with pytest.raises(UnknownKeyword, match="the command line of apptainer has nothing for 'mem_limit'"):
        translate("apptainer", {"mem_limit": "1g"})


def test_another_keyword_is_an_error_that_names_it():
    """Dropping it would run something else than was asked for."""
    with pytest.raises(UnknownKeyword, match="'stdin_open'"):
        translate("docker", {"stdin_open": True})


@pytest.mark.parametrize(
    "keywords",
    [
        {"cap_add": "SYS_PTRACE"},
        {"volumes": {"/a": {"mode": "ro"}}},
        {"ulimits": [{"name": "x"}]},
        {"nano_cpus": "many"},
    ],
)
def test_a_value_that_cannot_be_is_an_error_that_names_its_keyword(keywords):
    """And shows it."""
    with pytest.raises(BadParam, match=next(iter(keywords))):
        translate("docker", keywords)


def end_of(callback, param, kind="podman"):
    """Write what a callback makes of a param."""
    callback._found = Runtime(kind, f"/usr/bin/{kind}".encode())
    return [word.decode() for word in callback._end(Task("id", param, 1, 1), 0)]


def test_by_default_the_param_is_the_keywords():
    """As in the original."""
    assert end_of(DockerCallback("img"), '{"command": "run --seed 1", "hostname": "h"}') == [
        *("--hostname", "h", "img", "run", "--seed", "1"),
    ]
    with pytest.raises(BadParam, match="to_kwargs must make a dict, and made int"):
        end_of(DockerCallback("img"), "1")


def test_an_entrypoint_of_many_words_stands_before_the_command():
    """The option takes one word only."""

    class Mine(DockerCallback):
        def to_kwargs(self, param):
            return {"entrypoint": ["python", "-u"], "command": ["run.py", param]}

    assert end_of(Mine("img"), "1") == ["--entrypoint", "python", "img", "-u", "run.py", "1"]
    with pytest.raises(UnknownKeyword, match="entrypoint"):
        end_of(Mine("img"), "1", "apptainer")
