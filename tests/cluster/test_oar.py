"""What OAR does to a job that has work left: nothing is lost, nothing is charged, and it goes on where it can."""

from __future__ import annotations

import os

from site_of_a_user import until

SWEEP = "from execo_engine.sweep import ParamSweeper; ParamSweeper('sweeps', sweeps=range({}), save_sweeps=True)"
#: The script of minionize 0.3.4's README, word by word, but that the program is slow enough to be killed, and installed already.
OAR_SH = """#!/usr/bin/env bash

#OAR -n kpd
#OAR -l nodes=1,walltime=1:0:0
#OAR -t besteffort
#OAR -t idempotent

# oarsub --array 10 -S ./oar.sh

set -eux

PATH={}:$PATH

minionize sh -c 'sleep 0.2; while [ -e hold ]; do sleep 0.1; done; echo $*' - "hello from $OAR_JOB_ID"
"""


def test_the_walk_through_of_0_3_4_works_and_killed_jobs_lose_nothing(on_oar):
    """A ParamSweeper, a .env, ten elements: some are deleted by their user, one has to make room, and all params say hello."""
    site = on_oar
    site.do(f"{site.bin}/python", "-c", SWEEP.format(200))
    site.write("oar.sh", OAR_SH.format(site.bin))
    site.write(".env", "MINION_ENGINE=execo\nEXECO_PERSISTENCE_DIR=sweeps\n", 0o644)
    jobs = site.oarsub("--array", "10", "-S", "./oar.sh")
    assert len(jobs) == 10

    def hellos():
        return [
            line
            for job in site.jobs()
            for line in site.lines(f"OAR.kpd.{job}.stdout")
            if line.startswith("hello from ")
        ]

    def running():
        return [id for id, job in site.jobs().items() if job["state"] == "Running"]

    until(lambda: len(hellos()) > 20 and len(running()) > 1, "the sweep goes on")
    deleted = running()[0]
    site.do("oardel", deleted)
    until(lambda: len(hellos()) > 70 and set(running()) - {deleted}, "the sweep goes on")
    site.write("hold", "")  # so that nobody is done before room is made
    victim = max(set(running()) - {deleted}, key=int)
    (node,) = site.jobs()[victim]["assigned_network_address"]
    site.oarsub("-p", f"network_address='{node}'", "-l", "nodes=1,walltime=0:1:0", "sleep 1")
    until(lambda: site.jobs()[victim]["state"] in ("Error", "Terminated"), "the best-effort job has made room")
    os.unlink(os.path.join(site.path, "hold"))
    site.wait()

    assert {line.split()[-1] for line in hellos()} == {str(number) for number in range(200)}
    assert site.counts() == {"done": 200}
    assert set(site.outcomes()) == {"done"}
    starts = site.events("minion_start")
    assert {start["engine"] for start in starts} == {"execo"}
    array = site.jobs()[jobs[0]]["array_id"]
    assert {(start["job"]["scheduler"], start["job"]["array"]) for start in starts} == {("oar", str(array))}
    assert {start["job"]["index"] for start in starts} <= {str(index) for index in range(1, 11)}
    again = [job for job in site.jobs().values() if job["resubmit_job_id"]]
    assert int(victim) in {job["resubmit_job_id"] for job in again}  # other tests' jobs may have needed room, too
    assert {job["array_id"] for job in again} == {array}
    for start in starts:
        assert f"{start['job']['id']} [{start['job']['index']}]" in site.do(
            "minion-status", "--minions", "--limit", "0"
        )


def test_a_best_effort_job_that_makes_room_crashes_nothing(on_oar):
    """It is killed without a word; one crash would be enough to make its task dead, but it is not counted there."""
    site = on_oar
    site.put("one")
    site.write("program", "#!/bin/sh\n[ -e begun ] || { touch begun; sleep 1000; }\n")
    site.job("--lease 2s ./program {}", MINION_MAX_CRASHES="1")
    (job,) = site.oarsub("-t", "besteffort", "-t", "idempotent", "-l", "core=1,walltime=0:10:0", "./job.sh")
    until(lambda: site.has("begun"), "the task has begun")
    (core,) = site.jobs()[job]["assigned_resources"]
    site.oarsub("-p", f"core={core}", "-l", "core=1,walltime=0:1:0", "sleep 1")
    jobs = site.wait(
        lambda jobs: len(jobs) >= 3 and all(one["state"] in ("Terminated", "Error") for one in jobs.values())
    )
    assert int(job) in {one["resubmit_job_id"] for one in jobs.values()}
    assert site.counts() == {"done": 1}
    assert site.outcomes() == ["done"]
    assert site.stops() == [("settled", 0)]


def test_jobs_leave_in_time_and_go_on_where_they_may(on_oar):
    """Three waits of a minute at once: the end of the walltime, a checkpoint that drains, and what is submitted again."""
    jobs = {}
    for name, options in {
        "walltime": ("-l", "core=1,walltime=0:1:0"),
        "idempotent": ("-t", "idempotent", "-l", "core=1,walltime=0:10:0"),
        "checkpoint": ("--checkpoint", "560", "--signal", "12", "-l", "core=1,walltime=0:10:0"),
    }.items():
        directory = os.path.join(on_oar.path, name)
        os.mkdir(directory)
        os.chmod(directory, 0o777)
        script = on_oar.job("sh -c 'sleep 4; echo done >> ran' {}")
        on_oar.write(f"{name}.sh", "\n".join(on_oar.lines(script)).replace("PATH=", f"cd {directory}\nPATH=", 1) + "\n")
        on_oar.do("sh", "-c", f"cd {name} && minion-queue put 1..40")
        (jobs[name],) = on_oar.oarsub(*options, f"./{name}.sh")
    started = on_oar.wait(lambda known: known[jobs["idempotent"]]["state"] == "Running")
    until(lambda: len(on_oar.lines("idempotent/ran")) >= 16, "the job is older than a minute")
    assert started[jobs["idempotent"]]["startTime"]
    on_oar.do("oardel", "-s", "SIGUSR1", jobs["idempotent"])

    known = on_oar.wait(
        lambda known: all(known[job]["state"] in ("Terminated", "Error") for job in jobs.values()) and len(known) == 4
    )
    assert {name: known[job]["exit_code"] >> 8 for name, job in jobs.items()} == dict.fromkeys(jobs, 99)
    (again,) = (job for job in known.values() if job["resubmit_job_id"])
    assert again["resubmit_job_id"] == int(jobs["idempotent"])
    on_oar.wait(lambda known: known[str(again["Job_Id"])]["state"] == "Running")
    count = len(on_oar.lines("idempotent/ran"))
    until(lambda: len(on_oar.lines("idempotent/ran")) > count, "it goes on")
    on_oar.do("oardel", str(again["Job_Id"]))

    for name, reason in (("walltime", "lifetime"), ("idempotent", "drain"), ("checkpoint", "drain")):
        ends = on_oar.do("sh", "-c", f"cat {name}/minion-report/*")
        assert f'"reason": "{reason}", "exit": 99' in ends, ends
        assert '"outcome":"interrupted"' not in ends
        assert '"outcome":"failed"' not in ends
