"""``minion-launch oar`` on a real OAR, as the user who submits there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest
from servers import oar

#: Says who it is, and waits until it is let through.
WAIT = 'echo "$1" >> begun; while [ ! -e gate ]; do sleep 0.1; done; echo "$1" >> ended'
#: Seconds after which what should have happened has not.
PATIENCE = 60.0


class There:
    """A directory of the user's, and the commands typed in it."""

    def __init__(self, server):
        self.server, self.path = server, server.place()
        with open(os.path.join(self.path, ".env"), "w", encoding="utf-8") as file:
            file.write("MINION_ENGINE=spool\n")

    def run(self, *argv):
        """Run a command to its end."""
        return subprocess.run(
            self.server.argv(*argv, cwd=self.path),
            env={"PATH": f"{self.server.bin}:{oar.PATH}", "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": self.path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=oar.PATIENCE,
            check=False,
        )

    def said(self, *argv):
        """Run a command that must do its work; returns what it printed."""
        done = self.run(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def launch(self, *words):
        """Launch minions; returns the launch's id and the job's."""
        return re.match(r"(l[0-9a-f]{6}): .* by oar \((\d+)\)", self.said("minion-launch", "oar", *words)).groups()

    def minions(self, id):
        """Ask what has become of each minion."""
        return json.loads(self.said("minion-launch", "status", id, "--json"))["minions"]

    def wait(self, happened):
        """Wait until something is true, and return it."""
        end = time.monotonic() + PATIENCE
        while not (value := happened()):
            assert time.monotonic() < end, "this never happened"
            time.sleep(0.1)
        return value

    def ended(self, id):
        """Wait until all minions of a launch have ended; returns what is said of them."""

        def over():
            found = self.minions(id)
            return found if {minion["state"] for minion in found} == {"ended"} else None

        return self.wait(over)

    def lines(self, name):
        """Read the lines of a file; none where there is no file yet."""
        try:
            with open(os.path.join(self.path, name), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def open(self):
        """Let all that wait through."""
        with open(os.path.join(self.path, "gate"), "w", encoding="utf-8"):
            pass

    def books(self):
        """Read the books, without the states that no task is in."""
        counts = (line.split() for line in self.said("minion-queue", "show").splitlines()[1:6])
        return {name: int(count) for name, count in counts if count != "0"}


@pytest.fixture
def there():
    """Return an empty directory of the user who submits."""
    return There(oar.shared())


def test_an_array_shares_the_work(there):
    """One array; each param once; each element with its job, its host, its minion and its exit code; a log each."""
    there.said("minion-queue", "put", "1..40")
    id, array = there.launch("-c", "3", "--walltime", "10m", "--", "sh", "-c", 'echo "$1" >> done', "-")
    ended = there.ended(id)
    assert sorted(map(int, there.lines("done"))) == list(range(1, 41))
    first = int(array)
    assert [(one["number"], one["job"], one["exit"]) for one in ended] == [(n, str(first + n), 0) for n in range(3)]
    assert all(one["host"] for one in ended)
    assert len({one["minion"] for one in ended}) == 3
    logs = [f"{first + n}.log" for n in range(3)]
    assert sorted(os.listdir(os.path.join(there.path, "minion-launch", id))) == sorted(["job.sh", *logs])


def test_stop_gives_tasks_back(there):
    """OAR's own oardel would kill at once: minions are sent SIGTERM instead; what waits never begins."""
    there.said("minion-queue", "put", "1..20")
    id, _ = there.launch("-c", "2", "--resources", "/nodes=4/core=2", "--", "sh", "-c", WAIT, "-")
    there.wait(lambda: there.lines("begun"))
    there.said("minion-launch", "stop", id)
    ended = there.ended(id)
    assert [(one["exit"], one["note"]) for one in ended] == [(143, "signal"), (None, "never begun")]
    assert there.books() == {"pending": 20}


def test_drain_lets_tasks_end(there):
    """By SIGUSR1 through the scheduler; where OAR begins a job once more, as it does after 99, that ends at once."""
    there.said("minion-queue", "put", "1..20")
    id, array = there.launch("-c", "2", "--", "sh", "-c", WAIT, "-")
    there.wait(lambda: len(there.lines("begun")) == 2)
    there.said("minion-launch", "drain", array)
    logs = [f"minion-launch/{id}/{one['job']}.log" for one in there.minions(id)]
    there.wait(lambda: all("SIGNALED" in "".join(there.lines(log)) for log in logs))  # which OAR writes afterwards
    there.open()
    assert [(one["exit"], one["note"]) for one in there.ended(id)] == [(99, "drain")] * 2
    assert there.books() == {"pending": 18, "done": 2}
    # What OAR would do with an idempotent one after a minute:
    again = there.run("sh", f"minion-launch/{id}/job.sh")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert there.books() == {"pending": 18, "done": 2}


def test_kill_asks_nobody(there):
    """That is oardel."""
    there.said("minion-queue", "put", "1")
    id, _ = there.launch("--", "sh", "-c", WAIT, "-")
    there.wait(lambda: there.lines("begun"))
    there.said("minion-launch", "stop", "--kill", id)
    [minion] = there.ended(id)
    assert minion["exit"] in (None, 128 + signal.SIGKILL)
    assert minion["note"] == "error"


def test_best_effort_minions_are_no_crash(there):
    """And begin again after a kill, with their options."""
    there.said("minion-queue", "put", "1")
    id, array = there.launch("--besteffort", "--name", "a.sweep", "--", "sh", "-c", WAIT, "-")
    there.wait(lambda: there.lines("begun"))
    [job] = json.loads(there.said("oarstat", "-f", "-J", "-j", array)).values()
    assert (job["name"], sorted(job["types"])) == ("a.sweep", ["besteffort", "idempotent"])
    settings = there.lines(f"minion-launch/{id}/job.sh")
    assert "export MINION_PREEMPTIBLE=1" in settings
    assert "#OAR --checkpoint 60" in settings
    there.said("minion-launch", "stop", id)
    there.ended(id)


def test_what_oar_refuses(there):
    """Its own words, and what to try; nothing is recorded, nothing is left."""
    there.said("minion-queue", "put", "1")
    done = there.run("minion-launch", "oar", "--resources", "/gold=1", "--", "true")
    assert done.returncode == 1
    assert 'column "gold" does not exist' in done.stderr
    assert "minion-launch oar --resources /nodes=1 ..." in done.stderr
    assert there.run("minion-launch", "list").stdout == ""
    assert os.listdir(os.path.join(there.path, "minion-launch")) == []


def test_options_for_oarsub_are_handed_on(there):
    """As they are; a resource line of one's own stands alone."""
    there.said("minion-queue", "put", "1")
    id, array = there.launch("--extra", "--project sweep", "--extra", "-l /nodes=1/core=2,walltime=0:20", "--", "true")
    there.ended(id)
    [job] = json.loads(there.said("oarstat", "-f", "-J", "--array", array)).values()
    assert (job["project"], job["walltime"]) == ("sweep", 1200)
    assert job["wanted_resources"].count("-l") == 1


def test_a_launch_that_was_cut_off_is_found_again(there):
    """It was killed between submitting and recording: OAR knows where it was submitted."""
    there.said("minion-queue", "put", "1")
    id, _ = there.launch("-c", "2", "--", "true")
    path = os.path.join(there.path, "minionize", "launches", f"{id}.json")
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**record, "stage": "submitting", "handle": {}}, file)
    assert [one["exit"] for one in there.ended(id)] == [0, 0]
    with open(path, encoding="utf-8") as file:
        assert json.load(file) == record
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**record, "id": "l9", "stage": "submitting", "handle": {}}, file)
    assert "whether anything was started, it does not know" in there.run("minion-launch", "status", "l9").stderr


def test_jobs_that_oar_has_forgotten(there):
    """That is said."""
    there.said("minion-queue", "put", "1")
    id, array = there.launch("--", "true")
    there.ended(id)
    path = os.path.join(there.path, "minionize", "launches", f"{id}.json")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(f'"job": "{array}"', '"job": "999999"'))
    [minion] = there.minions(id)
    assert (minion["state"], minion["note"]) == ("ended", "OAR has forgotten it")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_is_told_that_oar_takes_no_jobs_of_root(tmp_path):
    """Before anything is tried."""
    from minionize.launchers.oar import OarLauncher

    oar.require()
    assert OarLauncher().available() == "OAR takes no jobs of root"
