"""The example of minionize as an entry point: its README by podman, AWS Batch by moto, Google's machines by their scripts alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from console import EXAMPLES, agrees, run, steps
from servers import entry_image, need, redis_server, sharing
from servers.moto_server import MotoServer

pytestmark = pytest.mark.timeout(400)  # the first of them builds the image, and the base below it

HERE = EXAMPLES / "entrypoint"
#: Seconds after which what should have happened has not.
PATIENCE = 60.0


def until(happened, what):
    """Wait until something is true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (value := happened()):
        assert time.monotonic() < end, f"this never happened: {what}"
        time.sleep(0.05)
    return value


@pytest.fixture
def store():
    """Return podman with the images."""
    return entry_image.shared()


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the example, where it may leave files."""
    litter = shutil.ignore_patterns("wheels", "minion-queue.db*", "minion-report")
    return shutil.copytree(HERE, tmp_path / "entrypoint", ignore=litter)


@pytest.fixture
def queue(tmp_path):
    """Return the environment that names an empty queue on a Redis server of this host."""
    server = redis_server.shared()
    return {
        "MINION_ENGINE": "redis",
        "REDIS_URL": f"redis://127.0.0.1:{server.port}/0",
        "REDIS_STREAM": redis_server.stream_name(),
    }


def path_of(store, *before):
    """Name where the commands are: these first, then ours, then podman's."""
    return os.pathsep.join([*map(str, before), os.path.dirname(sys.executable), store.environment["PATH"]])


def block(readme, begin):
    """Return the commands of the ``sh`` block that begins like this; comments are left out."""
    lines = readme.read_text().split(begin, 1)[1].split("\n\n", 1)[0]
    return [line.partition("  #")[0].strip() for line in (begin + lines).splitlines()]


# ---------------------------------------------------------------------- podman and compose


def test_the_image_and_compose_do_what_the_readme_shows(copy, store):
    """Every command, one after the other, prints what stands below it; three minions run the params, and stop with 143."""
    if not shutil.which("podman-compose", path=path_of(store)):
        need.lacking("podman-compose not installed: pip install --group test")
    if not os.path.exists("/usr/lib/podman/aardvark-dns"):
        need.lacking("containers would not find each other: apt-get install --no-install-recommends aardvark-dns")
    store.make_redis()
    shutil.copytree(os.path.join(store.context, "wheels"), copy / "wheels")
    environ = {**store.environment, "PATH": path_of(store)}
    # Debian's podman has one name server for all stores of a machine, and it knows networks by their names: one run at a time.
    with sharing.alone(os.path.join(tempfile.gettempdir(), "minionize-compose")):
        try:
            for command, shown in steps(copy / "README.rst"):
                printed = run(f"{{ {command}\n}} 2>&1", copy, timeout=200, **environ).out
                assert agrees(shown, printed), f"$ {command}\n{printed}"
            ends = [f"entrypoint_minion_{number}" for number in (1, 2, 3)]
            assert store.podman("inspect", "--format", "{{.State.ExitCode}}", *ends).split() == ["143"] * 3
        finally:
            run("podman-compose down --volumes", copy, timeout=100, **environ)


# ---------------------------------------------------------------------- AWS Batch


@pytest.fixture
def batch(store):
    """Return a moto server with a job queue named ``spot``."""
    with MotoServer(store) as moto:
        document = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = ("iam", "create-role", "--role-name", "batch", "--assume-role-policy-document", document)
        arn = moto.aws(*role, "--query", "Role.Arn", "--output", "text")
        kind = ("--type", "UNMANAGED", "--state", "ENABLED", "--service-role", arn)
        moto.aws("batch", "create-compute-environment", "--compute-environment-name", "spot", *kind)
        order = (
            "--priority",
            "1",
            "--state",
            "ENABLED",
            "--compute-environment-order",
            "order=1,computeEnvironment=spot",
        )
        moto.aws("batch", "create-job-queue", "--job-queue-name", "spot", *order)
        yield moto


@pytest.mark.parametrize("name", ["job-definition.json", "job-definition-fargate.json"])
def test_batch_takes_the_job_definitions_as_they_are(name, batch):
    """The aws command checks every field; what a stop means is in the order in which it is looked at."""
    batch.aws("batch", "register-job-definition", "--cli-input-json", f"file://{HERE}/aws-batch/{name}")
    (taken,) = json.loads(batch.aws("batch", "describe-job-definitions"))["jobDefinitions"]
    given = json.loads((HERE / "aws-batch" / name).read_text())
    assert json.dumps(taken["retryStrategy"]).lower() == json.dumps(given["retryStrategy"]).lower()
    assert [rule["action"] for rule in given["retryStrategy"]["evaluateOnExit"]] == ["RETRY", "RETRY", "EXIT"]
    assert taken["containerProperties"]["command"] == given["containerProperties"]["command"]


def test_an_array_job_of_batch_drains_the_queue(batch, copy, store, queue):
    """As the README says it, with an image and a Redis that are here: three minions, every param once, a log that can be read."""
    path = copy / "aws-batch" / "job-definition.json"
    definition = json.loads(path.read_text())
    container = definition["containerProperties"]
    container["image"] = entry_image.SWEEP
    container["environment"] = [one for one in container["environment"] if one["name"] not in queue]
    container["environment"] += [{"name": name, "value": value} for name, value in queue.items()]
    path.write_text(json.dumps(definition))
    environ = {**store.environment, **queue, **batch.environment, "PATH": path_of(store)}
    assert run("minion-queue put seed=1..40 alpha=0.1,0.5", copy, **environ).code == 0

    register, submit = block(copy / "README.rst", "aws batch register-job-definition")[:2]
    batch_path = {**environ, "PATH": path_of(store, batch.tools)}
    assert run(register, copy, **batch_path).code == 0
    submitted = run(submit, copy, **batch_path)
    assert submitted.code == 0, submitted.err
    ended = ("batch", "list-jobs", "--array-job-id", json.loads(submitted.out)["jobId"], "--job-status", "SUCCEEDED")
    until(lambda: len(json.loads(batch.aws(*ended))["jobSummaryList"]) == 3, "three minions end well")

    shown = run("minion-queue show", copy, **environ).out
    assert re.search(r"done +80$", shown, re.MULTILINE), shown
    reports = copy / "reports"
    reports.mkdir()
    words = ("logs", "filter-log-events", "--log-group-name", "/aws/batch/job", "--query", "events[].message")
    (reports / "log.jsonl").write_text("\n".join(json.loads(batch.aws(*words))))
    ran = run("minion-status --json reports", copy, **environ)
    assert ran.code == 0, ran.err
    status = json.loads(ran.out)
    assert (status["counts"]["done"], len(status["minion_list"])) == (80, 3)


# ---------------------------------------------------------------------- Google Compute Engine


def fake(directory, name, text):
    """Make a command that stands for another."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{text}\n")
    (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def machine(tmp_path, store, queue):
    """Return the environment of the scripts of a machine: its metadata, docker, which is podman here, and its switch."""
    bin = tmp_path / "bin"
    attributes = fake(tmp_path / "attributes", "minion-image", "").joinpath("minion-image")
    attributes.write_text(entry_image.SWEEP)
    (tmp_path / "attributes" / "minion-environment").write_text(
        "".join(f"{key}={value}\n" for key, value in queue.items())
    )
    fake(bin, "curl", f'for url; do :; done; cat "{tmp_path}/attributes/${{url##*/attributes/}}"')
    fake(bin, "docker", 'exec podman "$@"')
    fake(bin, "poweroff", f"echo off > {tmp_path}/power")
    yield {**store.environment, "PATH": path_of(store, bin), "MINION_HOME": str(tmp_path / "home")}
    store.podman("rm", "-f", "-t", "0", "--ignore", "minion")


def test_a_machine_of_google_runs_one_minion_and_switches_itself_off(machine, queue, copy, tmp_path):
    """startup.sh reads what to run from the metadata, and the log of the machine has the output and the events."""
    run("minion-queue put seed=1..5 alpha=0.5", copy, **machine, **queue)
    ran = run("sh gce/startup.sh", copy, **machine)
    assert ran.code == 0, ran.err
    assert "seed 5, alpha 0.5:" in ran.out
    assert (tmp_path / "power").read_text() == "off\n"
    events = [json.loads(line) for line in ran.out.splitlines() if line.startswith("{")]
    assert [event["type"] for event in events][-1] == "minion_stop"
    assert events[0]["host"] == os.uname().nodename
    assert os.stat(tmp_path / "home" / "environment").st_mode & 0o077 == 0


def test_a_machine_that_is_preempted_gives_its_task_back(machine, queue, copy, tmp_path, store):
    """shutdown.sh stops the container, and whatever is left of 30 seconds is not needed."""
    (copy / "simulate.sh").write_text("#!/bin/sh\necho $1 begins\nexec sleep 600\n")
    store.podman("build", "--quiet", "-t", f"slow-{os.getpid()}", "-f", str(copy / "Containerfile.sweep"), str(copy))
    (tmp_path / "attributes" / "minion-image").write_text(f"localhost/slow-{os.getpid()}")
    run("minion-queue put seed=7 alpha=0.5", copy, **machine, **queue)
    with (tmp_path / "log").open("wb") as log:
        startup = subprocess.Popen(
            ["sh", "gce/startup.sh"], cwd=copy, env={**os.environ, **machine}, stdout=log, stderr=log
        )
    try:
        until(lambda: "7 begins" in (tmp_path / "log").read_text(), "the task begins")
        assert run("sh gce/shutdown.sh", copy, **machine).code == 0
        assert startup.wait(PATIENCE) == 143
    finally:
        startup.kill()
        startup.wait()
        store.podman("rm", "-f", "-t", "0", "--ignore", "minion")
        store.podman("rmi", f"slow-{os.getpid()}")
    assert '"outcome":"interrupted"' in (tmp_path / "log").read_text()
    assert re.search(r"pending +1$", run("minion-queue show", copy, **machine, **queue).out, re.MULTILINE)


def test_the_fleet_of_google_is_one_command(copy, tmp_path):
    """launch.sh names the machines, the image, the scripts and the last resort; the user's options come last."""
    bin = fake(tmp_path / "bin", "gcloud", """printf '%s\\n' "$@" > "$ARGV" """)
    path = f"{bin}:{os.environ['PATH']}"
    words = "sh gce/launch.sh 3 europe-west1-docker.pkg.dev/my-project/minions/sweep --zone=europe-west1-b"
    assert words in block(copy / "README.rst", "MINION_ENGINE=google GOOGLE_PROJECT_ID")
    ran = run(words, copy, PATH=path, ARGV=str(tmp_path / "argv"))
    assert ran.code == 0, ran.err
    argv = (tmp_path / "argv").read_text().splitlines()
    assert argv[:4] == ["compute", "instances", "bulk", "create"]
    assert {"--count=3", "--provisioning-model=SPOT", "--instance-termination-action=DELETE"} <= {*argv}
    assert argv[-1] == "--zone=europe-west1-b"
    (files,) = [word.partition("=")[2] for word in argv if word.startswith("--metadata-from-file=")]
    for pair in files.split(","):
        assert (copy / "gce" / pair.partition("=")[2]).exists()
    assert run("sh gce/launch.sh 3", copy, PATH=path).code == 2


def test_the_scripts_are_clean():
    """For any sh, as shellcheck knows it."""
    if not shutil.which("shellcheck", path=os.path.dirname(sys.executable)):
        need.lacking("shellcheck not installed: pip install --group test")
    scripts = sorted(map(str, HERE.glob("*/*.sh")))
    assert len(scripts) == 3
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "shellcheck"), *scripts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
