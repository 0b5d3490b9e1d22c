"""The time of a Slurm job is known, and respected: the minion leaves before it is over."""

from __future__ import annotations

import json

from site_of_a_user import until


def report(site, name):
    """Read how the executions of a job ended, and how its minion left."""
    lines = [json.loads(line) for file in site.listed(f"report-{name}") for line in site.lines(file)]
    outcomes = [(event["outcome"], event["attempt"], event["start"]) for event in lines if event["type"] == "task_end"]
    stops = [(event["reason"], event["exit"]) for event in lines if event["type"] == "minion_stop"]
    return outcomes, stops, lines[0]["t"]


def test_a_minion_leaves_before_its_time_is_over(on_slurm):
    """Three jobs of a minute: short tasks, none of which is begun that does not fit; a task that is too long; and more time."""
    site, jobs = on_slurm, {}
    programs = {
        "short": "sleep 4",
        "long": "[ {} = 1 ] && sleep 20 || { trap : TERM; while :; do sleep 1; done; }",
        "more": "sleep 4",
    }
    for name, program in programs.items():
        variables = {"SQLITE_PATH": f"{name}.db", "REPORTER_JSON_DIRECTORY": f"report-{name}"}
        script = site.job(f"sh -c '{program}' {{}}", **variables)
        site.write(f"{name}.sh", "\n".join(site.lines(script)) + "\n")
        site.do("env", f"SQLITE_PATH={name}.db", "minion-queue", "put", "1..40")
        jobs[name] = site.sbatch("--time=1", f"{name}.sh")

    until(lambda: site.listed("report-more"), "the third job has begun")
    site.run("scontrol", "update", f"jobid={jobs['more']}", "timelimit=3")

    for name in ("short", "long"):
        assert site.wait(jobs[name]) == {jobs[name]: "FAILED"}  # no TIMEOUT
        assert site.cluster.exit_code(jobs[name]) == (99, 0)
    outcomes, stops, _ = report(site, "short")
    assert stops == [("lifetime", 99)]
    assert {outcome for outcome, *_ in outcomes} == {"done"}
    assert len(outcomes) > 5

    outcomes, stops, _ = report(site, "long")
    assert stops == [("lifetime", 99)]
    assert [(outcome, attempt) for outcome, attempt, _ in outcomes] == [("done", 1), ("interrupted", 1)]

    def one_began_later():
        outcomes, stops, start = report(site, "more")
        assert not stops
        return any(begun > start + 52 for *_, begun in outcomes)

    until(one_began_later, "a task is begun that did not fit the time as it was")
    site.run("scancel", jobs["more"])
    site.wait(jobs["more"])
    assert report(site, "more")[1] == [("signal", 143)]


def test_the_end_of_a_task_that_fits_into_no_job_is_charged(on_slurm):
    """It was interrupted after nearly all of the job's time: that counts, else it would be tried for ever."""
    on_slurm.job("sleep {}", MINION_MAX_ATTEMPTS="1")
    on_slurm.put("1000")
    job = on_slurm.sbatch("--time=1", "job.sh")
    on_slurm.wait(job)
    assert on_slurm.outcomes() == ["timeout"]
    assert on_slurm.stops() == [("lifetime", 1)]
    assert on_slurm.counts() == {"dead": 1}
