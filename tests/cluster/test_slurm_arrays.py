"""Arrays of minions on Slurm: who they are, and what they do when some of them are killed, or are on a bad node."""

from __future__ import annotations

import itertools

import pytest
from servers.slurm import Slurm
from site_of_a_user import SlurmSite, until


@pytest.fixture
def on_slurm_alone(tmp_path):
    """Return a directory from which jobs go to a Slurm that nobody else uses."""
    with Slurm() as cluster:
        site = SlurmSite(cluster, tmp_path)
        yield site
        site.leave()


def test_each_minion_says_which_element_it_is_and_where(on_slurm):
    """In its events, and wherever minions are listed. The index names it, and does not choose its work."""
    on_slurm.put("1..12")
    on_slurm.job("sh -c 'sleep 0.3; echo $0 >> ran' {}")
    job = on_slurm.sbatch("--array=3,7", "job.sh")
    assert on_slurm.wait(job) == {f"{job}_3": "COMPLETED", f"{job}_7": "COMPLETED"}
    assert sorted(map(int, on_slurm.lines("ran"))) == list(range(1, 13))

    starts = on_slurm.events("minion_start")
    assert {start["job"]["index"] for start in starts} == {"3", "7"}
    for start in starts:
        known = start["job"]
        assert (known["scheduler"], known["array"], known["node"]) == ("slurm", job, start["host"])
        assert known["id"].isdecimal()

    listed = {minion["job"]["index"]: minion for minion in on_slurm.status()["minion_list"]}
    assert sorted(listed) == ["3", "7"]
    shown = on_slurm.do("minion-status", "--minions")
    on_slurm.do("minion-status", "--html", "report.html")
    for index in "37":
        (line,) = (line for line in shown.splitlines() if f" {job}_{index} " in line)
        assert listed[index]["node"] in line
        assert f"job {job}_{index}" in "\n".join(on_slurm.lines("report.html"))
    assert f",{job}_3," in on_slurm.do("minion-status", "--csv", "minions")


@pytest.mark.parametrize("engine", ["sqlite", "spool"])
def test_an_array_that_is_killed_again_and_again_does_each_param_once(on_slurm, engine):
    """One element is killed every second or so, and replaced: each param is done once in the books, and none failed."""
    variables = {"MINION_ENGINE": engine, "MINION_PREEMPTIBLE": "1", "MINION_MAX_CRASHES": "1", "MINION_LEASE": "5s"}
    on_slurm.do("env", f"MINION_ENGINE={engine}", "minion-queue", "put", "1..200")
    on_slurm.job("sh -c 'sleep 0.2; echo $0 >> ran' {}", **variables)
    elements = [f"{on_slurm.sbatch('--array=0-3', 'job.sh')}_{index}" for index in range(4)]
    ways = itertools.cycle([("--full", "--signal=KILL"), (), ("--batch", "--signal=KILL")])
    for seen, victim in enumerate(elements[:]):  # every 30 executions or so
        until(lambda seen=seen: len(on_slurm.lines("ran")) > 30 * seen + 10, "the sweep goes on")
        on_slurm.run("scancel", *next(ways), victim)
        elements.append(on_slurm.sbatch("job.sh"))
    for element in elements:
        on_slurm.wait(element)

    assert on_slurm.counts() == {"done": 200}
    ran = list(map(int, on_slurm.lines("ran")))
    assert set(ran) == set(range(1, 201))
    assert set(on_slurm.outcomes()) <= {"done", "interrupted"}
    done = [event["param"] for event in on_slurm.events() if event["outcome"] == "done"]
    assert len(done) - len(set(done)) <= len(ran) - 200


BROKEN = """#!/bin/sh
if [ "$(hostname)" = node2 ]; then
    echo "./a.out: error while loading shared libraries: libfftw3.so.3: cannot open shared object file" >&2
    exit 127
fi
sleep 0.3
"""


def test_a_bad_node_does_not_eat_the_queue(on_slurm_alone):
    """Whatever is run there fails at once: its minion leaves with 71, the others do all the work, and nothing is dead."""
    site = on_slurm_alone
    site.write("a.out", BROKEN)
    site.put("1..200")
    site.job("./a.out {}", MINION_MAX_ATTEMPTS="10")
    job = site.sbatch("--array=0-3", "--cpus-per-task=2", "job.sh")
    states = site.wait(job)
    assert sorted(states.values()) == ["COMPLETED"] * 3 + ["FAILED"]
    (bad,) = (start["minion"] for start in site.events("minion_start") if start["host"] == "node2")
    stops = {event["minion"]: (event["reason"], event["exit"]) for event in site.events("minion_stop")}
    assert stops.pop(bad) == ("bad_host", 71)
    assert set(stops.values()) == {("settled", 0)}
    assert site.counts() == {"done": 200}

    (warning,) = (one for one in site.status()["warnings"] if one["code"] == "bad_node")
    assert warning["node"] == "node2"
    shown = site.do("minion-status")
    assert "node2" in shown
    assert "libfftw3.so.3" in "".join(event["stderr"] for event in site.events() if event["minion"] == bad)
