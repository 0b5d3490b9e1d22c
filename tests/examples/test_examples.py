"""The examples, run as their READMEs say, in a copy of their folders."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import sys
from itertools import pairwise

import pytest
from console import EXAMPLES, agrees, run, steps
from servers import oar, podman, pubsub_server, pulsar_server, slurm, sshd
from servers.ports import free_port, is_free

ALL = os.environ.get("MINIONIZE_TEST_ALL") == "1"
ROOT = EXAMPLES.parent
#: Leaves a score without fitting anything, for what concerns the table alone.
SCORES = """minionize -q sh -c 'echo "{\\"score\\": 0.$1}" > $MINION_RESULT_FILE' - {seed}"""


@pytest.fixture
def copy(tmp_path):
    """Return a function that copies an example to where it may leave files."""

    def make(name):
        litter = shutil.ignore_patterns("__pycache__", "minion-queue.db*", "minion-report", "scores.csv", "decay.txt")
        return shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=litter)

    return make


@pytest.fixture
def digits(copy):
    """Return a copy of the digits example, where scikit-learn is installed; in CI it must be."""
    if importlib.util.find_spec("sklearn") is None:
        reason = "scikit-learn is not installed; pip install --group test"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return copy("digits")


def table_of(directory):
    """Return the table that the sweep wrote, as a dict for each row."""
    with (directory / "scores.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["hello", "callback", "functions", "screenshots", "project"])
def test_an_example_does_what_its_readme_shows(name, copy):
    """Every command, one after the other, prints what stands below it."""
    here = copy(name)
    commands = list(steps(here / "README.rst"))
    assert len(commands) > 2
    for command, shown in commands:
        printed = run(f"{{ {command}\n}} 2>&1", here).out
        assert agrees(shown, printed), f"$ {command}\n{printed}"


def test_containers_do_what_their_readme_shows(copy):
    """With an image of that name, which no registry is asked for."""
    store = podman.shared()
    store.podman("tag", podman.IMAGE, "docker.io/library/busybox:1")
    here, store = copy("container"), {name: value for name, value in store.environment.items() if name != "PATH"}
    for command, shown in steps(here / "README.rst"):
        printed = run(f"{{ {command}\n}} 2>&1", here, MINION_RUNTIME="podman", **store).out
        assert agrees(shown, printed), f"$ {command}\n{printed}"


def test_machines_that_ssh_enters_work_together(copy):
    """The commands of its README, with a real sshd that is both machines."""
    environ = {"MINION_LAUNCH_EXTRA": f"-F {sshd.shared().config}"}
    here = copy("ssh")
    for command, shown in steps(here / "README.rst"):
        printed = run(f"{{ {command}\n}} 2>&1", here, **environ).out
        assert agrees(shown, printed), f"$ {command}\n{printed}"
    ran = (here / ".local/state/minionize/launches").glob("*.json")
    assert [json.loads(path.read_text())["size"] for path in ran] == [4]


def test_an_array_on_slurm_works_as_its_readme_shows(copy):
    """With a real Slurm of four nodes; one element is cancelled in the middle."""
    here = copy("slurm")
    for command, shown in steps(here / "README.rst"):
        printed = run(f"{{ {command}\n}} 2>&1", here, 100, **slurm.shared().environment).out
        printed = re.sub(r"(?<=batch job )\d+", "4711", printed)
        assert agrees(shown, printed), f"$ {command}\n{printed}"


def test_an_array_on_oar_works_as_its_readme_shows():
    """With a real OAR of four nodes; one element is deleted in the middle."""
    server = oar.shared()
    here = server.example(EXAMPLES / "oar")
    for command, shown in steps(EXAMPLES / "oar" / "README.rst"):
        printed = server.run("sh", "-c", f"{{ {command}\n}} 2>&1", cwd=here)
        assert agrees(shown, printed), f"$ {command}\n{printed}"


def test_every_example_is_run_here():
    """A new one must be added to these tests."""
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == [
        "callback",
        "container",
        "digits",
        "engine",
        "entrypoint",
        "functions",
        "hello",
        "oar",
        "project",
        "pubsub",
        "pulsar",
        "screenshots",
        "slurm",
        "ssh",
    ]


def test_a_dozen_fits_make_a_table(digits):
    """Put twice with more points the second time, and one point that cannot be: each is fitted once, the one is dead."""
    run("minion-queue put C=0 gamma=0.001 seed=1", digits)
    run("minion-queue put C=1,10 gamma=0.001,0.01 seed=1..2", digits)
    before = run("python table.py", digits)
    assert (before.code, before.err) == (1, "0 of 9 fits, 9 not done yet\n")

    swept = run("./sweep.sh C=1 gamma=0.001 seed=1..5", digits)
    assert swept.code == 1
    assert "minion-queue.db: 3 added, 2 known (2 pending)" in swept.out
    assert "11 done, 1 dead" in swept.err
    assert swept.err.endswith("11 of 12 fits, 1 dead (see: minion-status --failures)\n")

    rows = table_of(digits)
    assert {(row["C"], row["gamma"]): row["fits"] for row in rows} == {
        ("1", "0.001"): "5",
        ("1", "0.01"): "2",
        ("10", "0.001"): "2",
        ("10", "0.01"): "2",
    }
    means = [float(row["mean"]) for row in rows]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.98
    assert all(float(row["worst"]) <= float(row["mean"]) for row in rows)


@pytest.mark.skipif(not ALL, reason="200 fits take minutes: MINIONIZE_TEST_ALL=1 runs them")
@pytest.mark.timeout(1500)
def test_all_200_fits_make_the_table_of_the_readme(digits):
    """And then a point that cannot be is put. Scores may differ in the third digit from machine to machine."""
    shown = {command: lines for command, lines in steps(digits / "README.rst") if not command.startswith("pip ")}
    swept, too_much = [command for command in shown if command.startswith("./sweep.sh")]
    ran = run(swept, digits, timeout=1400)
    assert ran.out.splitlines()[0] == shown[swept][0]
    assert agrees(["...", *shown[swept][-2:]], ran.err), ran.err

    rows = table_of(digits)
    assert len(rows) == 20
    assert {row["fits"] for row in rows} == {"10"}
    means = [float(row["mean"]) for row in rows]
    assert all(one >= other for one, other in pairwise(means))
    known = {tuple(line.split(",")[:2]): float(line.split(",")[3]) for line in shown["head -4 scores.csv"][1:]}
    found = {(row["C"], row["gamma"]): float(row["mean"]) for row in rows}
    assert {point: found[point] for point in known} == pytest.approx(known, abs=0.003)

    assert run(too_much, digits).err.splitlines()[-1:] == shown[too_much][-1:]


def test_the_readme_of_digits_shows_real_command_lines(copy):
    """Those of the program as it is: its options, and the points of the whole sweep."""
    here = copy("digits")
    commands = [command for command, _ in steps(here / "README.rst")]
    assert commands[:3] == [
        "pip install -r requirements.txt",
        "python fit.py --C 1 --gamma 0.001 --seed 1",
        "./sweep.sh",
    ]
    default = next(line for line in (here / "sweep.sh").read_text().splitlines() if "set -- " in line)
    assert run(f"minion-queue put {default.partition('set -- ')[2]}", here).out == "minion-queue.db: 200 added\n"


def test_the_table_says_what_is_not_done(copy):
    """Only what is done is in it; the rest is counted."""
    here = copy("digits")
    run("minion-queue put C=1 gamma=0.5 seed=1..3", here)
    run(f"MINION_MAX_TASKS=2 {SCORES}", here)
    made = run("python table.py", here)
    assert made.out == "C,gamma,fits,mean,worst\n1,0.5,2,0.1500,0.1000\n"
    assert (made.code, made.err) == (1, "2 of 3 fits, 1 not done yet\n")
    run(SCORES, here)
    assert run("python table.py", here) == (0, "C,gamma,fits,mean,worst\n1,0.5,3,0.2000,0.1000\n", "3 of 3 fits\n")


def test_the_table_says_what_left_no_score(copy):
    """A program that exits with 0 and writes nothing is done, and yet no fit."""
    here = copy("digits")
    run("minion-queue put C=1 gamma=0.5 seed=1,2", here)
    run("minionize -q true {seed}", here)
    assert run("python table.py", here) == (
        1,
        "C,gamma,fits,mean,worst\n",
        "0 of 2 fits, 2 done, but without a score\n",
    )


def test_the_table_forgets_what_was_cleared(copy):
    """Old events of params that were taken off the books and put again are no results."""
    here = copy("digits")
    run("minion-queue put C=1 gamma=0.5 seed=1,2", here)
    run(SCORES, here)
    run("minion-queue clear --yes", here)
    run("minion-queue put C=1 gamma=0.5 seed=1,2", here)
    assert run("python table.py", here).err == "0 of 2 fits, 2 not done yet\n"


def test_the_table_reads_past_what_is_no_event(copy):
    """A line cut short by a full disk, one being written, and an execution that turned out to be another minion's."""
    here = copy("digits")
    run("minion-queue put C=1 gamma=0.5 seed=1", here)
    run(SCORES, here)
    (path,) = (here / "minion-report").glob("*.jsonl")
    end = json.loads(next(line for line in path.read_text().splitlines() if '"task_end"' in line))
    done = {**end, "minion": "x", "t": end["t"] + 1, "result": {"score": 0.9}}
    lines = ['{"v":1,"type":"task_e', json.dumps(done), json.dumps({**done, "outcome": "lost", "result": None})]
    (path.parent / "x.jsonl").write_text("\n".join([*lines, '{"v":1,']))
    assert run("python table.py", here) == (0, "C,gamma,fits,mean,worst\n1,0.5,1,0.1000,0.1000\n", "1 of 1 fits\n")


def test_the_table_of_no_queue_is_an_error(copy):
    """Said by the queue's own command, and no empty table is printed."""
    made = run("python table.py", copy("digits"))
    assert (made.code, made.out) == (2, "")
    assert "minion-queue put" in made.err


@pytest.mark.skipif(not ALL, reason="it installs into an environment of its own: MINIONIZE_TEST_ALL=1 runs it")
def test_hello_sets_itself_up_in_a_bare_checkout(tmp_path):
    """The README's first command: a virtual environment, a queue, two minions, the status."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("minionize", "examples"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.rst", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    ran = run("sh examples/hello/run", checkout, timeout=110, TMPDIR=str(tmp_path), PYTHON=sys.executable)
    assert ran.code == 0, ran.err
    assert "minion-queue.db: 400 added" in ran.out
    assert ran.err.count("This minion:") == 2
    assert "done 400" in ran.out


@pytest.mark.skipif(not ALL, reason="it installs into an environment of its own: MINIONIZE_TEST_ALL=1 runs it")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["pubsub", "pulsar"])
def test_an_example_with_a_server_starts_from_nothing(name, tmp_path):
    """A virtual environment, a server, a queue, two minions, what others publish; and the server is gone at the end."""
    {"pubsub": pubsub_server, "pulsar": pulsar_server}[name].require()
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for part in ("minionize", "examples", "tests/servers"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.rst", "LICENSE"):
        shutil.copy(ROOT / part, checkout)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # where a broker was fetched to
    environ = {"TMPDIR": str(tmp_path), "PYTHON": sys.executable, "XDG_CACHE_HOME": cache}
    ports = {name: free_port() for name in ("PUBSUB_PORT", "PULSAR_PORT", "PULSAR_WEB_PORT", "PULSAR_BOOKIE_PORT")}
    environ |= {name: str(port) for name, port in ports.items()}
    ran = run(f"sh examples/{name}/run", checkout, timeout=380, **environ)
    assert ran.code == 0, ran.err
    assert "40 added" in ran.out
    assert "done 41" in ran.out
    if name == "pubsub":
        assert '"no JSON"  it cannot be decoded' in ran.out
    else:
        assert "\n41\n" in ran.out
    assert all(map(is_free, ports.values()))


def test_a_wrong_line_of_a_readme_is_noticed():
    """What differs from run to run is left out, and nothing else is."""
    printed = "minionize: minion 0123456789ab\n200 done in 1.2s at 13:21\n\nend\n"
    assert agrees(["minionize: minion ba9876543210", "200 done in 0.3s at 9:08", "", "end"], printed)
    assert agrees(["...", "end"], printed)
    assert agrees(["minionize: minion ba9876543210", "..."], printed)
    assert not agrees(["minionize: minion ba9876543210", "199 done in 0.3s at 9:08", "", "end"], printed)
    assert not agrees(["minionize: minion ba9876543210"], printed)
    assert not agrees([], printed)
