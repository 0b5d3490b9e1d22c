"""``minion-launch slurm`` on a real Slurm: arrays, what becomes of them, and how they are ended."""

from __future__ import annotations

import json
import re
import signal

import pytest
from acceptance.harness import Place, until
from servers import slurm

#: Says who it is, and waits until it is let through.
WAIT = 'echo "$1" >> begun; read _ < gate; echo "$1" >> ended'


@pytest.fixture
def here(tmp_path):
    """Return an empty directory whose queue is a spool, and in which Slurm's commands find the cluster."""
    place = Place(tmp_path)
    place.environ |= slurm.shared().environment
    place.write(".env", "MINION_ENGINE=spool\n")
    yield place
    place.leave()


def launch(here, *words, code=0):
    """Launch minions; returns the launch's id, the job's, and what was said."""
    done = here.run("minion-launch", "slurm", *words)
    assert done.code == code, done.err
    found = re.match(r"(l[0-9a-f]{6}): .* by slurm \((\d+)\)", done.out)
    return (*(found.groups() if found else (None, None)), done.err)


def minions(here, id):
    """Ask what has become of each minion."""
    done = here.run("minion-launch", "status", id, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["minions"]


def wait_for(here, id, *states):
    """Wait until all minions of a launch are in these states; returns what is said of them."""
    until(lambda: {minion["state"] for minion in minions(here, id)} <= set(states), f"{id} is {states}")
    return minions(here, id)


def test_an_array_shares_the_work(here):
    """One job; each param once; each element with its node, its minion and its exit code; a log each."""
    here.put("1..40")
    id, job, _ = launch(here, "-c", "3", "-j", "2", "--walltime", "10m", "--", "sh", "-c", 'echo "$1" >> done', "-")
    ended = wait_for(here, id, "ended")
    assert sorted(map(int, here.lines("done"))) == list(range(1, 41))
    assert [(one["number"], one["job"], one["exit"]) for one in ended] == [(n, f"{job}_{n}", 0) for n in range(3)]
    assert all(one["host"].startswith("node") for one in ended)
    uids = {event["minion"] for event in here.events("minion_start")}
    assert {one["minion"] for one in ended} == uids
    assert sorted(path.name for path in (here.path / "minion-launch" / id).iterdir()) == [
        f"{job}_{n}.log" for n in range(3)
    ]


def test_one_minion_is_a_plain_job(here):
    """And what Slurm was asked for is what was said here."""
    here.put("1")
    here.gate()
    words = ("--name", "a.sweep", "-j", "2", "--walltime", "90m", "--extra", "--nice=7")
    id, job, _ = launch(here, *words, "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun")
    shown = slurm.shared().run("scontrol", "-o", "show", "job", job)
    for part in (
        "JobName=a.sweep",
        "NumCPUs=2",
        "TimeLimit=01:30:00",
        "Nice=7",
        f"Comment=minion-launch:{id}",
        "Requeue=1",
    ):
        assert f"{part} " in shown
    assert [one["job"] for one in minions(here, id)] == [job]
    assert here.run("minion-launch", "stop", job).code == 0
    wait_for(here, id, "ended")


def test_stop_gives_tasks_back(here):
    """By SIGTERM; what has not begun never does."""
    here.put("1..12")
    here.gate()
    id, _, _ = launch(here, "-c", "12", "--extra", "-w node1", "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun", 2)
    assert [one["state"] for one in minions(here, id)].count("pending") == 10
    assert here.run("minion-launch", "stop", id).code == 0
    ended = wait_for(here, id, "ended")
    assert sorted(one["exit"] or 0 for one in ended) == [0] * 10 + [128 + signal.SIGTERM] * 2
    assert {one["note"] for one in ended} == {"cancelled"}
    assert here.books() == {"pending": 12}
    assert {task[2] for task in here.tasks()} == {1}


def test_drain_lets_tasks_end(here):
    """By SIGUSR1 through the scheduler; what waits is taken back."""
    here.put("1..12")
    gate = here.gate()
    id, _, _ = launch(here, "-c", "4", "--extra", "-w node2", "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun", 2)
    assert here.run("minion-launch", "drain", id).code == 0
    until(lambda: [one["state"] for one in minions(here, id)].count("ended") == 2, "the end of those that wait")
    gate.open()
    ended = wait_for(here, id, "ended")
    assert sorted((one["exit"], one["note"]) for one in ended if one["exit"] is not None) == [(99, "drain")] * 2
    assert here.books() == {"pending": 10, "done": 2}


def test_kill_asks_nobody(here):
    """The tasks come back when somebody sees that their minion has gone."""
    here.put("1")
    here.gate()
    id, _, _ = launch(here, "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun")
    assert here.run("minion-launch", "stop", "--kill", id).code == 0
    [minion] = wait_for(here, id, "ended")
    assert (minion["exit"], here.events("minion_stop")) == (137, [])


def test_a_drained_minion_does_not_come_back_by_requeue(here):
    """A scheduler that starts it once more finds it closed."""
    here.put("1..3")
    gate = here.gate()
    id, job, _ = launch(here, "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun")
    assert here.run("minion-launch", "drain", id).code == 0
    slurm.shared().run("scontrol", "requeue", job)
    [minion] = wait_for(here, id, "ended")
    assert minion["exit"] == 0
    gate.open()
    assert len(here.events("minion_start")) == 1
    assert here.books() == {"pending": 3}


def test_children_have_less_than_the_cluster_waits(here):
    """Of KillWait, which is the site's, the rest is for giving back; what the user says counts."""
    here.put("1")
    wait = int(re.search(r"KillWait\s*=\s*(\d+)", slurm.shared().run("scontrol", "show", "config"))[1])
    assert f"export MINION_GRACE={wait * 0.6:g}s\n" in here.run("minion-launch", "slurm", "--script", "--", "true").out
    here.write(".env", "MINION_ENGINE=spool\nMINION_GRACE=2s\n")
    assert "MINION_GRACE" not in here.run("minion-launch", "slurm", "--script", "--", "true").out


def test_a_script_can_be_submitted_by_hand(here):
    """What --script prints is a job."""
    here.put("1..3")
    done = here.run("minion-launch", "slurm", "--script", "--", "true")
    (here.path / "job.sh").write_text(done.out)
    made = re.search(r"mkdir -p (\S+)", done.err)[0]
    assert here.run("sh", "-c", made).code == 0
    job = slurm.shared().submit("job.sh", cwd=here.path)
    slurm.shared().wait(job)
    assert here.books() == {"done": 3}


def test_what_slurm_refuses(here):
    """Its own words, and what to try; nothing is recorded."""
    here.put("1")
    id, _, said = launch(here, "--extra", "--partition=gold", "--", "true", code=1)
    assert id is None
    assert "sbatch failed (exit code 1):\n  sbatch: error: invalid partition specified: gold\n" in said
    assert "sinfo -s" in said
    assert here.run("minion-launch", "list").out == ""


def test_the_next_launcher_has_what_slurm_refuses(here):
    """It says which took it, and why."""
    here.put("1")
    here.environ |= {"MINION_LAUNCH_EXTRA": "--partition=gold"}
    done = here.run("minion-launch", "--to", "slurm,local", "--", "true")
    assert done.code == 0
    assert "not slurm: sbatch failed (exit code 1):\n  sbatch: error: invalid partition" in done.err
    assert done.err.endswith("chosen: local\n")
    wait_for(here, done.out[:7], "ended")


def test_a_slurm_that_cannot_be_asked(here):
    """The launch stays known, and what Slurm says is shown."""
    here.put("1")
    id, _, _ = launch(here, "--", "true")
    wait_for(here, id, "ended")
    done = here.run("minion-launch", "status", id, SLURM_CONF=here.write("slurm.conf", "no configuration\n"))
    assert done.code == 1
    assert "squeue failed" in done.err
    assert here.run("minion-launch", "list").out.splitlines()[1].startswith(id)


def test_jobs_that_slurm_has_forgotten(here):
    """Their minions' own events still tell; nothing else does."""
    here.put("1")
    id, _, _ = launch(here, "--", "true")
    wait_for(here, id, "ended")
    [path] = (here.path / ".local/state/minionize/launches").iterdir()
    record = json.loads(path.read_text())
    record["handle"]["job"] = "99999"
    path.write_text(json.dumps(record))
    [minion] = minions(here, id)
    assert (minion["state"], minion["note"], minion["exit"]) == ("ended", "Slurm has forgotten it", None)


@pytest.mark.parametrize("size", ["1", "2"])
def test_a_launch_that_was_cut_off_is_found_again(here, size):
    """It was killed between submitting and recording: Slurm knows the job by the launch's id."""
    here.put("1")
    id, _, _ = launch(here, "-c", size, "--", "true")
    [path] = (here.path / ".local/state/minionize/launches").iterdir()
    text = path.read_text()
    path.write_text(json.dumps({**json.loads(text), "stage": "submitting", "handle": {}}))
    assert {one["exit"] for one in wait_for(here, id, "ended")} == {0}
    assert json.loads(path.read_text()) == json.loads(text)
    path.write_text(json.dumps({**json.loads(text), "id": "l9", "stage": "submitting", "handle": {}}))
    done = here.run("minion-launch", "status", "l9")
    assert (done.code, "whether anything was started, it does not know" in done.err) == (1, True)


def test_a_file_on_a_disk_is_no_queue_for_a_cluster(here):
    """SQLite cannot be shared by nodes; a directory may be, and is suspected only."""
    here.write(".env", "MINION_ENGINE=sqlite\n")
    here.put("1")
    _, _, said = launch(here, "--", "true", code=1)
    assert "minion-queue.db (sqlite) is a file on this machine's own disk" in said


def test_the_environment_of_this_shell_is_passed_on_but_not_written(here):
    """Slurm does that itself, so a secret need not be in a file."""
    here.put("1")
    here.environ["PULSAR_TOKEN"] = "hush"
    script = here.run("minion-launch", "slurm", "--script", "--", "true").out
    assert "hush" not in script
    id, _, _ = launch(here, "--", "sh", "-c", 'echo "$PULSAR_TOKEN" > token')
    wait_for(here, id, "ended")
    assert here.lines("token") == ["hush"]
    assert "hush" not in here.run("minion-launch", "status", id, "--json").out
