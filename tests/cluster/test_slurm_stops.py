"""What Slurm does to a job that has work left: nothing is lost, nothing is charged, and it goes on where it can."""

from __future__ import annotations

import pytest
from site_of_a_user import until

#: The first time it waits to be stopped, and says that that was a failure; later it is done at once.
STUBBORN = """#!/bin/bash
trap 'exit 3' TERM
if [ $MINION_ATTEMPT-$(cat begun 2>/dev/null) = 1- ]; then
    echo begun >begun
    while :; do sleep 0.1; done
fi
"""
INTERRUPTED = ["interrupted", "done"]


@pytest.fixture
def site(on_slurm):
    """Return a directory with one param, whose program does not end by itself the first time."""
    on_slurm.write("program", STUBBORN)
    on_slurm.job("./program {}")
    on_slurm.put("one")
    return on_slurm


def was_interrupted_and_done(site):
    """Check the books and the story: interrupted once, then done, as the same attempt."""
    assert site.outcomes() == INTERRUPTED, site.said()
    assert {event["attempt"] for event in site.events()} == {1}
    assert site.counts() == {"done": 1}


def test_scancel_gives_the_task_back(site):
    """The program hears the SIGTERM too, and ends with a failure: it was the stop's, and another job does the task."""
    job = site.sbatch("job.sh")
    until(lambda: site.has("begun"), "the task has begun")
    site.run("scancel", job)
    assert site.wait(job) == {job: "CANCELLED"}
    assert site.stops() == [("signal", 143)]
    assert site.counts() == {"pending": 1}
    site.wait(site.sbatch("job.sh"))
    was_interrupted_and_done(site)


def test_a_requeued_job_goes_on(site):
    """Under its id; the second minion knows that it was begun again."""
    job = site.sbatch("--requeue", "job.sh")
    until(lambda: site.has("begun"), "the task has begun")
    site.run("scontrol", "requeue", job)
    assert site.wait(job) == {job: "COMPLETED"}
    was_interrupted_and_done(site)
    assert [event["job"].get("restarts") for event in site.events("minion_start")] == [None, "1"]
    assert {event["job"]["id"] for event in site.events("minion_start")} == {job}
    assert f"{job} (restart 1)" in site.do("minion-status", "--minions")


@pytest.mark.parametrize(("partition", "node"), [("low", "node5"), ("besteffort", "node6")])
def test_a_preempted_job_goes_on(site, partition, node):
    """Somebody with a higher partition takes its node, at once or after a time of grace; then it has it back."""
    job = site.sbatch("-p", partition, "-w", node, "job.sh")
    until(lambda: site.has("begun"), "the task has begun")
    urgent = site.sbatch("-p", "urgent", "-w", node, "--exclusive", "--wrap", "sleep 1")
    site.wait(urgent)
    assert site.wait(job) == {job: "COMPLETED"}
    was_interrupted_and_done(site)
    assert site.events("minion_start")[1]["job"]["restarts"] == "1"


def test_a_signal_before_the_end_drains(on_slurm):
    """With --signal=B:USR1 the minion takes no more, what runs ends, and the exit code says that work is left."""
    on_slurm.job("sleep 0.{}")
    on_slurm.put("1..200", "1..200", "1..200")
    job = on_slurm.sbatch("--time=1", "--signal=B:USR1@55", "job.sh")
    assert on_slurm.wait(job) == {job: "FAILED"}
    assert on_slurm.cluster.exit_code(job) == (99, 0)
    assert on_slurm.stops() == [("drain", 99)]
    assert set(on_slurm.outcomes()) == {"done"}
    counts = on_slurm.counts()
    assert counts["pending"] + counts["done"] == 600


def test_a_killed_batch_process_leaves_nothing_running(site):
    """A SIGKILL to the minion alone: its warden ends the task, and another job does it."""
    job = site.sbatch("job.sh")
    until(lambda: site.has("begun"), "the task has begun")
    site.run("scancel", "--batch", "--signal=KILL", job)
    site.wait(job)
    until(lambda: not site.processes(), lambda: f"the end of {site.processes()}")
    site.wait(site.sbatch("job.sh"))
    assert site.outcomes() == ["done"]
    assert site.counts() == {"done": 1}
